"""The plan of a storm: all of it from the seed, every fault in it, readable again."""

from pathlib import Path

import pytest

from tests.torture.faults import ESSENTIAL, LANES, LEAST, Fault
from tests.torture.schedule import Schedule
from tests.torture.torture import planned_storm


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert planned_storm(7, 60.0) == planned_storm(7, 60.0)
    assert planned_storm(7, 60.0).faults != planned_storm(8, 60.0).faults


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_of_a_minute_has_every_fault_there_is(seed: int) -> None:
    assert set(planned_storm(seed, 60.0).planned()) == set(Fault)


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_of_seconds_has_the_essential_faults_of_each_lane_and_some_that_chance_draws(seed: int) -> None:
    planned = planned_storm(seed, 10.0).planned()

    for lane, faults in LANES.items():
        assert set(faults[: ESSENTIAL[lane]]) <= set(planned)
        assert sum(planned[fault] for fault in faults) == LEAST[lane]


def test_every_fault_is_in_exactly_one_lane() -> None:
    assert sorted(fault for faults in LANES.values() for fault in faults) == sorted(Fault)


def test_a_plan_that_was_kept_can_be_replayed(tmp_path: Path) -> None:
    schedule = planned_storm(7, 60.0)
    kept = tmp_path / "schedule.json"
    kept.write_bytes(schedule.encoded())

    assert Schedule.read(kept) == schedule
