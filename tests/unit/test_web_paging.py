"""Cursors are taken back, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.web.paging import cursor_after, last_id_of
from orchestrator.web.refusal import Refused


@given(st.from_regex(r"[A-Za-z0-9_.:-]{1,200}", fullmatch=True))
def test_a_cursor_stands_for_the_id_that_it_was_made_of(last_id: str) -> None:
    assert last_id_of(cursor_after(last_id)) == last_id


@given(st.text(max_size=400))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        taken = cursor_after(last_id_of(text))
    except Refused:
        taken = None

    assert taken in (None, text)


@pytest.mark.parametrize("cursor", ["", "====", "exec_1", "ZXhlY18x=", "AAAA", "w6Q", "ZXhlY18x\n", "\udcff"])
def test_near_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(Refused) as caught:
        last_id_of(cursor)

    assert (caught.value.status, caught.value.code) == (400, "bad_cursor")
