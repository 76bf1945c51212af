"""Results without an ack: which are due, and when."""

from protocol.packets import Result
from workers.kit.backoff import Backoff
from workers.kit.outbox import Outbox
from workers.kit.outgoing import FRAME_BYTES, Outgoing


class NoJitter:
    def uniform(self, a: float, b: float, /) -> float:
        return b


class MostJitter:
    def uniform(self, a: float, b: float, /) -> float:
        return a


def result(stage: str) -> Result:
    return Result(execution_id="e", stage_id=stage, fence=1, status="completed")


def outbox_with(*stages: str) -> Outbox:
    outbox = Outbox(Backoff(first_s=2, cap_s=10), NoJitter())
    for stage in stages:
        outbox.put(("e", stage, 1), result(stage), now=0)
    return outbox


def test_a_wait_doubles_with_every_failure_up_to_the_cap() -> None:
    backoff = Backoff(first_s=0.2, cap_s=1)

    assert [backoff.delay_s(failures, NoJitter()) for failures in (1, 2, 3, 4, 10_000)] == [0.2, 0.4, 0.8, 1, 1]


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    assert Backoff(first_s=0.2, cap_s=1).delay_s(2, MostJitter()) == 0.2


def test_a_large_result_has_a_second_more_for_each_mebibyte_to_arrive() -> None:
    outbox = Outbox(Backoff(first_s=2, cap_s=10), NoJitter())
    outbox.put(("e", "large", 1), result("large"), now=0, size_bytes=50 * 1024**2)

    assert (outbox.due(51.9), outbox.due(52)) == ([], [result("large")])
    assert (outbox.due(105.9), outbox.due(106)) == ([], [result("large")])


def test_a_result_is_due_when_its_ack_has_not_come_in_time_and_then_after_twice_that() -> None:
    outbox = outbox_with("s")

    assert [now for now in range(20) if outbox.due(now)] == [2, 6, 14]


def test_an_acked_result_is_never_due_again() -> None:
    outbox = outbox_with("a", "b")

    assert outbox.remove(("e", "a", 1))
    assert not outbox.remove(("e", "a", 1))
    assert outbox.due(now=100) == [result("b")]


def test_a_new_link_gets_everything_in_the_order_in_which_it_ended() -> None:
    outbox = outbox_with("c", "a", "b")

    assert outbox.all_again(now=1) == [result("c"), result("a"), result("b")]
    assert outbox.due(now=4) == []


def test_a_result_that_is_asked_for_is_sent_again_at_once() -> None:
    outbox = outbox_with("a")

    assert outbox.again(("e", "a", 1), now=0) == result("a")
    assert outbox.again(("e", "b", 1), now=0) is None


async def test_whatever_has_gathered_leaves_as_one_frame() -> None:
    outgoing = Outgoing()
    outgoing.open()
    for packet in (b"1", b"2", b"3"):
        outgoing.put(packet)

    assert await outgoing.frame() == b"[1,2,3]"


async def test_a_frame_ends_before_it_grows_too_large_but_holds_at_least_one_packet() -> None:
    outgoing = Outgoing()
    outgoing.open()
    large = b'"' + b"x" * FRAME_BYTES + b'"'
    for packet in (b"1", large, b"2"):
        outgoing.put(packet)

    assert [await outgoing.frame() for _ in range(3)] == [b"[1]", b"[" + large + b"]", b"[2]"]


async def test_nothing_waits_for_a_link_that_is_down() -> None:
    outgoing = Outgoing()
    outgoing.put(b"before")
    outgoing.open()
    outgoing.put(b"lost with the link")
    outgoing.close()
    outgoing.open()
    outgoing.put(b"1")

    assert await outgoing.frame() == b"[1]"
