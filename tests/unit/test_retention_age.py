"""How long what is over is kept, as the environment says it."""

from datetime import timedelta

import pytest

from orchestrator.settings import SettingRefused, retention_age


def test_it_is_thirty_days_unless_the_environment_says_otherwise_and_nought_is_for_ever() -> None:
    assert retention_age({}) == timedelta(days=30)
    assert retention_age({"BATON_RETENTION_DAYS": "7"}) == timedelta(days=7)
    assert retention_age({"BATON_RETENTION_DAYS": "0"}) is None


@pytest.mark.parametrize("text", ["", "-1", "1.5", "for ever", "²", "36501"])
def test_what_is_no_number_of_days_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SettingRefused, match="BATON_RETENTION_DAYS is"):
        retention_age({"BATON_RETENTION_DAYS": text})
