"""A short storm over the real processes, on every run of the suite; `scripts/torture` is the long one."""

from pathlib import Path

import pytest

from tests.torture.report import report_of
from tests.torture.torture import Torture, planned_storm

SEED = 1
STORM_S = 12.0


@pytest.mark.timeout(420)
async def test_whatever_is_killed_stopped_or_cut_nothing_acknowledged_is_lost_and_nothing_is_committed_twice(
    tmp_path: Path,
) -> None:
    verdict = await Torture(tmp_path, planned_storm(SEED, STORM_S)).run()

    assert verdict.holds, report_of(verdict, tmp_path)
