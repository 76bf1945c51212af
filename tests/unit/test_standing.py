"""Offences are counted and fade, and a worker's standing follows from what is left of them."""

from orchestrator.core.standing import GOOD, HALF_LIFE_SECONDS, Offence, standing_document


def test_an_offence_is_counted_by_its_kind() -> None:
    standing = GOOD
    for offence in (Offence.UNKNOWN_FENCE, Offence.SECOND_RESULT, Offence.UNKNOWN_FENCE):
        standing = standing.after(offence, 0.0)

    assert standing_document(standing, 0.0) == {"demerit": 2, "offences": {"unknown_fence": 2, "second_result": 1}}


def test_the_demerit_grows_by_one_with_each_doubling() -> None:
    standing, demerits = GOOD, [GOOD.demerit(0.0)]
    for _ in range(8):
        standing = standing.after(Offence.NOT_ACCEPTED, 0.0)
        demerits.append(standing.demerit(0.0))

    assert demerits == [0, 1, 2, 2, 3, 3, 3, 3, 4]


def test_what_counts_fades_and_what_was_seen_is_not_forgotten() -> None:
    standing = GOOD
    for _ in range(4):
        standing = standing.after(Offence.PROGRESS_FELL, 0.0)

    demerits = [standing.demerit(lives * HALF_LIFE_SECONDS) for lives in range(5)]

    assert demerits == [3, 2, 1, 0, 0]
    assert standing_document(standing, 5 * HALF_LIFE_SECONDS)["offences"] == {"progress_fell": 4}
