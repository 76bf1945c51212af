"""How an attempt's end becomes a result packet that the other side can take.

Whatever leaves here has passed the same strict gate that the orchestrator reads with; what cannot pass it leaves as a
failure that says so, never as bytes that would spoil the frame they travel in.
"""

from typing import Any, Final, Literal

from pydantic_core import PydanticSerializationError, to_jsonable_python

from protocol.codec import MAX_RESULT_BYTES, admit_written, dumps
from protocol.errors import FailureCode, ProtocolError
from protocol.packets import Failure, Metrics, Packet, Result
from workers.kit.answers import describe, wire_text
from workers.kit.attempts import Named, StopReason

Status = Literal["completed", "failed", "cancelled"]

STOPPED_FAILURE: Final = Failure(
    code=FailureCode.WORKER_STOPPED, message="the worker was shut down before the attempt had ended", retryable=True
)


class NotSendable(Exception):
    """A value of the author's that no packet can carry."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def completed(key: Named, value: Any, metrics: Metrics) -> Result:
    """The result that carries `value`, a pydantic model or anything JSON can say; NaN and infinity become null.

    Raises `NotSendable` for anything else, and for whatever an author's own serializer raises.
    """
    try:
        result = to_jsonable_python(value, inf_nan_mode="null")
    except Exception as error:
        message = f"the action's return value is not JSON: {describe(error)}"
        raise NotSendable(Failure(code=FailureCode.WORKER_ERROR, message=wire_text(message))) from None
    return _result(key, "completed", metrics, result=result)


def failed(key: Named, failure: Failure, metrics: Metrics) -> Result:
    return _result(key, "failed", metrics, error=failure)


def given_back(reason: str, is_draining: bool) -> Failure:
    """What a handler's `Yield` is to the orchestrator: only a worker that stops may give attempts back for nothing."""
    code = FailureCode.WORKER_STOPPED if is_draining else "yielded"
    return Failure(code=code, message=wire_text(reason), retryable=True)


def stopped(key: Named, reason: StopReason, metrics: Metrics) -> Result:
    """The result of an attempt that did not end by itself."""
    if reason is StopReason.SHUTDOWN:
        return failed(key, STOPPED_FAILURE, metrics)
    message = "the attempt ran out of time" if reason is StopReason.TIMEOUT else "the attempt was cancelled"
    return _result(key, "cancelled", metrics, error=Failure(code=FailureCode.CANCELLED, message=message))


def sealed(result: Result) -> tuple[Result, bytes]:
    """`result` and its bytes, or the failure that stands in for one that is too large or not fit to be stored."""
    try:
        return result, encode(result)
    except NotSendable as error:
        failure = _result(result, "failed", result.metrics, error=error.failure)
        return failure, encode(failure)


def encode(packet: Packet) -> bytes:
    """The packet as one member of a frame; raises `NotSendable` where the other side would refuse the frame."""
    try:
        encoded = dumps(_document(packet))
        admit_written(b"[%b]" % encoded, MAX_RESULT_BYTES)
    except ProtocolError as error:
        message = f"it cannot be sent: {error.message}"
        if error.code == "too_large":
            advice = "upload what is large (context.upload) and return the reference to it"
            raise NotSendable(Failure(code=FailureCode.RESULT_TOO_LARGE, message=f"{message}; {advice}")) from None
        raise NotSendable(Failure(code=FailureCode.WORKER_ERROR, message=message)) from None
    except (TypeError, PydanticSerializationError) as error:
        message = f"it cannot be sent: {describe(error)}"
        raise NotSendable(Failure(code=FailureCode.WORKER_ERROR, message=message)) from None
    return encoded


def _document(packet: Packet) -> dict[str, Any]:
    """The packet's document. A result is plain JSON already, and may be large: it is not walked through once more."""
    if not isinstance(packet, Result) or packet.result is None:
        return packet.document()
    envelope = packet.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"result"})
    return {**envelope, "result": packet.result}


def _result(key: Named, status: Status, metrics: Metrics, result: Any = None, error: Failure | None = None) -> Result:
    return Result(
        execution_id=key.execution_id,
        stage_id=key.stage_id,
        fence=key.fence,
        status=status,
        result=result,
        metrics=metrics,
        error=error,
    )
