"""From a fault to what shows that the system is over it: what is counted, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.torture.evidence import Row
from tests.torture.faults import Fault
from tests.torture.recovery import recoveries
from tests.torture.storm import Wound
from tests.torture.test_checks import FENCE, a_change, sound

AT = datetime(2026, 1, 1, tzinfo=UTC)
KILLED = Wound(Fault.KILL_WORKER_MID_PROCESS, "good-1", AT.timestamp(), stages=(("e", "only", FENCE),))


def a_later_change(status: str, settled_fence: int | None, fence: int | None = FENCE) -> Row:
    return a_change(at=AT + timedelta(seconds=2), status=status, settled_fence=settled_fence, fence=fence)


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        (a_later_change("ready", FENCE, None), [2.0]),
        (a_later_change("running", None, FENCE + 1), [2.0]),
        (a_later_change("completed", FENCE), []),
        (a_later_change("failed", FENCE), []),
    ],
)
def test_an_attempt_that_was_hurt_has_come_back_when_it_is_given_up_and_none_that_went_on_has(
    change: Row, seconds: list[float]
) -> None:
    evidence = replace(sound(), stage_changes=(change,))

    assert [recovery.seconds for recovery in recoveries([KILLED], evidence, {})] == seconds


def test_a_path_has_come_back_with_the_first_that_goes_by_it() -> None:
    cut = Wound(Fault.KILL_POSTGRES, "database", AT.timestamp(), event="commit", link="database")
    times = {("commit", "database"): [AT.timestamp() - 1, AT.timestamp() + 3]}

    assert [recovery.seconds for recovery in recoveries([cut], sound(), times)] == [3.0]
