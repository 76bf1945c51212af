"""What is done to the system, what sets it off, and what must be seen in answer.

Every fault leaves the system in a state that it has to come back from by itself once the fault is over.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One way to hurt a running Baton."""

    KILL_ORCHESTRATOR = "killOrchestrator"
    STOP_ORCHESTRATOR = "stopOrchestrator"
    END_ORCHESTRATOR = "endOrchestrator"
    KILL_POSTGRES = "killPostgres"
    RESTART_POSTGRES = "restartPostgres"
    TERMINATE_BACKENDS = "terminateBackends"
    READ_ONLY_POSTGRES = "readOnlyPostgres"
    LOCK_POSTGRES = "lockPostgres"
    KILL_FLEET = "killFleet"

    KILL_WORKER_BEFORE_ACCEPT = "killWorkerBeforeAccept"
    KILL_WORKER_AFTER_ACCEPT = "killWorkerAfterAccept"
    KILL_WORKER_MID_PROCESS = "killWorkerMidProcess"
    KILL_WORKER_BEFORE_ACK = "killWorkerBeforeAck"
    STOP_WORKER = "stopWorker"

    RESET_LINK = "resetLink"
    HALF_OPEN_LINK = "halfOpenLink"
    REFUSE_LINK = "refuseLink"
    SWALLOW_LINK = "swallowLink"
    SLOW_LINK = "slowLink"
    TRUNCATE_LINK = "truncateLink"
    CUT_COMMIT_REPLY = "cutCommitReply"
    CUT_CLAIM_REPLY = "cutClaimReply"
    CUT_ANSWER = "cutAnswer"

    POISON = "poison"
    CANCEL_RUNNING = "cancelRunning"
    RACE_FOR_A_KEY = "raceForAKey"


class Trigger(StrEnum):
    """Something whose n-th occurrence sets a fault off."""

    OFFER = "offer"
    ACCEPT = "accept"
    BEGIN = "begin"
    END = "end"
    ACK = "committed"
    COMMIT = "commit"
    SUBMITTED = "submitted"


class Lane(StrEnum):
    """Faults that follow each other; the lanes go on side by side."""

    SYSTEM = "system"
    WORKERS = "workers"
    NETWORK = "network"
    CLIENTS = "clients"


LANES: Final[Mapping[Lane, tuple[Fault, ...]]] = {
    Lane.SYSTEM: (
        Fault.KILL_ORCHESTRATOR,
        Fault.STOP_ORCHESTRATOR,
        Fault.KILL_POSTGRES,
        Fault.END_ORCHESTRATOR,
        Fault.RESTART_POSTGRES,
        Fault.TERMINATE_BACKENDS,
        Fault.READ_ONLY_POSTGRES,
        Fault.LOCK_POSTGRES,
        Fault.KILL_FLEET,
    ),
    Lane.WORKERS: (
        Fault.KILL_WORKER_BEFORE_ACCEPT,
        Fault.KILL_WORKER_AFTER_ACCEPT,
        Fault.KILL_WORKER_MID_PROCESS,
        Fault.KILL_WORKER_BEFORE_ACK,
        Fault.STOP_WORKER,
    ),
    Lane.NETWORK: (
        Fault.RESET_LINK,
        Fault.HALF_OPEN_LINK,
        Fault.REFUSE_LINK,
        Fault.SWALLOW_LINK,
        Fault.SLOW_LINK,
        Fault.TRUNCATE_LINK,
        Fault.CUT_COMMIT_REPLY,
        Fault.CUT_CLAIM_REPLY,
        Fault.CUT_ANSWER,
    ),
    Lane.CLIENTS: (Fault.POISON, Fault.CANCEL_RUNNING, Fault.RACE_FOR_A_KEY),
}

SPACING_S: Final[Mapping[Lane, float]] = {
    Lane.SYSTEM: 6.0,
    Lane.WORKERS: 3.0,
    Lane.NETWORK: 2.0,
    Lane.CLIENTS: 4.0,
}

ESSENTIAL: Final[Mapping[Lane, int]] = {Lane.SYSTEM: 3, Lane.WORKERS: 5, Lane.NETWORK: 9, Lane.CLIENTS: 3}
"""How many of a lane's faults, from its first on, even the shortest storm has."""


class Sometimes(StrEnum):
    """What a storm has to have shown, or it has proved nothing."""

    STALE_RESULT = "staleResult"
    LEASE_RACE = "leaseRace"
    UNKNOWN_COMMIT = "unknownCommit"
    TAKEOVER = "takeover"
    STALLED_OWNER = "stalledOwner"
    READOPTED = "readopted"
    FAN_IN_RACE = "fanInRace"
    RESENT_RESULT = "resentResult"
    POISON_DEAD_LETTER = "poisonDeadLetter"
    CANCEL_RACE = "cancelRace"
    KEY_RACE = "keyRace"
    KEY_REUSED = "keyReused"
    UNKNOWN_SUBMISSION = "unknownSubmission"
    UNAVAILABLE = "unavailable"
    REFUSED_OFFER = "refusedOffer"
    LIE_REFUSED = "lieRefused"
    WORK_TWICE = "workTwice"
