"""The strict gate and the frames, rule by rule."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol.codec import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_RESULT_BYTES,
    decode_orchestrator_frame,
    decode_worker_frame,
    dumps,
    encode_frame,
    loads,
)
from protocol.errors import ProtocolError
from protocol.packets import Accept, Drain, Heartbeat, Progress, Result

MANY = 200_000


def nested(levels: int, *brackets: str) -> bytes:
    """So many levels, of these pairs of brackets in turn."""
    pairs = [brackets[level % len(brackets)].split() for level in range(levels)]
    return "".join([pair[0] for pair in pairs] + [pair[1] for pair in reversed(pairs)]).encode()


def refusal(read: Callable[[], Any]) -> tuple[str, str, str]:
    """Code, path and message of the error that `read` raises."""
    with pytest.raises(ProtocolError) as caught:
        read()
    return caught.value.code, caught.value.path, caught.value.message


def test_sizes_are_eight_mebibytes_for_a_document_and_sixty_four_for_what_carries_results() -> None:
    assert (MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES) == (8 * 1024**2, 64 * 1024**2)


def test_a_document_may_have_as_many_bytes_as_are_allowed() -> None:
    assert loads(b'"xxx"', max_bytes=5) == "xxx"


def test_a_document_with_one_byte_more_is_too_large() -> None:
    message = "the document has 5 bytes, 4 are allowed"

    assert refusal(lambda: loads(b'"xxx"', max_bytes=4)) == ("too_large", "", message)


def test_a_document_without_a_size_of_its_own_may_have_eight_mebibytes() -> None:
    padding = b" " * (MAX_DOCUMENT_BYTES - 1)

    assert loads(padding + b"1") == 1
    assert refusal(lambda: loads(padding + b"10"))[0] == "too_large"


def test_a_frame_may_have_sixty_four_mebibytes() -> None:
    padding = b" " * (MAX_RESULT_BYTES - 2)

    assert decode_worker_frame(padding + b"[]") == []
    assert refusal(lambda: decode_worker_frame(padding + b"[ ]"))[0] == "too_large"


@pytest.mark.parametrize("brackets", [("[ ]",), ('{"a": }',), ("[ ]", '{"a": }'), ('{"a": }', "[ ]")])
def test_sixty_four_levels_pass_and_sixty_five_do_not(brackets: tuple[str, ...]) -> None:
    def document(levels: int) -> bytes:
        return nested(levels, *brackets).replace(b'"a":}', b'"a":1}')

    assert loads(document(MAX_DEPTH)) is not None
    assert refusal(lambda: loads(document(MAX_DEPTH + 1))) == (
        "malformed_json",
        "",
        "nested deeper than 64 levels",
    )


def test_brackets_side_by_side_are_one_level() -> None:
    assert loads(b"[" + b"[],{}," * MANY + b"[]]") == [[], {}] * MANY + [[]]


@pytest.mark.parametrize("text", ["[" * 100, '"' + "{" * 100, "\\" * 3 + '"' + "[" * 100, '\\"' * 50 + "[" * 100])
def test_brackets_inside_of_text_are_text(text: str) -> None:
    assert loads(dumps([text])) == [text]


def test_brackets_after_an_escaped_quote_and_a_closed_text_count() -> None:
    assert refusal(lambda: loads(b'["\\"",' + nested(64, "[ ]") + b"]"))[0] == "malformed_json"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 65 + b'"' + b'\\"' * MANY, id="a text full of escaped quotes that never ends"),
        pytest.param(b"[" * 65 + b'"' + b"\\" * (2 * MANY), id="a text of backslashes that never ends"),
        pytest.param(b"[" * 65 + b'"' * (2 * MANY + 1), id="nothing but quotes"),
        pytest.param(b"[" * MANY + b"]" * MANY, id="brackets all the way down"),
        pytest.param(b'["' + b"\\" * (2 * MANY) + b'\\u0000"]', id="a long way to U+0000"),
    ],
)
def test_no_bytes_are_gone_over_again_and_again(data: bytes) -> None:
    """Each of these takes hours where the time grows with the square of the length."""
    assert refusal(lambda: loads(data))[0] == "malformed_json"


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**63, 0, -1])
def test_an_integer_of_sixty_four_bits_passes_exactly(number: int) -> None:
    assert loads(str(number).encode()) == number


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30, -(10**30)])
@pytest.mark.parametrize("document", ["{}", "[1,{}]", '[{},"1"]', "[[ {} ]]"])
def test_an_integer_beyond_sixty_four_bits_is_refused(number: int, document: str) -> None:
    data = document.replace("{}", str(number)).encode()

    assert refusal(lambda: loads(data)) == ("malformed_json", "", "an integer has more than 64 bits")


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ("100000000000000000000.5", 1e20),
        ("100000000000000000000e2", 1e22),
        ("1e-00000000000000000001", 0.1),
        ("1e+00000000000000000001", 10.0),
        ("0.00000000000000000000000001", 1e-26),
        ('"100000000000000000000"', "100000000000000000000"),
        ('"\\"100000000000000000000"', '"100000000000000000000'),
        ('{"100000000000000000000":1}', {"100000000000000000000": 1}),
    ],
)
def test_many_digits_are_no_integer_in_a_float_or_in_text(document: str, value: Any) -> None:
    assert loads(document.encode()) == value


@pytest.mark.parametrize("document", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "[1e999]"])
def test_numbers_that_are_none_or_have_no_end_are_refused(document: str) -> None:
    assert refusal(lambda: loads(document.encode()))[:2] == ("malformed_json", "")


@pytest.mark.parametrize("backslashes", [1, 3, 5])
def test_u0000_is_refused_where_an_odd_number_of_backslashes_makes_it_one(backslashes: int) -> None:
    document = b'"' + b"\\" * backslashes + b'u0000"'

    assert refusal(lambda: loads(document)) == ("malformed_json", "", "the character U+0000 is not allowed in text")


@pytest.mark.parametrize("backslashes", [2, 4])
def test_u0000_behind_an_escaped_backslash_is_text(backslashes: int) -> None:
    document = b'"' + b"\\" * backslashes + b'u0000"'

    assert loads(document) == "\\" * (backslashes // 2) + "u0000"


@pytest.mark.parametrize(
    "document", [b'"\\ud800"', b'"\\udc00"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b"\xff", b"\xef\xbb\xbf1", b""]
)
def test_what_is_not_utf_8_or_not_a_character_is_refused(document: bytes) -> None:
    assert refusal(lambda: loads(document))[:2] == ("malformed_json", "")


def test_of_a_name_that_stands_twice_the_last_one_counts() -> None:
    assert loads(b'{"a":1,"a":2}') == {"a": 2}


def test_json_goes_out_compact_and_in_utf_8() -> None:
    assert dumps({"a": [1, "é", None]}) == '{"a":[1,"é",null]}'.encode()


def test_a_frame_is_an_array_of_documents_in_order() -> None:
    accept = Accept(execution_id="e", stage_id="s", fence=1, estimated_completion_ms=5)

    assert encode_frame([accept, Drain()]) == (
        b'[{"type":"accept","executionId":"e","stageId":"s","fence":1,"estimatedCompletionMs":5},{"type":"drain"}]'
    )


def test_what_is_null_inside_a_result_goes_out_and_an_absent_field_does_not() -> None:
    result = Result(execution_id="e", stage_id="s", fence=1, status="completed", result={"a": None, "b": [None]})

    assert encode_frame([result]) == (
        b'[{"type":"result","executionId":"e","stageId":"s","fence":1,"status":"completed",'
        b'"result":{"a":null,"b":[null]},"metrics":{}}]'
    )


def test_a_frame_comes_in_as_packets_in_order() -> None:
    frame = b'[{"type":"heartbeat"},{"type":"progress","execution_id":"e","stageId":"s","fence":1,"progress":5}]'

    assert decode_worker_frame(frame) == [
        Heartbeat(),
        Progress(execution_id="e", stage_id="s", fence=1, progress=5),
    ]


def test_the_first_fault_of_a_frame_is_named_by_its_path() -> None:
    frame = b'[{"type":"heartbeat"},{"type":"ack"},{"type":"heartbeat","load":-1}]'

    assert refusal(lambda: decode_worker_frame(frame))[:2] == ("malformed_packet", "1")
    assert refusal(lambda: decode_worker_frame(frame.replace(b"ack", b"heartbeat"))) == (
        "malformed_packet",
        "2.heartbeat.load",
        "Input should be greater than or equal to 0",
    )


def test_each_side_takes_only_what_the_other_may_say() -> None:
    assert decode_orchestrator_frame(b'[{"type":"drain"}]') == [Drain()]
    assert refusal(lambda: decode_worker_frame(b'[{"type":"drain"}]'))[:2] == ("malformed_packet", "0")
    assert refusal(lambda: decode_orchestrator_frame(b'[{"type":"heartbeat"}]'))[:2] == ("malformed_packet", "0")


def test_an_error_says_where_and_what() -> None:
    assert str(ProtocolError("malformed_packet", "is missing", "0.accept.fence")) == "0.accept.fence: is missing"
    assert str(ProtocolError("too_large", "is too large")) == "is too large"
