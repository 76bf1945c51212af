"""The invariants, held against the evidence. Each check is a function of it that yields what it found broken.

`Finding.kind` is the figure that a finding counts towards: lost, duplicated, stuck, zombieCommits, or another's name.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

import orjson

from orchestrator.core.document import stage_id, stage_name
from protocol.errors import FailureCode
from tests.torture.evidence import FINAL, FINAL_STAGE, Evidence, Row
from tests.torture.fleet import FLEET
from tests.torture.tenants import TENANTS
from tests.torture.workload import BRAG, MOST_ATTEMPTS, NEEDS, POISON, POISON_ATTEMPTS, expected

_POISONS: Final = 3
"""So many different workers have to be lost with a stage before it is given up; chance may do that to any one."""

_FOUND_S: Final = 30.0
"""Long enough for any driver, and for a successor of a driver, to find what was left for it."""

_LIVE_AT_ONCE: Final = {worker.worker_id: worker.slots for worker in FLEET}


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant broken once."""

    kind: str
    what: str


def lost(evidence: Evidence) -> Iterator[Finding]:
    """I1: what was acknowledged is there."""
    for intent in evidence.intents("submit", "retry"):
        if intent["outcome"] == "ack" and intent["execution"] not in evidence.executions:
            yield Finding("lost", f"{intent['execution']} was acknowledged to {intent['key']} and is not there")
    for what in evidence.gone:
        yield Finding("lost", what)


def one_execution_a_key(evidence: Evidence) -> Iterator[Finding]:
    """I2: a tenant's key makes one execution, and every acknowledgement under it names that one."""
    told: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for intent in evidence.intents("submit", "retry"):
        if intent["outcome"] == "ack":
            told[intent["tenant"], intent["key"]].add(intent["execution"])
    made: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in evidence.executions.values():
        given = orjson.loads(row["input"])
        key = given.get("key") if row["retry_of"] is None else f"retry-of-{row['retry_of']}"
        if key is not None:
            made[evidence.tenants[row["client_id"]], key].add(row["execution_id"])
    for key in told.keys() | made.keys():
        both = told[key] | made[key]
        if len(both) > 1:
            yield Finding("duplicated", f"the key {' '.join(key)} made {sorted(both)}")


def committed_once(evidence: Evidence) -> Iterator[Finding]:
    """I3: no stage instance is completed twice."""
    commits = Counter(
        (change["execution_id"], change["name"])
        for change in evidence.stage_changes
        if change["status"] == "completed" and change["was"] != "completed"
    )
    for (execution_id, name), times in commits.items():
        if times > 1:
            yield Finding("duplicated", f"{execution_id}.{name} was committed {times} times")


def stuck(evidence: Evidence) -> Iterator[Finding]:
    """I5: every execution has ended."""
    for row in evidence.executions.values():
        if row["status"] not in FINAL:
            stages = {
                name: stage["status"] for (of, name), stage in evidence.stages.items() if of == row["execution_id"]
            }
            what = f"{row['execution_id']} of {row['template']} is {row['status']}, driven by {row['owner']}: {stages}"
            yield Finding("stuck", what)


def no_zombie_commits(evidence: Evidence) -> Iterator[Finding]:
    """I3, I12: what is committed was made under the fence that ruled, by who held it, and no fence came after it."""
    for (execution_id, name), stage in evidence.stages.items():
        if stage["status"] != "completed" or stage["settled_fence"] is None:
            continue
        where, fence = stage_id(execution_id, name), stage["settled_fence"]
        result = orjson.loads(stage["result"])
        if (result["fence"], result["by"]) != (fence, stage["worker_id"]):
            yield Finding("zombieCommits", f"{where} took {result} under fence {fence} of {stage['worker_id']}")
        offers = [
            packet["fence"]
            for packet in evidence.packets.get(execution_id, ())
            if packet["stage"] == name and packet["type"] == "offer"
        ]
        if offers and offers[-1] != fence:
            yield Finding("zombieCommits", f"{where} took fence {fence} and was offered under {offers[-1]} after it")


