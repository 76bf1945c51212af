"""Bytes to JSON values to packets and back, behind one strict gate.

Everything that comes from outside, over HTTP or a WebSocket, passes `loads` first: size, UTF-8, depth 64, no NaN or
Infinity, no NUL, no lone surrogate, no integer beyond 64 bits. What passes can be stored in PostgreSQL and sent on.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from protocol.errors import ProtocolError
from protocol.packets import OrchestratorPacket, Packet, WorkerPacket

MAX_DEPTH: Final = 64
MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
MAX_RESULT_BYTES: Final = 64 * 1024 * 1024
MOST_FAULTS: Final = 20
"""A frame with more bad packets than this is not looked through to its end."""
LARGE_BYTES: Final = 1024 * 1024
"""A document of more than this is worth a thread: an event loop then stands still for one of its passes at a time."""

_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG_DIGITS = b"0" * 19
_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![0-9.eE])")
_NEITHER_BRACKETS_NOR_QUOTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_BRACKETS_ALIKE = bytes.maketrans(b"{}", b"[]")
_INTEGERS_OF_64_BITS = range(-(2**63), 2**64)

_worker_packets: TypeAdapter[list[WorkerPacket]] = TypeAdapter(list[WorkerPacket])
_orchestrator_packets: TypeAdapter[list[OrchestratorPacket]] = TypeAdapter(list[OrchestratorPacket])


def loads(data: bytes, max_bytes: int = MAX_DOCUMENT_BYTES) -> Any:
    """The JSON value of `data`, or `ProtocolError` (`too_large`, `malformed_json`)."""
    admit(data, max_bytes)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("malformed_json", f"not valid JSON: {error}") from None
    _refuse_nul(data)
    if _LONG_DIGITS in data.translate(_DIGITS_ALIKE):
        _refuse_huge_integers(data)
    return value


def admit(data: bytes, max_bytes: int) -> None:
    """Refuse what is too large or too deep: all that can be wrong with a document made of values that came through."""
    if len(data) > max_bytes:
        raise ProtocolError("too_large", f"the document has {len(data)} bytes, {max_bytes} are allowed")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _refuse_depth(data)


def admit_written(data: bytes, max_bytes: int) -> None:
    """Refuse what `loads` would refuse of bytes that `dumps` wrote, whatever the value was, without reading them."""
    admit(data, max_bytes)
    _refuse_nul(data)


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON of a value that came through `loads` or was made of such values."""
    return orjson.dumps(value)


def _refuse_nul(data: bytes) -> None:
    if rb"\u0000" in data and rb"\u0000" in data.replace(rb"\\", b""):
        raise ProtocolError("malformed_json", "the character U+0000 is not allowed in text")


def _refuse_depth(data: bytes) -> None:
    """Every step here is one pass of C over what is left: tens of megabytes take a fifth of a second."""
    marks = _without_escapes(data).translate(_BRACKETS_ALIKE, _NEITHER_BRACKETS_NOR_QUOTES)
    # Two quotes side by side are a string without brackets, or the end of one string and the start of the next.
    outside = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if b"[]" not in outside:
            return  # nothing is left, or brackets that do not match: the parser's matter
        # What holds nothing goes, and so what holds only that is next: each turn takes one level, from the innermost.
        outside = outside.replace(b"[]", b"")
    if b"[]" in outside:
        raise ProtocolError("malformed_json", f"nested deeper than {MAX_DEPTH} levels")


def _refuse_huge_integers(data: bytes) -> None:
    for match in _INTEGER.finditer(_outside_of_strings(data)):
        if len(match.group()) > 20 or int(match.group()) not in _INTEGERS_OF_64_BITS:
            raise ProtocolError("malformed_json", "an integer has more than 64 bits")


def _outside_of_strings(data: bytes) -> bytes:
    # Runs in C and in linear time whatever the bytes are: a regular expression that looks for closing quotes can be
    # made to look through the whole rest of the document from every escaped one.
    return b'"'.join(_without_escapes(data).split(b'"')[::2])


def _without_escapes(data: bytes) -> bytes:
    """Without escaped backslashes and quotes, so that every quote that is left begins or ends a string."""
    return data.replace(rb"\\", b"").replace(rb"\"", b"")


def encode_frame(packets: Sequence[Packet]) -> bytes:
    """One frame: the packets as a JSON array."""
    return b"[" + b",".join(packet.encoded() for packet in packets) + b"]"


def decode_worker_frame(data: bytes, max_bytes: int = MAX_RESULT_BYTES) -> list[WorkerPacket]:
    """The packets a worker sent, or `ProtocolError` with the path of the first fault."""
    return _decode(_worker_packets, data, max_bytes)


def decode_orchestrator_frame(data: bytes, max_bytes: int = MAX_RESULT_BYTES) -> list[OrchestratorPacket]:
    """The packets an orchestrator sent, or `ProtocolError` with the path of the first fault."""
    return _decode(_orchestrator_packets, data, max_bytes)


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Sifted(Generic[P]):
    """A frame's good packets in their order, and what is wrong with each of the others: the path begins with its
    index."""

    packets: list[P]
    faults: list[ProtocolError]


def sift_worker_frame(data: bytes, max_bytes: int = MAX_RESULT_BYTES) -> Sifted[WorkerPacket]:
    """The same, packet by packet. Raises `ProtocolError` for what is no array of JSON, or has too many bad packets."""
    return _sift(decode_worker_frame, data, max_bytes)


def sift_orchestrator_frame(data: bytes, max_bytes: int = MAX_RESULT_BYTES) -> Sifted[OrchestratorPacket]:
    """The same of what an orchestrator sent."""
    return _sift(decode_orchestrator_frame, data, max_bytes)


def _sift(decode: Callable[[bytes, int], list[P]], data: bytes, max_bytes: int) -> Sifted[P]:
    try:
        return Sifted(decode(data, max_bytes), [])
    except ProtocolError as error:
        values = loads(data, max_bytes) if error.code == "malformed_packet" else None
        if not isinstance(values, list):
            raise
        sifted: Sifted[P] = Sifted([], [])
        for index, value in enumerate(values):
            try:
                sifted.packets.extend(decode(dumps([value]), max_bytes))
            except ProtocolError as fault:
                sifted.faults.append(ProtocolError(fault.code, fault.message, f"{index}{fault.path.removeprefix('0')}"))
                if len(sifted.faults) > MOST_FAULTS:
                    raise error from None
        return sifted


def _decode(adapter: TypeAdapter[P], data: bytes, max_bytes: int) -> P:
    try:
        return adapter.validate_python(loads(data, max_bytes))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ProtocolError("malformed_packet", first["msg"], path) from None
