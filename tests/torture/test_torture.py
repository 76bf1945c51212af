"""A short storm over the real processes, on every run of the suite; `scripts/torture` is the long one."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.report import report_of
from tests.torture.torture import Torture, planned_storm

STORM_S = 10.0


@pytest.mark.timeout(420)
async def test_whatever_is_killed_stopped_or_cut_nothing_acknowledged_is_lost_and_nothing_is_committed_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    # What a seed plans is held by test_schedule.py. That every fault strikes and every rarity shows is asked of any
    # seed, so one that nobody has seen before shows more than one that has been seen a hundred times.
    seed = secrets.randbits(32)
    record_property("told", f"random seed {seed}: scripts/torture --seed {seed} --minutes {STORM_S / 60:g}")
    verdict = await Torture(tmp_path, planned_storm(seed, STORM_S)).run()

    assert verdict.holds, report_of(verdict, tmp_path)
