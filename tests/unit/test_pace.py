"""The intervals that the environment sets."""

import pytest

from orchestrator.dispatch.pace import Pace


def test_a_lease_is_fifteen_seconds_unless_the_environment_says_otherwise() -> None:
    assert Pace.from_environment({}) == Pace()
    assert Pace.from_environment({"BATON_LEASE_SECONDS": "6"}) == Pace(lease=6.0, heartbeat=2.0)


@pytest.mark.parametrize("text", ["soon", "", "0", "-5", "nan", "1e9"])
def test_a_lease_that_is_no_number_of_seconds_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(ValueError, match="BATON_LEASE_SECONDS is"):
        Pace.from_environment({"BATON_LEASE_SECONDS": text})
