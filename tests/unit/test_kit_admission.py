"""The worker's side of the handshake: which offers are taken, and that a slot is never given twice."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from protocol.attempt import AttemptState
from protocol.errors import RefusalCode
from protocol.packets import Accept, Offer, Reject, Resources, Result
from workers.kit import ActionError, Estimate, Refuse, Worker
from workers.kit.admission import Admission
from workers.kit.attempts import Attempt, Attempts, Origin, StopReason
from workers.kit.learning import Amounts, Experience, Lesson, Lessons

GRACE_S = 1.0


class Text(BaseModel):
    text: str


def weigh(given: Text) -> Estimate:
    match given.text:
        case "expensive":
            raise Refuse("over_budget", "that costs too much", retry_after_ms=5000)
        case "forbidden":
            raise Refuse("policy", "not here")
        case "hopeless":
            raise ActionError("hopeless", "no worker can do that")
        case "broken":
            raise ZeroDivisionError("a mistake of the author's")
    return Estimate(ms=2000, tokens=7, cost_usd=0.25, memory_mb=64, cpu=0.5, api_calls=2)


worker = Worker("tester")


@worker.action("shout", estimate=weigh)
async def shout(given: Text) -> str:
    return given.text


def admission(slots: int = 1, lessons: Lessons | None = None) -> tuple[Admission, Attempts]:
    attempts = Attempts(slots)
    return Admission("worker-1", worker.actions, attempts, GRACE_S, Experience(lessons or {})), attempts


def offer(stage: str = "s", text: Any = "hello", action: str = "shout", expires_ms: int = 5000) -> Offer:
    return Offer(
        execution_id="e",
        stage_id=stage,
        attempt=1,
        fence=1,
        action=action,
        input_data={"text": text},
        offer_expires_ms=expires_ms,
        lease_ms=30_000,
    )


def reject(stage: str, code: RefusalCode, reason: str, retry_after_ms: int | None = None) -> Reject:
    return Reject(
        execution_id="e",
        stage_id=stage,
        fence=1,
        worker_id="worker-1",
        code=code,
        reason=reason,
        retry_after_ms=retry_after_ms,
    )


def accepted(answer: Attempt | Reject) -> Attempt:
    assert isinstance(answer, Attempt)
    return answer


def test_an_accept_carries_the_whole_estimate_of_the_action() -> None:
    desk, _ = admission()

    attempt = accepted(desk.answer(offer(), Origin.LINK, now=0))

    needs = Resources.model_validate(
        {"estimated_tokens": 7, "cost_usd": "0.25", "memory": 64, "cpu": 0.5, "api_calls": 2}
    )
    assert attempt.answer == Accept(
        execution_id="e",
        stage_id="s",
        fence=1,
        worker_id="worker-1",
        estimated_completion_ms=2000,
        resource_requirements=needs,
    )


def test_what_was_learned_is_said_in_whole_milliseconds_and_tokens_and_billionths_of_a_dollar() -> None:
    a_third: Lesson = {(amount, True): (1 / 3,) for amount in Amounts._fields}
    desk, _ = admission(lessons={("shout", ""): a_third})

    said = accepted(desk.answer(offer(), Origin.LINK, now=0)).answer.document()

    assert (said["estimatedCompletionMs"], said["resourceRequirements"]) == (
        667,
        {"estimatedTokens": 2, "costUsd": 0.083333333, "memory": 64, "cpu": 0.5, "apiCalls": 2},
    )


def test_without_a_free_slot_an_offer_is_refused_until_the_shortest_estimate_has_passed() -> None:
    desk, attempts = admission()
    running = accepted(desk.answer(offer("first"), Origin.LINK, now=0))
    attempts.start(running, now=0)
    running.began_at = 10.0

    answer = desk.answer(offer("second"), Origin.LINK, now=11.5)

    assert answer == reject("second", RefusalCode.BUSY, "all 1 slots are taken", 500)


def test_the_same_offer_gets_the_same_accept_and_takes_one_slot() -> None:
    desk, attempts = admission(slots=2)

    first = desk.answer(offer(), Origin.LINK, now=0)
    again = desk.answer(offer(), Origin.LINK, now=1)

    assert again is first
    assert attempts.free(now=1) == 1


def test_the_same_offer_gets_the_same_refusal_even_when_a_slot_has_become_free() -> None:
    desk, attempts = admission()
    taken = accepted(desk.answer(offer("first"), Origin.LINK, now=0))
    refused = desk.answer(offer("second"), Origin.LINK, now=0)
    attempts.withdraw(taken)

    assert isinstance(refused, Reject)
    assert desk.answer(offer("second"), Origin.LINK, now=1) is refused
    assert isinstance(desk.answer(offer("third"), Origin.LINK, now=1), Attempt)


def test_a_refusal_is_forgotten_when_its_offer_has_expired() -> None:
    desk, attempts = admission()
    taken = accepted(desk.answer(offer("first"), Origin.LINK, now=0))
    desk.answer(offer("second"), Origin.LINK, now=0)
    attempts.withdraw(taken)

    assert isinstance(desk.answer(offer("second"), Origin.LINK, now=6), Attempt)


def test_a_slot_that_is_not_started_is_free_again_after_the_offer_and_the_grace_have_passed() -> None:
    desk, attempts = admission()
    desk.answer(offer(expires_ms=5000), Origin.LINK, now=0)

    assert attempts.free(now=5.9) == 0
    assert attempts.free(now=6.0) == 1


def test_a_slot_that_is_started_does_not_expire() -> None:
    desk, attempts = admission()
    attempts.start(accepted(desk.answer(offer(expires_ms=5000), Origin.LINK, now=0)), now=0)

    assert attempts.free(now=1_000_000) == 0


def test_an_unknown_action_is_refused_as_unsupported() -> None:
    desk, _ = admission()

    answer = desk.answer(offer(action="whisper"), Origin.LINK, now=0)

    assert answer == reject("s", RefusalCode.UNSUPPORTED, "no action whisper here, only shout")


def test_a_draining_worker_refuses_what_is_new_and_stands_by_what_it_accepted() -> None:
    desk, _ = admission(slots=2)
    held = desk.answer(offer("held"), Origin.LINK, now=0)
    desk.draining = True

    assert desk.answer(offer("held"), Origin.LINK, now=1) is held
    assert desk.answer(offer("new"), Origin.LINK, now=1) == reject(
        "new", RefusalCode.DRAINING, "this worker is shutting down"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [(1, "text: Input should be a valid string"), ("hopeless", "no worker can do that")],
)
def test_an_input_that_can_never_succeed_is_refused_as_such_and_takes_no_slot(text: Any, reason: str) -> None:
    desk, attempts = admission()

    answer = desk.answer(offer(text=text), Origin.LINK, now=0)

    assert answer == reject("s", RefusalCode.INVALID_INPUT, reason)
    assert attempts.free(now=0) == 1


def test_an_estimate_may_refuse_with_a_code_and_a_time_to_ask_again() -> None:
    desk, _ = admission()

    answer = desk.answer(offer(text="expensive"), Origin.HTTP, now=0)

    assert answer == reject("s", RefusalCode.OVER_BUDGET, "that costs too much", 5000)


def test_an_estimate_that_breaks_refuses_its_offer_and_says_why() -> None:
    desk, _ = admission()

    answer = desk.answer(offer(text="broken"), Origin.LINK, now=0)

    assert answer == reject(
        "s",
        RefusalCode.POLICY,
        "the offer could not be weighed: ZeroDivisionError: a mistake of the author's",
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "offer", "start", "end", "cancel", "stale", "pass"]),
        st.integers(0, 5),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, slots=st.integers(1, 3))
def test_no_history_holds_more_attempts_than_slots_or_answers_one_offer_in_two_ways(
    steps: list[tuple[str, int]], slots: int
) -> None:
    desk, attempts = admission(slots)
    said: dict[str, tuple[float, Attempt | Reject]] = {}
    now = 0.0
    for step, number in steps:
        stage = f"s{number}"
        attempt = attempts.find(("e", stage, 1))
        match step:
            case "offer":
                answer = desk.answer(offer(stage), Origin.LINK, now)
                said_at, before = said.get(stage, (now, answer))
                if now - said_at < 5:
                    assert answer == before
                said[stage] = (said_at if answer is before else now, answer)
            case "start" if attempt and attempt.state is AttemptState.ACCEPTED:
                attempts.start(attempt, now)
            case "end" if attempt and attempt.state is AttemptState.RUNNING:
                attempts.end(attempt, Result(execution_id="e", stage_id=stage, fence=1, status="completed"))
            case "cancel" if attempt and attempt.state in (AttemptState.ACCEPTED, AttemptState.RUNNING):
                attempts.stop(attempt, StopReason.CANCELLED)
                attempts.end(attempt, Result(execution_id="e", stage_id=stage, fence=1, status="cancelled"))
            case "stale" if attempt and attempt.state in (AttemptState.ACCEPTED, AttemptState.RUNNING):
                attempts.stop(attempt, StopReason.STALE)
                attempts.drop(attempt)
                said.pop(stage)
            case "pass":
                now += number
        assert 0 <= attempts.free(now) <= slots
        assert len(list(attempts.live())) == slots - attempts.free(now)
