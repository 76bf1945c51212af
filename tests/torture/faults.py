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
    FILL_DISK = "fillDisk"
    SLOW_POSTGRES = "slowPostgres"
    BLOCK_ARTIFACTS = "blockArtifacts"
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
    PARTITION_REPLICAS = "partitionReplicas"

    POISON = "poison"
    CANCEL_RUNNING = "cancelRunning"
    RACE_FOR_A_KEY = "raceForAKey"
    HUGE_RESULTS = "hugeResults"
    CROWD_OF_STREAMS = "crowdOfStreams"


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
        Fault.STOP_ORCHESTRATOR,
        Fault.KILL_ORCHESTRATOR,
        Fault.KILL_POSTGRES,
        Fault.END_ORCHESTRATOR,
        Fault.RESTART_POSTGRES,
        Fault.TERMINATE_BACKENDS,
        Fault.READ_ONLY_POSTGRES,
        Fault.LOCK_POSTGRES,
        Fault.FILL_DISK,
        Fault.SLOW_POSTGRES,
        Fault.BLOCK_ARTIFACTS,
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
        Fault.PARTITION_REPLICAS,
    ),
    Lane.CLIENTS: (
        Fault.POISON,
        Fault.CANCEL_RUNNING,
        Fault.RACE_FOR_A_KEY,
        Fault.HUGE_RESULTS,
        Fault.CROWD_OF_STREAMS,
    ),
}

SPACING_S: Final[Mapping[Lane, float]] = {
    Lane.SYSTEM: 5.0,
    Lane.WORKERS: 3.0,
    Lane.NETWORK: 2.0,
    Lane.CLIENTS: 4.0,
}

ESSENTIAL: Final[Mapping[Lane, int]] = {Lane.SYSTEM: 3, Lane.WORKERS: 5, Lane.NETWORK: 10, Lane.CLIENTS: 3}
"""How many of a lane's faults, from its first on, even the shortest storm has."""

LEAST: Final[Mapping[Lane, int]] = {Lane.SYSTEM: 4, Lane.WORKERS: 5, Lane.NETWORK: 10, Lane.CLIENTS: 4}
"""How many faults of a lane even the shortest storm has: beside the essential ones, some that chance draws."""


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
    EVERY_LIE_NOTED = "everyLieNoted"
    ANOTHER_TENANT_REFUSED = "anotherTenantRefused"
    RESUMED_STREAM = "resumedStream"
    LARGE_PAYLOAD = "largePayload"
    PEER_LOST = "peerLost"
    DISK_FULL = "diskFull"
    READ_ONLY = "readOnly"
    PAYLOAD_WAITED = "payloadWaited"
    TOO_LARGE_REFUSED = "tooLargeRefused"
    LIMIT_KEPT = "limitKept"


PROVOKED_BY: Final[Mapping[Sometimes, Fault]] = {
    Sometimes.DISK_FULL: Fault.FILL_DISK,
    Sometimes.READ_ONLY: Fault.READ_ONLY_POSTGRES,
    Sometimes.PAYLOAD_WAITED: Fault.BLOCK_ARTIFACTS,
    Sometimes.TOO_LARGE_REFUSED: Fault.HUGE_RESULTS,
    Sometimes.LIMIT_KEPT: Fault.CROWD_OF_STREAMS,
}
"""What only one fault brings about: a storm without it does not have to show it."""

UNHURRIED: Final = frozenset(
    {
        # Whoever could take over may be down as well, or PostgreSQL, in a storm of seconds.
        Sometimes.TAKEOVER,
        Sometimes.STALLED_OWNER,
        Sometimes.READOPTED,
        Sometimes.EVERY_LIE_NOTED,
        Sometimes.ANOTHER_TENANT_REFUSED,
        Sometimes.RESUMED_STREAM,
        Sometimes.LARGE_PAYLOAD,
    }
)
"""What chance brings about in a while, and nothing can be done to hurry it."""

UNHURRIED_S: Final = 60.0
"""A storm shorter than this does not have to show those."""
