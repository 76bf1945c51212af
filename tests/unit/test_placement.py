"""Which worker is asked, and what is said of those that are not."""

import pytest

from orchestrator.core.placement import Candidate, Refusal, choose, objection
from orchestrator.core.standing import GOOD, Offence

NOW = 100.0


def a_worker(worker_id: str = "w", slots: int = 4, free: int = 4, **facts: object) -> Candidate:
    return Candidate(worker_id, frozenset({"work"}), slots, free, **facts)  # type: ignore[arg-type]


def chosen(*workers: Candidate, refused: dict[str, Refusal] | None = None) -> str | None:
    worker = choose(workers, "work", "exec_1", refused or {}, NOW)
    return worker.worker_id if worker else None


def test_the_worker_that_is_expected_to_finish_first_is_asked() -> None:
    slow, fast = a_worker("slow", expected_ms={"work": 900.0}), a_worker("fast", expected_ms={"work": 100.0})

    assert chosen(slow, fast) == "fast"


def test_among_equals_the_emptier_worker_is_asked() -> None:
    assert chosen(a_worker("full", free=1), a_worker("empty", free=3)) == "empty"


def test_of_workers_that_are_about_as_fast_the_emptier_one_is_asked() -> None:
    full, empty = a_worker("full", free=1), a_worker("empty", free=3)
    full.expected_ms, empty.expected_ms = {"work": 100.0}, {"work": 149.0}

    assert chosen(full, empty) == "empty"


def test_of_equally_empty_workers_the_faster_one_is_asked() -> None:
    assert chosen(a_worker("a", expected_ms={"work": 110.0}), a_worker("b", expected_ms={"work": 100.0})) == "b"


def test_a_worker_that_nobody_knows_the_speed_of_is_tried() -> None:
    assert chosen(a_worker("known", expected_ms={"work": 10.0}), a_worker("new")) == "new"


def test_nobody_is_asked_where_nobody_can_be() -> None:
    assert chosen(a_worker(free=0)) is None
    assert chosen() is None


@pytest.mark.parametrize(
    ("worker", "refusal"),
    [
        (a_worker(connected=False), Refusal("unreachable", "is not connected")),
        (a_worker(draining=True), Refusal("draining", "takes no new work")),
        (a_worker(free=0), Refusal("busy", "all 4 slots are taken")),
        (
            a_worker(one_stage_of_an_execution=True, executions={"exec_1": 1}),
            Refusal("busy", "takes one stage of an execution at a time"),
        ),
        (a_worker(refusals={"work": Refusal("busy", "later", NOW + 1)}), Refusal("busy", "later", NOW + 1)),
        (Candidate("w", frozenset({"other"}), 1, 1), Refusal("unsupported", "does not offer work")),
        (a_worker(), None),
        (a_worker(refusals={"work": Refusal("busy", "then", NOW - 1)}), None),
        (a_worker(one_stage_of_an_execution=True, executions={"exec_2": 1}), None),
    ],
)
def test_each_worker_that_is_not_asked_has_its_reason(worker: Candidate, refusal: Refusal | None) -> None:
    assert objection(worker, "work", "exec_1", {}, NOW) == refusal


def test_a_worker_that_refused_this_stage_is_not_asked_again_before_its_time() -> None:
    refusal = Refusal("too_large", "too many pages", NOW + 5)

    assert chosen(a_worker("w"), a_worker("x"), refused={"w": refusal}) == "x"
    assert objection(a_worker("w"), "work", "exec_1", {"w": refusal}, NOW) == refusal
    assert objection(a_worker("w"), "work", "exec_1", {"w": refusal}, NOW + 6) is None


def test_a_worker_in_bad_standing_is_asked_only_where_no_other_can_be() -> None:
    liar = a_worker("liar", expected_ms={"work": 1.0}, standing=GOOD.after(Offence.UNKNOWN_FENCE, NOW))
    slow, full = a_worker("slow", free=1, expected_ms={"work": 900.0}), a_worker("slow", free=0)

    assert (chosen(liar, slow), chosen(liar, full)) == ("slow", "liar")


def test_a_worker_that_was_lost_with_the_stage_is_asked_for_it_last() -> None:
    lost, other = a_worker("lost"), a_worker("other", free=1)
    askable = [choose(workers, "work", "exec_1", {}, NOW, {"lost"}) for workers in ((lost, other), (lost,))]

    assert askable == [other, lost]


def test_a_worker_that_rests_is_asked_for_nothing_until_its_time() -> None:
    rest = Refusal("restarting", "was started anew 3 times", NOW + 1)
    worker = a_worker(resting=rest)

    assert objection(worker, "work", "exec_1", {}, NOW) == rest
    assert objection(worker, "work", "exec_1", {}, NOW + 1) is None
