"""The checks see what they are there to see: each is given evidence with one thing wrong in it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests.torture.checks import Finding, findings_in
from tests.torture.evidence import Evidence
from tests.torture.tenants import FIRST, SECOND
from tests.torture.workload import BRAG, SINGLE

FENCE = 1 << 32 | 1
AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_packet(kind: str, seq: int, fence: int = FENCE, worker: str = "good-1") -> dict[str, Any]:
    return {"stage": "only", "type": kind, "seq": seq, "fence": fence, "workerId": worker, "at": "2026-01-01T00:00:00Z"}


def an_execution(**fields: Any) -> dict[str, Any]:
    given = {"value": 1, "ms": 1, "key": "k"}
    row = {"execution_id": "e", "client_id": "c", "template": SINGLE, "status": "completed", "owner": None}
    return {
        **row,
        "retry_of": None,
        "finished_at": AT,
        "input": orjson.dumps(given),
        "result": "2",
        "sequence": 9,
        **fields,
    }


def a_stage(**fields: Any) -> dict[str, Any]:
    result = orjson.dumps({"value": 2, "fence": FENCE, "by": "good-1"})
    row = {"client_id": "c", "status": "completed", "attempt": 1, "settled_fence": FENCE, "worker_id": "good-1"}
    return {**row, "error": None, "losses": None, "result": result, **fields}


def a_change(**fields: Any) -> dict[str, Any]:
    return {"execution_id": "e", "name": "only", "was": "running", "status": "completed", "at": AT, **fields}


def a_submission(**fields: Any) -> dict[str, Any]:
    intent = {
        "intent": "submit",
        "tenant": FIRST.name,
        "key": "k",
        "outcome": "ack",
        "status": 202,
        "execution": "e",
        "at": 0.0,
    }
    return {**intent, "concluded": 1.0, **fields}


def sound() -> Evidence:
    """One execution of one stage, done as it should be."""
    return Evidence(
        executions={"e": an_execution()},
        stages={("e", "only"): a_stage()},
        execution_changes=(),
        stage_changes=(a_change(),),
        packets={
            "e": [a_packet(kind, seq) for seq, kind in enumerate(("offer", "accept", "process", "result", "ack"))]
        },
        ledger=(a_submission(),),
        diary=(),
        tenants={"c": FIRST.name, "d": SECOND.name},
        gone=(),
        logged=Counter(),
        errors=Counter(),
        offences=Counter(),
        faults_logged=(),
    )


def kinds(evidence: Evidence) -> set[str]:
    return {finding.kind for finding in findings_in(evidence)}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert findings_in(sound()) == []


def test_an_acknowledged_execution_that_is_not_there_is_lost() -> None:
    evidence = replace(sound(), ledger=(a_submission(), a_submission(key="other", execution="gone")))
    assert findings_in(evidence) == [Finding("lost", "gone was acknowledged to other and is not there")]


def test_a_key_that_made_two_executions_has_duplicated_one() -> None:
    second = {"second": an_execution(execution_id="second", status="failed")}
    assert kinds(replace(sound(), executions={**sound().executions, **second})) == {"duplicated"}


def test_a_stage_that_became_completed_twice_was_duplicated() -> None:
    assert kinds(replace(sound(), stage_changes=(a_change(), a_change()))) == {"duplicated"}


def test_an_execution_that_has_not_ended_is_stuck() -> None:
    evidence = replace(
        sound(), executions={"e": an_execution(status="running", result=None)}, stages={}, stage_changes=()
    )
    assert kinds(evidence) == {"stuck"}


@pytest.mark.parametrize(
    "result", [{"value": 2, "fence": FENCE + 1, "by": "good-1"}, {"value": 2, "fence": FENCE, "by": "zombie-1"}]
)
def test_a_result_that_was_made_under_another_fence_or_by_another_worker_is_a_zombies(result: dict[str, Any]) -> None:
    assert kinds(replace(sound(), stages={("e", "only"): a_stage(result=orjson.dumps(result))})) == {"zombieCommits"}


def test_a_result_of_an_attempt_that_was_followed_by_another_offer_is_a_zombies() -> None:
    packets = [*sound().packets["e"], a_packet("offer", 8, FENCE + 1, "good-2")]
    assert kinds(replace(sound(), packets={"e": packets})) == {"zombieCommits"}


def test_a_change_of_what_was_final_is_found() -> None:
    assert kinds(replace(sound(), stage_changes=(a_change(was="failed", status="ready"),))) == {"finalChanged"}


def test_a_wrong_result_is_found() -> None:
    assert kinds(replace(sound(), executions={"e": an_execution(result="3")})) == {"wrong"}


def test_a_failure_before_the_tries_are_used_up_is_found() -> None:
    evidence = replace(
        sound(),
        executions={"e": an_execution(status="failed")},
        stages={("e", "only"): a_stage(status="failed", result=None, settled_fence=None)},
    )
    assert kinds(evidence) == {"attempts"}


def test_a_stage_that_lost_every_worker_may_fail_before_its_tries_are_used_up() -> None:
    assert findings_in(a_dead_letter("good-1", "good-2", "victim-1")) == []


def test_a_stage_that_was_given_up_as_poison_before_it_lost_three_workers_is_found() -> None:
    assert kinds(a_dead_letter("good-1", "good-2", "good-2")) == {"attempts"}


def a_dead_letter(*lost: str) -> Evidence:
    error = orjson.dumps({"code": "poison", "message": "every worker that took it was lost"})
    losses = orjson.dumps([[worker, "its lease ended"] for worker in lost])
    stage = a_stage(status="failed", attempt=3, result=None, settled_fence=None, error=error, losses=losses)
    return replace(sound(), executions={"e": an_execution(status="failed")}, stages={("e", "only"): stage})


@pytest.mark.parametrize(("template", "found"), [(BRAG, set()), (SINGLE, {"attempts"})])
def test_a_result_that_is_too_large_fails_the_stage_of_a_braggart_and_no_other(template: str, found: set[str]) -> None:
    error = orjson.dumps({"code": "result_too_large", "message": "the document has 100000000 bytes"})
    stage = a_stage(status="failed", result=None, settled_fence=None, error=error)
    failed = an_execution(status="failed", template=template)
    assert kinds(replace(sound(), executions={"e": failed}, stages={("e", "only"): stage})) == found


def test_a_commit_after_an_acknowledged_cancel_is_found() -> None:
    cancel = {"intent": "cancel", "execution": "e", "outcome": "ack", "status": 200, "at": 1.0, "concluded": 2.0}
    assert kinds(replace(sound(), ledger=(a_submission(), cancel))) == {"cancel"}


@pytest.mark.parametrize(("seconds", "found"), [(10.0, set()), (100.0, {"cancel"})])
def test_a_cancel_that_was_left_for_the_driver_and_never_found_is_found(seconds: float, found: set[str]) -> None:
    left = {"intent": "cancel", "execution": "e", "outcome": "ack", "status": 202, "at": 1.0}
    left |= {"concluded": AT.timestamp() - seconds}
    assert kinds(replace(sound(), ledger=(a_submission(), left))) == found


def test_a_record_without_the_ack_of_what_was_committed_is_found() -> None:
    assert kinds(replace(sound(), packets={"e": sound().packets["e"][:-1]})) == {"record"}


def test_an_attempt_that_somebody_else_began_is_found() -> None:
    begun = {"event": "begin", "worker": "good-2", "execution": "e", "stage": "e.only", "fence": FENCE, "at": 1.0}
    assert kinds(replace(sound(), diary=(begun,))) == {"fence"}


def test_progress_that_fell_is_found() -> None:
    fell = {"execution_id": "e", "was": "running", "progress_was": 50, "progress": 40, "sequence_was": 1, "sequence": 2}
    assert kinds(replace(sound(), execution_changes=(fell,))) == {"progress"}


def test_more_attempts_at_once_than_slots_are_found_and_one_that_was_asked_for_twice_counts_once() -> None:
    def entry(event: str, fence: int, at: float) -> dict[str, Any]:
        return {"event": event, "worker": "zombie-1", "execution": "e", "stage": "e.only", "fence": fence, "at": at}

    stages = {("e", f"s{fence}"): a_stage(status="failed", attempt=12, settled_fence=fence) for fence in (1, 2)}
    twice = (entry("begin", 1, 1.0), entry("begin", 1, 2.0), entry("end", 1, 3.0), entry("end", 1, 4.0))
    beside = (entry("begin", 1, 1.0), entry("begin", 2, 2.0), entry("end", 1, 3.0), entry("end", 2, 4.0))

    assert kinds(replace(sound(), stages=stages, diary=twice)) == set()
    assert kinds(replace(sound(), stages=stages, diary=beside)) == {"slots"}


def test_a_payload_that_is_not_where_it_should_be_is_lost() -> None:
    assert kinds(replace(sound(), gone=("the result of e is not under 00",))) == {"lost"}


def test_a_key_of_one_tenant_is_not_the_same_key_of_another() -> None:
    neighbours = an_execution(execution_id="n", client_id="d", result=str(2 + SECOND.adds))
    asked = a_submission(tenant=SECOND.name, execution="n")
    assert (
        findings_in(
            replace(sound(), executions={**sound().executions, "n": neighbours}, ledger=(a_submission(), asked))
        )
        == []
    )


def test_an_execution_by_another_tenants_template_is_wrong() -> None:
    neighbours = an_execution(client_id="d")
    asked = a_submission(tenant=SECOND.name)
    stages = {("e", "only"): a_stage(client_id="d")}
    assert kinds(replace(sound(), executions={"e": neighbours}, stages=stages, ledger=(asked,))) == {"wrong"}


def test_an_execution_that_a_tenant_was_told_of_and_that_is_anothers_is_found() -> None:
    assert kinds(replace(sound(), ledger=(a_submission(tenant=SECOND.name),))) == {"tenant"}


def test_a_stage_of_another_client_than_its_execution_is_found() -> None:
    assert kinds(replace(sound(), stages={("e", "only"): a_stage(client_id="d")})) == {"tenant"}


def test_a_tenant_that_got_at_anothers_execution_is_found() -> None:
    pry = {"intent": "pry", "tenant": SECOND.name, "execution": "e", "path": "/packets", "outcome": "ack"}
    assert kinds(replace(sound(), ledger=(a_submission(), pry))) == {"tenant"}


@pytest.mark.parametrize(("status", "found"), [(409, set()), (422, set()), (200, {"lie"}), (202, {"lie"})])
def test_a_lie_that_was_taken_is_found(status: int, found: set[str]) -> None:
    lie = {"event": "lieAnswered", "worker": "liar-1", "verb": "complete", "stage": "e.only", "fence": FENCE}
    lie |= {"status": status}
    assert kinds(replace(sound(), diary=(lie,))) == found
    assert kinds(replace(sound(), diary=({**lie, "verb": "progress"},))) == set()
    # Of this one the first result was taken, and all of that is as it should be.
    assert kinds(replace(sound(), diary=({**lie, "worker": "good-1"},))) == set()


@pytest.mark.parametrize("ended", [{}, {"ended": None}, {"ended": "failed"}])
def test_a_stream_that_never_ended_or_ended_with_something_else_is_found(ended: dict[str, Any]) -> None:
    watch = {"intent": "watch", "tenant": FIRST.name, "execution": "e", "outcome": "ack", **ended}
    assert kinds(replace(sound(), ledger=(a_submission(), watch))) == {"stream"}


def test_packets_of_an_attempt_in_another_order_are_found() -> None:
    packets = [a_packet(kind, seq) for seq, kind in enumerate(("offer", "process", "accept", "result", "ack"))]
    assert kinds(replace(sound(), packets={"e": packets})) == {"record"}
