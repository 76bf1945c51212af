"""What a storm has to have shown: how often each rarity is in the evidence."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.core.standing import Offence
from tests.torture.boasting import FRAME_REFUSED, REPORT_REFUSED
from tests.torture.checks import too_large
from tests.torture.evidence import Evidence
from tests.torture.faults import Sometimes
from tests.torture.fleet import FLEET
from tests.torture.workload import BULK, NEEDS, POISON

_EPOCH_BITS: Final = 32
_LIES: Final = frozenset(Offence) - {Offence.TOO_LARGE}


def seen_in(evidence: Evidence) -> Mapping[Sometimes, int]:
    """How often each was seen."""
    stale = evidence.entries("stale")
    liars = {worker.worker_id for worker in FLEET if worker.temper == "liar"}
    fences = {stage["settled_fence"] for stage in evidence.stages.values()}
    settled = {key for key, stage in evidence.stages.items() if stage["status"] == "completed"}
    begun: Counter[str] = Counter(entry["stage"] for entry in evidence.entries("begin"))
    committed: Counter[int] = Counter(entry["fence"] for entry in evidence.entries("committed"))
    boasts = evidence.entries("boasted")
    cancelled = {intent["execution"] for intent in evidence.intents("cancel") if intent["outcome"] == "ack"}
    submissions = evidence.intents("submit")
    return {
        Sometimes.STALE_RESULT: len(stale),
        Sometimes.LEASE_RACE: sum(entry["fence"] not in fences and _key(entry["stage"]) in settled for entry in stale),
        Sometimes.UNKNOWN_COMMIT: evidence.logged["journal.flush_unknown"],
        Sometimes.TAKEOVER: evidence.logged["deposed"],
        Sometimes.STALLED_OWNER: evidence.logged["journal.epoch_lost"] + evidence.logged["replica.deposed"],
        Sometimes.READOPTED: _readopted(evidence),
        Sometimes.FAN_IN_RACE: _fan_in_races(evidence),
        Sometimes.RESENT_RESULT: sum(times > 1 for times in committed.values()),
        Sometimes.POISON_DEAD_LETTER: sum(
            row["template"] == POISON and row["status"] == "failed" for row in evidence.executions.values()
        ),
        Sometimes.CANCEL_RACE: sum(_was_running(evidence, execution_id) for execution_id in cancelled),
        Sometimes.KEY_RACE: _key_races(evidence),
        Sometimes.KEY_REUSED: sum(intent.get("status") == 422 for intent in evidence.intents("reuse")),
        Sometimes.UNKNOWN_SUBMISSION: sum(intent["outcome"] == "unknown" for intent in submissions),
        Sometimes.UNAVAILABLE: sum(intent.get("status") == 503 for intent in evidence.ledger),
        Sometimes.REFUSED_OFFER: len(evidence.entries("refuse")),
        Sometimes.LIE_REFUSED: sum(entry["worker"] in liars for entry in stale)
        + sum(entry["status"] == 409 for entry in evidence.entries("lieAnswered")),
        Sometimes.WORK_TWICE: sum(times > 1 for times in begun.values()),
        Sometimes.EVERY_LIE_NOTED: min(evidence.offences[offence.value] for offence in _LIES),
        Sometimes.ANOTHER_TENANT_REFUSED: sum(intent.get("status") == 404 for intent in evidence.intents("pry")),
        Sometimes.RESUMED_STREAM: sum(intent.get("resumed", 0) for intent in evidence.intents("watch")),
        Sometimes.LARGE_PAYLOAD: sum(
            row["template"] == BULK and row["result_sha256"] is not None for row in evidence.executions.values()
        ),
        Sometimes.PEER_LOST: evidence.logged["peer.unlinked"],
        Sometimes.DISK_FULL: evidence.errors["DiskFullError"],
        Sometimes.READ_ONLY: evidence.errors["ReadOnlySQLTransactionError"],
        Sometimes.PAYLOAD_WAITED: evidence.logged["journal.payload_not_kept"],
        Sometimes.TOO_LARGE_REFUSED: min(
            evidence.offences[Offence.TOO_LARGE],
            sum(entry["form"] == "frame" and entry["answer"] in FRAME_REFUSED for entry in boasts),
            sum(entry["form"] == "report" and entry["answer"] in REPORT_REFUSED for entry in boasts),
            sum(too_large(stage) for stage in evidence.stages.values()),
        ),
        Sometimes.LIMIT_KEPT: len(evidence.intents("crowd")),
    }


def _key(stage_id: str) -> tuple[str, str]:
    execution_id, _, name = stage_id.rpartition(".")
    return execution_id, name


def _readopted(evidence: Evidence) -> int:
    """Results that were taken under a fence of an earlier owner: the attempt outlived the one who had offered it."""
    owned: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for change in evidence.execution_changes:
        if change["owner_epoch"] is not None:
            owned[change["execution_id"]].append((change["at"], change["owner_epoch"]))
    return sum(
        change["status"] == "completed"
        and change["settled_fence"] is not None
        and any(
            at <= change["at"] and epoch > change["settled_fence"] >> _EPOCH_BITS
            for at, epoch in owned[change["execution_id"]]
        )
        for change in evidence.stage_changes
    )


def _fan_in_races(evidence: Evidence) -> int:
    """Stages of one fan that were completed in one and the same flush."""
    together: defaultdict[tuple[str, int], int] = defaultdict(int)
    needed = {name for needs in NEEDS.values() for names in needs.values() for name in names}
    for change in evidence.stage_changes:
        if change["status"] == "completed" and change["name"] in needed:
            together[change["execution_id"], change["flush"]] += 1
    return sum(number > 1 for number in together.values())


def _was_running(evidence: Evidence, execution_id: str) -> bool:
    """Whether a cancel found a stage of this execution at a worker, and it was not committed any more."""
    return any(
        change["execution_id"] == execution_id
        and change["was"] in ("offered", "running")
        and change["status"] in ("cancelling", "cancelled")
        for change in evidence.stage_changes
    )


def _key_races(evidence: Evidence) -> int:
    """Submissions of a tenant under one key that were under way through two orchestrators at the same time."""
    by_key: defaultdict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
    for intent in evidence.intents("submit"):
        if "concluded" in intent:
            by_key[intent["tenant"], intent["key"]].append((intent["at"], intent["concluded"], intent["link"]))
    return sum(
        first[2] != second[2] and second[0] < first[1]
        for spans in by_key.values()
        for first, second in zip(sorted(spans), sorted(spans)[1:], strict=False)
    )