def final_is_final(evidence: Evidence) -> Iterator[Finding]:
    """I4: nothing leaves a final state, and nothing of it changes."""
    for change in evidence.execution_changes:
        if change["was"] in FINAL:
            yield Finding("finalChanged", f"{change['execution_id']} was {change['was']} and became {change['status']}")
    for change in evidence.stage_changes:
        if change["was"] in FINAL_STAGE:
            where = stage_id(change["execution_id"], change["name"])
            yield Finding("finalChanged", f"{where} was {change['was']} and became {change['status']}")


def results_are_right(evidence: Evidence) -> Iterator[Finding]:
    """Every completed execution has the one result that its input leads to under its tenant's own templates."""
    adds = {tenant.name: tenant.adds for tenant in TENANTS}
    for row in evidence.executions.values():
        if row["status"] == "completed":
            value = orjson.loads(row["input"])["value"]
            right = expected(row["template"], value, adds[evidence.tenants[row["client_id"]]])
            if orjson.loads(row["result"]) != right:
                what = f"{row['result']:.100}, not {right!s:.100}"
                yield Finding("wrong", f"{row['execution_id']} of {row['template']}: {what}")


def failures_have_a_reason(evidence: Evidence) -> Iterator[Finding]:
    """I10: tries are bounded; nothing fails before they are used up, unless it lost as many workers as that takes."""
    for (execution_id, name), stage in evidence.stages.items():
        template = evidence.executions[execution_id]["template"]
        most = POISON_ATTEMPTS if template == POISON else MOST_ATTEMPTS
        where = stage_id(execution_id, name)
        if stage["attempt"] > most:
            yield Finding("attempts", f"{where} is at attempt {stage['attempt']} of {most}")
        if stage["status"] != "failed" or stage["attempt"] >= most:
            continue
        lost_with = {worker for worker, _ in orjson.loads(stage["losses"] or b"[]")}
        is_dead_letter = _code(stage) == FailureCode.POISON and len(lost_with) >= _POISONS
        if not (is_dead_letter or (template == BRAG and too_large(stage))):
            what = f"at attempt {stage['attempt']} of {most}, lost with {sorted(lost_with)}: {stage['error']}"
            yield Finding("attempts", f"{where} failed {what}")


def _code(stage: Row) -> str | None:
    code: str | None = None if stage["error"] is None else orjson.loads(stage["error"])["code"]
    return code


def too_large(stage: Row) -> bool:
    """Whether the stage failed for the size of its result."""
    return stage["status"] == "failed" and _code(stage) == FailureCode.RESULT_TOO_LARGE


def cancels_hold(evidence: Evidence) -> Iterator[Finding]:
    """I8: after an acknowledged cancel nothing is offered and nothing committed.

    One that is left for the driver to find (202) is found soon: what goes on for long after it was never found.
    """
    completed: defaultdict[str, list[float]] = defaultdict(list)
    for change in evidence.stage_changes:
        if change["status"] == "completed" and change["was"] != "completed":
            completed[change["execution_id"]].append(change["at"].timestamp())
    for intent in evidence.intents("cancel"):
        if intent["outcome"] == "ack" and intent["status"] == 202:
            row, until = evidence.executions[intent["execution"]], intent["concluded"] + _FOUND_S
            if row["status"] in ("completed", "failed") and row["finished_at"].timestamp() > until:
                yield Finding("cancel", f"{row['execution_id']} went on for {_FOUND_S:g} s after its cancel was left")
        if not _was_carried_out(intent):
            continue
        execution_id, after = intent["execution"], intent["concluded"]
        if evidence.executions[execution_id]["status"] != "cancelled":
            yield Finding("cancel", f"{execution_id} was cancelled, and is not")
        if any(at > after for at in completed[execution_id]):
            yield Finding("cancel", f"a stage of {execution_id} was committed after its cancel was acknowledged")
        if any(at > after for at in _offers(evidence, execution_id)):
            yield Finding("cancel", f"a stage of {execution_id} was offered after its cancel was acknowledged")


def pauses_hold(evidence: Evidence) -> Iterator[Finding]:
    """From an acknowledged pause to whatever its client asked for next, nothing is offered."""
    commands: defaultdict[str, list[Row]] = defaultdict(list)
    for intent in evidence.intents("cancel", "pause", "resume"):
        commands[intent["execution"]].append(intent)
    for execution_id, intents in commands.items():
        for pause in intents:
            if pause["intent"] != "pause" or not _was_carried_out(pause):
                continue
            until = min((one["at"] for one in intents if one["at"] > pause["at"]), default=pause["concluded"])
            if any(pause["concluded"] < at < until for at in _offers(evidence, execution_id)):
                yield Finding("pause", f"a stage of {execution_id} was offered after its pause was acknowledged")


