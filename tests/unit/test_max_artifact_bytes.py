"""How large an artifact may be, as the environment says it."""

import pytest

from orchestrator.settings import MAX_ARTIFACT_BYTES, SettingRefused, max_artifact_bytes


def test_a_gibibyte_is_taken_unless_the_environment_says_otherwise() -> None:
    assert max_artifact_bytes({}) == MAX_ARTIFACT_BYTES == 1024**3
    assert max_artifact_bytes({"BATON_MAX_ARTIFACT_BYTES": "5000"}) == 5000


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "lots", "²", str(2**40 + 1)])
def test_what_is_no_number_of_bytes_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SettingRefused, match="BATON_MAX_ARTIFACT_BYTES is"):
        max_artifact_bytes({"BATON_MAX_ARTIFACT_BYTES": text})
