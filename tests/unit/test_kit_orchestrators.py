"""Which replica of the orchestrator a worker turns to."""

from yarl import URL

from workers.kit.orchestrators import Orchestrators

A, B, C = (URL(f"http://{name}:8080") for name in "abc")


def test_the_first_that_was_given_is_the_one_to_begin_with() -> None:
    assert Orchestrators([A, B]).current == A


def test_one_that_fails_makes_room_for_the_next_and_after_the_last_the_first_is_tried_again() -> None:
    ring = Orchestrators([A, B])

    tried = []
    for _ in range(3):
        ring.turn()
        tried.append(ring.current)

    assert tried == [B, A, B]


def test_those_that_a_replica_tells_of_come_after_those_that_were_given() -> None:
    ring = Orchestrators([A])
    ring.learn([str(C), str(A)])

    ring.turn()

    assert ring.current == C


def test_the_one_at_hand_is_not_forgotten_before_it_fails() -> None:
    ring = Orchestrators([A])
    ring.learn([str(B)])
    ring.turn()
    ring.learn([str(C)])
    at_hand = ring.current

    ring.turn()
    ring.learn([str(C)])
    tried = []
    for _ in range(3):
        ring.turn()
        tried.append(ring.current)

    assert at_hand == B
    assert tried == [C, A, C]


def test_a_single_one_is_tried_again_and_again() -> None:
    ring = Orchestrators([A])

    ring.turn()

    assert ring.current == A