def _was_carried_out(intent: Row) -> bool:
    """Acknowledged by the execution's own driver. A 202 says that it has been left for the driver to find."""
    return intent["outcome"] == "ack" and bool(intent["status"] == 200)


def _offers(evidence: Evidence, execution_id: str) -> list[float]:
    """When something of this execution was offered."""
    packets = evidence.packets.get(execution_id, ())
    return [datetime.fromisoformat(packet["at"]).timestamp() for packet in packets if packet["type"] == "offer"]


_CONVERSATION: Final = ("offer", "accept", "process", "result", "ack")


def record_is_whole(evidence: Evidence) -> Iterator[Finding]:
    """I11: the packets are in order, and tell the whole of every attempt whose result was taken."""
    for execution_id, packets in evidence.packets.items():
        numbers = [packet["seq"] for packet in packets]
        if any(first == second for first, second in pairwise(numbers)):
            yield Finding("record", f"{execution_id} has two packets of one number: {numbers}")
        if numbers and numbers[-1] > evidence.executions[execution_id]["sequence"]:
            yield Finding("record", f"{execution_id} has packets beyond its sequence")
    for (execution_id, name), stage in evidence.stages.items():
        # The stages that a retry keeps were done in the execution before it.
        if stage["status"] != "completed" or stage["settled_fence"] is None:
            continue
        kinds = [
            packet["type"]
            for packet in evidence.packets.get(execution_id, ())
            if packet["fence"] == stage["settled_fence"]
        ]
        # A worker may say a thing twice; what counts is when it was said first.
        if [kind for kind in dict.fromkeys(kinds) if kind in _CONVERSATION] != list(_CONVERSATION):
            yield Finding("record", f"{stage_id(execution_id, name)} is completed, its packets are {kinds}")


def one_worker_a_fence(evidence: Evidence) -> Iterator[Finding]:
    """I12: a fence names one offer to one worker, and nobody else ever began under it."""
    holders: dict[int, tuple[str, str, str]] = {}
    for execution_id, packets in evidence.packets.items():
        for packet in packets:
            holder = (execution_id, packet["stage"], packet["workerId"])
            if holders.setdefault(packet["fence"], holder) != holder:
                yield Finding("fence", f"fence {packet['fence']} is of {holders[packet['fence']]} and of {holder}")
    for entry in evidence.entries("begin"):
        known = holders.get(entry["fence"])
        began = (entry["execution"], stage_name(entry["execution"], entry["stage"]), entry["worker"])
        if known is not None and known != began:
            yield Finding("fence", f"{began} began under fence {entry['fence']}, which is of {known}")


def fans_in_once(evidence: Evidence) -> Iterator[Finding]:
    """I13: a stage that needs others is first offered when all of them are done."""
    for row in evidence.executions.values():
        for name, needs in NEEDS.get(row["template"], {}).items():
            packets = evidence.packets.get(row["execution_id"], ())
            offered = [packet["seq"] for packet in packets if packet["stage"] == name and packet["type"] == "offer"]
            if not offered:
                continue
            done = {
                packet["stage"]: packet["seq"]
                for packet in packets
                if packet["stage"] in needs and packet["type"] == "ack"
            }
            kept = row["retry_of"] is not None
            if (len(done) < len(needs) and not kept) or any(seq > offered[0] for seq in done.values()):
                yield Finding("fanIn", f"{row['execution_id']}.{name} was offered at {offered[0]}, its needs: {done}")


def progress_grows(evidence: Evidence) -> Iterator[Finding]:
    """I17: neither progress nor the sequence of what is told goes back."""
    for change in evidence.execution_changes:
        if change["progress"] < change["progress_was"] or change["sequence"] < change["sequence_was"]:
            yield Finding("progress", f"{dict(change)}")


