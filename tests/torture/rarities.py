"""What a storm has to have shown: how often each rarity is in the evidence."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tests.torture.evidence import Evidence
from tests.torture.faults import Sometimes
from tests.torture.workload import NEEDS, POISON

_EPOCH_BITS: Final = 32


def seen_in(evidence: Evidence) -> Mapping[Sometimes, int]:
    """How often each was seen."""
    stale = evidence.entries("stale")
    fences = {stage["settled_fence"] for stage in evidence.stages.values()}
    settled = {key for key, stage in evidence.stages.items() if stage["status"] == "completed"}
    begun: Counter[str] = Counter(entry["stage"] for entry in evidence.entries("begin"))
    committed: Counter[int] = Counter(entry["fence"] for entry in evidence.entries("committed"))
    lied = {entry["execution"] for entry in evidence.entries("lie")}
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
        Sometimes.LIE_REFUSED: sum(entry["execution"] in lied for entry in stale),
        Sometimes.WORK_TWICE: sum(times > 1 for times in begun.values()),
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
    """Submissions under one key that were under way through two orchestrators at the same time."""
    by_key: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for intent in evidence.intents("submit"):
        if "concluded" in intent:
            by_key[intent["key"]].append((intent["at"], intent["concluded"], intent["link"]))
    return sum(
        first[2] != second[2] and second[0] < first[1]
        for spans in by_key.values()
        for first, second in zip(sorted(spans), sorted(spans)[1:], strict=False)
    )
