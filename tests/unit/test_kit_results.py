"""How return values become results, and which of them cannot travel."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import BaseModel

from protocol.codec import MAX_RESULT_BYTES, decode_worker_frame
from protocol.packets import AttemptKey, Failure, Metrics, Result
from workers.kit.attempts import Origin, StopReason
from workers.kit.result_files import ResultFiles, StoredResult
from workers.kit.results import NotSendable, completed, sealed, stopped

KEY = AttemptKey(execution_id="e", stage_id="s", attempt=1, fence=1)
IDENTITY = ("e", "s", 1)


class Paper(BaseModel):
    title: str
    note: str | None = None


@dataclass
class Size:
    width: int


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "document"),
    [
        (None, None),
        ({"a": [1, 2.5, None, "ü"]}, {"a": [1, 2.5, None, "ü"]}),
        (Paper(title="x"), {"title": "x", "note": None}),
        ([Paper(title="x"), Size(3)], [{"title": "x", "note": None}, {"width": 3}]),
        (Decimal("1.5"), "1.5"),
        (float("nan"), None),
    ],
)
def test_a_return_value_travels_as_json(value: Any, document: Any) -> None:
    result, encoded = sealed(completed(KEY, value, Metrics()))

    assert decode_worker_frame(b"[" + encoded + b"]") == [result]
    assert result == Result(execution_id="e", stage_id="s", fence=1, status="completed", result=document)


def loop() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), b"\xff", loop()], ids=["object", "bytes", "loop"])
def test_a_value_that_is_not_json_fails_its_attempt(value: Any) -> None:
    with pytest.raises(NotSendable, match=r"^the action's return value is not JSON: "):
        completed(KEY, value, Metrics())


@pytest.mark.parametrize(
    ("value", "code", "why"),
    [
        ("x" * MAX_RESULT_BYTES, "result_too_large", "67108864 are allowed"),
        ("a\0b", "worker_error", "U+0000"),
        ("\ud800", "worker_error", "surrogates not allowed"),
        (2**64, "worker_error", "64-bit"),
        (nested(63), "worker_error", "deeper than 64"),
    ],
    ids=["too large", "NUL", "surrogate", "integer", "depth"],
)
def test_a_value_that_would_spoil_its_frame_is_replaced_by_a_failure_that_says_so(
    value: Any, code: str, why: str
) -> None:
    result, encoded = sealed(completed(KEY, value, Metrics(tokens_used=5)))

    assert result.error is not None
    assert (result.status, result.error.code, result.result) == ("failed", code, None)
    assert result.metrics == Metrics(tokens_used=5)
    assert why in result.error.message
    assert decode_worker_frame(b"[" + encoded + b"]") == [result]


@pytest.mark.parametrize(
    ("reason", "status", "failure"),
    [
        (StopReason.CANCELLED, "cancelled", Failure(code="cancelled", message="the attempt was cancelled")),
        (StopReason.TIMEOUT, "cancelled", Failure(code="cancelled", message="the attempt ran out of time")),
        (
            StopReason.SHUTDOWN,
            "failed",
            Failure(
                code="worker_stopped",
                message="the worker was shut down before the attempt had ended",
                retryable=True,
            ),
        ),
    ],
)
def test_a_stopped_attempt_says_who_stopped_it(reason: StopReason, status: str, failure: Failure) -> None:
    result = stopped(KEY, reason, Metrics())

    assert (result.status, result.error) == (status, failure)


def stored(stage: str = "s") -> StoredResult:
    key = KEY.model_copy(update={"stage_id": stage})
    result = Result(execution_id="e", stage_id=stage, fence=1, status="completed", result={"a": None})
    return StoredResult(key=key, action="paint", origin=Origin.LINK, result=result)


def test_what_was_written_is_loaded_in_the_order_in_which_it_was_written(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path / "results")
    for stage in ("b", "c", "a"):
        files.write(stored(stage))

    assert files.load() == [stored("b"), stored("c"), stored("a")]


def test_a_removed_result_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    files.write(stored())

    files.remove(IDENTITY)
    files.remove(IDENTITY)

    assert files.load() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key":{}}', b"\xff"])
def test_a_file_that_cannot_be_read_is_logged_and_set_aside(tmp_path: Path, content: bytes) -> None:
    files = ResultFiles(tmp_path)
    files.write(stored("good"))
    (tmp_path / "bad.json").write_bytes(content)

    with structlog.testing.capture_logs() as logs:
        loaded = files.load()

    assert loaded == [stored("good")]
    assert [entry["event"] for entry in logs] == ["result_file.corrupt"]
    assert (tmp_path / "bad.json.corrupt").read_bytes() == content


def test_a_write_that_was_cut_short_is_not_taken_for_a_result(tmp_path: Path) -> None:
    (tmp_path / "0123.partial").write_bytes(b'{"key":')

    assert ResultFiles(tmp_path).load() == []