def slots_are_kept(evidence: Evidence) -> Iterator[Finding]:
    """I6: of the attempts that a worker ended and that were taken, it never had more at once than slots.

    What was given up in between may run on at the worker, on top of these.
    """
    taken = {stage["settled_fence"] for stage in evidence.stages.values()}
    began: dict[tuple[str, int], float] = {}
    spans: dict[tuple[str, int], tuple[float, float]] = {}
    for entry in evidence.diary:
        if entry["event"] == "begin":
            began[entry["worker"], entry["fence"]] = entry["at"]
        elif entry["event"] == "end" and entry["fence"] in taken:
            # One that was asked for again by another owner may run and end twice; it has one slot.
            key = (entry["worker"], entry["fence"])
            if key in began and key not in spans:
                spans[key] = (began[key], entry["at"])
    edges: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for (worker_id, _), (start, end) in spans.items():
        edges[worker_id] += [(start, 1), (end, -1)]
    for worker_id, moments in edges.items():
        now = most = 0
        for _, step in sorted(moments):
            now += step
            most = max(most, now)
        if most > _LIVE_AT_ONCE[worker_id]:
            yield Finding("slots", f"{worker_id} had {most} attempts at once in {_LIVE_AT_ONCE[worker_id]} slots")


def tenants_are_apart(evidence: Evidence) -> Iterator[Finding]:
    """I14: what a tenant asked for is its own, in every row of it, and what it asked of another's is not there."""
    for intent in evidence.intents("submit", "retry"):
        row = evidence.executions.get(intent.get("execution") or "")
        if row is not None and evidence.tenants[row["client_id"]] != intent["tenant"]:
            yield Finding("tenant", f"{row['execution_id']} is not of {intent['tenant']}, who was told of it")
    for (execution_id, name), stage in evidence.stages.items():
        if stage["client_id"] != evidence.executions[execution_id]["client_id"]:
            yield Finding("tenant", f"{stage_id(execution_id, name)} is of another client than its execution")
    for intent in evidence.intents("pry"):
        if intent["outcome"] == "ack":
            yield Finding("tenant", f"{intent['tenant']} got at {intent['execution']} by {intent['path']}")


def lies_are_refused(evidence: Evidence) -> Iterator[Finding]:
    """No false result that was reported over HTTP was taken, and none that is too large.

    A 200 may say that the attempt's first result, the honest one, is committed: a home that keeps that for an owner
    elsewhere takes whatever comes after it for a repetition. Progress is another matter: who does not drive the
    execution cannot know how far it was.
    """
    first = {(stage_id(*key), stage["settled_fence"], stage["worker_id"]) for key, stage in evidence.stages.items()}
    for entry in evidence.entries("lieAnswered"):
        is_first = (entry["stage"], entry["fence"], entry["worker"]) in first
        if entry["verb"] == "complete" and 200 <= entry["status"] < 300 and not is_first:
            yield Finding("lie", f"{entry['worker']} lied by {entry['verb']} of {entry['stage']}: {entry['status']}")
    for entry in evidence.entries("boasted"):
        if entry["form"] == "report" and 200 <= entry["answer"] < 300:
            yield Finding("lie", f"{entry['worker']} reported far too much of {entry['stage']}: {entry['answer']}")


def streams_end(evidence: Evidence) -> Iterator[Finding]:
    """Every stream that was followed has ended, and with what the execution came to."""
    for intent in evidence.intents("watch"):
        row = evidence.executions.get(intent["execution"])
        if row is not None and row["status"] in FINAL and intent.get("ended") != row["status"]:
            what = f"ended with {intent.get('ended')}, the execution is {row['status']}"
            yield Finding("stream", f"the stream of {intent['execution']} {what}")


def nothing_unexpected_was_logged(evidence: Evidence) -> Iterator[Finding]:
    """I15: no orchestrator met an exception that it has no name for, or told a secret."""
    for line in evidence.faults_logged:
        yield Finding("log", line)


CHECKS: Final[tuple[Callable[[Evidence], Iterator[Finding]], ...]] = (
    lost,
    one_execution_a_key,
    committed_once,
    stuck,
    no_zombie_commits,
    final_is_final,
    results_are_right,
    failures_have_a_reason,
    cancels_hold,
    pauses_hold,
    record_is_whole,
    one_worker_a_fence,
    fans_in_once,
    progress_grows,
    slots_are_kept,
    tenants_are_apart,
    lies_are_refused,
    streams_end,
    nothing_unexpected_was_logged,
)


def findings_in(evidence: Evidence) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(evidence)]
