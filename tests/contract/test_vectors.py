"""The vectors, which any language's tests may read, are true of this codec; and no bytes at all can surprise it."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import protocol
from protocol import packets
from protocol.codec import (
    MAX_RESULT_BYTES,
    Sifted,
    decode_orchestrator_frame,
    decode_worker_frame,
    dumps,
    encode_frame,
    loads,
    sift_orchestrator_frame,
    sift_worker_frame,
)
from protocol.errors import FailureCode, ProtocolError, RefusalCode
from protocol.packets import Metrics, Model, OrchestratorPacket, Packet, Resources, WorkerPacket

Vector = dict[str, Any]
Decode = Callable[[bytes, int], Sequence[Packet]]

FOLDER = Path(protocol.__file__).with_name("vectors")
CODES = ("too_large", "malformed_json", "malformed_packet")
DECODE: dict[str, Decode] = {"worker": decode_worker_frame, "orchestrator": decode_orchestrator_frame}

SIFT: dict[str, Callable[[bytes, int], Sifted[Any]]] = {
    "worker": sift_worker_frame,
    "orchestrator": sift_orchestrator_frame,
}


def vectors(*names: str) -> list[Any]:
    """The vectors of these files, each under its own name."""
    return [pytest.param(each, id=each["name"]) for name in names for each in json.loads(read(name))]


def read(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


FRAMES = vectors("worker_packets", "orchestrator_packets", "gate")
ARRAYS = vectors("arrays")
DOCUMENTS = vectors("documents")


def frame_of(vector: Vector) -> bytes:
    encoded = vector.get("frameBase64")
    return vector["frame"].encode() if encoded is None else base64.b64decode(encoded, validate=True)


def verdict(understand: Callable[[], Any]) -> Vector:
    """What a vector says of its bytes, as this implementation has it; `understand` answers with `packets` or such."""
    try:
        return {"valid": True, **understand()}
    except ProtocolError as error:
        return {"valid": False, "error": {"code": error.code, "path": error.path}}


def expected_of(vector: Vector) -> Vector:
    return {name: vector[name] for name in ("valid", "packets", "refused", "expected", "error") if name in vector}


@pytest.mark.parametrize("vector", FRAMES)
def test_a_frame_is_understood_or_refused_as_its_vector_says(vector: Vector) -> None:
    decode = DECODE[vector["direction"]]

    def understand() -> Vector:
        decoded = decode(frame_of(vector), vector.get("maxBytes", MAX_RESULT_BYTES))
        return {"packets": [packet.document() for packet in decoded]}

    assert verdict(understand) == expected_of(vector)


@pytest.mark.parametrize("vector", ARRAYS)
def test_of_an_array_over_http_each_packet_is_understood_or_refused_as_its_vector_says(vector: Vector) -> None:
    sift = SIFT[vector["direction"]]

    def understand() -> Vector:
        sifted = sift(frame_of(vector), vector.get("maxBytes", MAX_RESULT_BYTES))
        refused = [{"code": fault.code, "path": fault.path} for fault in sifted.faults]
        return {"packets": [packet.document() for packet in sifted.packets], "refused": refused}

    assert verdict(understand) == expected_of(vector)


@pytest.mark.parametrize("vector", [param for param in FRAMES if param.values[0]["valid"]])
def test_what_a_vector_calls_normal_is_encoded_as_it_stands(vector: Vector) -> None:
    decode = DECODE[vector["direction"]]

    assert loads(encode_frame(decode(dumps(vector["packets"]), MAX_RESULT_BYTES))) == vector["packets"]


@pytest.mark.parametrize("vector", DOCUMENTS)
def test_a_document_is_understood_or_refused_as_its_vector_says(vector: Vector) -> None:
    model: type[Model] = getattr(packets, vector["document"])

    def understand() -> Vector:
        value = loads(vector["text"].encode())
        try:
            return {"expected": model.model_validate(value).document()}
        except ValidationError as error:
            path = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise ProtocolError("malformed_packet", "", path) from None

    assert verdict(understand) == expected_of(vector)


def test_every_packet_and_every_code_has_a_good_vector() -> None:
    good = [packet for param in FRAMES if param.values[0]["valid"] for packet in param.values[0]["packets"]]
    kinds = {kind.model_fields["type"].default for kind in get_args(Packet)}

    assert {packet["type"] for packet in good} == kinds
    assert {packet["code"] for packet in good if packet["type"] == "reject"} == set(RefusalCode)


def test_every_field_of_every_packet_is_in_a_good_vector() -> None:
    good = [packet for param in FRAMES if param.values[0]["valid"] for packet in param.values[0]["packets"]]
    fields = {(kind.model_fields["type"].default, name) for kind in get_args(Packet) for name in names_of(kind)}

    assert {(packet["type"], name) for packet in good for name in packet} == fields


def names_of(model: type[Model]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_names_of_vectors_are_unique_within_their_file() -> None:
    for path in FOLDER.glob("*.json"):
        names = [vector["name"] for vector in json.loads(path.read_text(encoding="utf-8"))]
        assert len(names) == len(set(names)), path.name


# Everything below holds for frames that nobody thought of.

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PRESENT = JSON.filter(lambda value: value is not None)
IDENTIFIER = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
ACTION = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
AMOUNT = st.integers(0, 2**40)
MEASURE = st.floats(0, 1e12)
MONEY = st.decimals(0, 10**6, places=6)
MILLISECONDS = st.integers(0, 366 * 24 * 3600 * 1000)
KEY = {"execution_id": IDENTIFIER, "stage_id": IDENTIFIER, "fence": st.integers(1, 2**53 - 1)}
WHOLE_KEY = {**KEY, "attempt": st.integers(1, 2**31)}


def a(model: type[Model], required: dict[str, Any], **optional: Any) -> st.SearchStrategy[Any]:
    """Models with all that is required and any part of what is optional."""
    return st.fixed_dictionaries(required, optional=optional).map(model.model_validate)


RESOURCES = a(
    Resources,
    {},
    estimated_tokens=AMOUNT,
    timeout_ms=MILLISECONDS,
    cpu=MEASURE,
    memory=MEASURE,
    api_calls=AMOUNT,
    cost_usd=MONEY,
)
METRICS = a(Metrics, {}, tokens_used=AMOUNT, processing_time_ms=MEASURE, cost_usd=MONEY, own_figure=PRESENT)
FAILURE = a(
    packets.Failure,
    {"message": TEXT},
    code=st.sampled_from(FailureCode).map(str) | IDENTIFIER,
    retryable=st.booleans(),
)
ATTEMPT = a(packets.AttemptKey, WHOLE_KEY)

FROM_WORKERS: list[st.SearchStrategy[WorkerPacket]] = [
    a(
        packets.Accept,
        KEY,
        worker_id=IDENTIFIER,
        estimated_completion_ms=MILLISECONDS,
        resource_requirements=RESOURCES,
    ),
    a(
        packets.Reject,
        KEY,
        worker_id=IDENTIFIER,
        code=st.sampled_from(RefusalCode),
        reason=TEXT,
        retry_after_ms=MILLISECONDS,
    ),
    a(packets.Progress, {**KEY, "progress": st.floats(0, 100)}, message=TEXT, metrics=METRICS),
    a(packets.Log, {**KEY, "message": TEXT}, level=st.sampled_from(["debug", "info", "warning", "error"])),
    a(
        packets.Result,
        {**KEY, "status": st.sampled_from(["completed", "failed", "cancelled"])},
        result=JSON,
        metrics=METRICS,
        error=FAILURE,
    ),
    a(
        packets.Heartbeat,
        {},
        load=MEASURE,
        free_slots=AMOUNT,
        draining=st.booleans(),
        running=st.lists(ATTEMPT, max_size=3),
    ),
]
FROM_ORCHESTRATORS: list[st.SearchStrategy[OrchestratorPacket]] = [
    a(
        packets.Offer,
        {
            **WHOLE_KEY,
            "action": ACTION,
            "offer_expires_ms": MILLISECONDS,
            "lease_ms": MILLISECONDS,
        },
        input_data=JSON,
        resource_requirements=RESOURCES,
        deadline_at=TEXT,
        limits=st.dictionaries(TEXT, JSON, max_size=3),
        traceparent=TEXT,
    ),
    a(packets.Process, WHOLE_KEY),
    a(packets.Ack, {**KEY, "status": st.sampled_from(["committed", "stale"])}),
    a(packets.Cancel, KEY, reason=st.sampled_from(["cancelled", "stale", "timeout"])),
    st.just(packets.Drain()),
]


@given(st.lists(st.one_of(FROM_WORKERS), max_size=5))
def test_what_a_worker_says_arrives_as_it_was_said(said: list[WorkerPacket]) -> None:
    assert decode_worker_frame(encode_frame(said)) == said


@given(st.lists(st.one_of(FROM_ORCHESTRATORS), max_size=5))
def test_what_an_orchestrator_says_arrives_as_it_was_said(said: list[OrchestratorPacket]) -> None:
    assert decode_orchestrator_frame(encode_frame(said)) == said


@given(st.one_of([*FROM_WORKERS, *FROM_ORCHESTRATORS]))
def test_the_names_of_fields_may_be_in_either_case(packet: Packet) -> None:
    document = packet.model_dump(mode="json", exclude_none=True)

    assert type(packet).model_validate(loads(dumps(document))) == packet


@given(JSON)
def test_a_json_value_passes_the_gate_unchanged(value: Any) -> None:
    assert loads(dumps(value)) == value


FRAGMENTS = [
    *b'[]{}:,"\\0123456789-+.eE \t\n\x00\xff'.decode("latin-1"),
    "true",
    "null",
    "NaN",
    "1e400",
    '\\"',
    "\\u0000",
    "\\ud800",
    "\ud7ff",
    '"type":',
    '"heartbeat"',
    '"offer"',
    '{"type":"result","executionId":"e","stageId":"s","fence":1,"status":"failed","result":',
    "9" * 30,
    "[" * 70,
    "]" * 70,
    '[{"a":' * 40,
    "}]" * 40,
]
FRAME_LIKE = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
BYTES = st.one_of(
    st.binary(max_size=200), FRAME_LIKE.map(str.encode), FRAME_LIKE.map(lambda text: f"[{text}]".encode())
)
LONG = 200_000
NASTY = {
    "brackets that are never closed": b"[" * LONG,
    "objects that are never closed": b'[{"a":' * LONG,
    "brackets all the way down and up": b"[" * LONG + b"]" * LONG,
    "escaped quotes without an end": b"[" * 65 + b'"' + b'\\"' * LONG,
    "backslashes without an end": b"[" * 65 + b'"' + b"\\" * LONG,
    "nothing but quotes": b"[" * 65 + b'"' * LONG,
    "a long way to U+0000": b'["' + b"\\" * LONG + b'\\u0000"]',
    "an integer": b"[" + b"9" * LONG + b"]",
    "digits before the point": b"[-" + b"9" * LONG + b".5]",
    "digits behind the point": b"[0." + b"0" * LONG + b"1]",
    "an exponent": b"[1e" + b"9" * LONG + b"]",
    "a float in text": b'[{"type":"heartbeat","load":"' + b"9" * LONG + b'"}]',
    "an integer in text": b'[{"type":"heartbeat","freeSlots":"' + b"9" * LONG + b'"}]',
    "a name": b'[{"type":"heartbeat","' + b"load" * LONG + b'":1}]',
    "a type": b'[{"type":"' + b"x" * LONG + b'"}]',
}
"""Bytes that take hours where a decoder goes over them again and again."""


def check_verdict(decode: Decode, data: bytes) -> None:
    """Packets that can be sent on, or one of the three codes."""
    understood = verdict(lambda: {"packets": decode(data, MAX_RESULT_BYTES)})

    if understood["valid"]:
        assert decode(encode_frame(understood["packets"]), MAX_RESULT_BYTES) == understood["packets"]
    else:
        assert understood["error"]["code"] in CODES


@pytest.mark.parametrize("decode", DECODE.values(), ids=DECODE)
@given(data=BYTES)
def test_any_bytes_are_packets_or_a_protocol_error(decode: Decode, data: bytes) -> None:
    check_verdict(decode, data)


@pytest.mark.parametrize("decode", DECODE.values(), ids=DECODE)
@pytest.mark.parametrize("data", NASTY.values(), ids=NASTY)
def test_nasty_bytes_are_packets_or_a_protocol_error_too(decode: Decode, data: bytes) -> None:
    check_verdict(decode, data)


@given(st.text(max_size=30) | st.floats().map(repr) | st.integers().map(str))
def test_any_money_is_an_amount_or_a_protocol_error(text: str) -> None:
    said = {"type": "result", "executionId": "e", "stageId": "s", "fence": 1, "status": "completed"}
    frame = json.dumps([{**said, "metrics": {"costUsd": text}}]).encode()

    understood = verdict(lambda: {"packets": decode_worker_frame(frame)})

    if understood["valid"]:
        assert understood["packets"][0].metrics.cost_usd >= 0
    else:
        assert understood["error"] in (
            {"code": "malformed_packet", "path": "0.result.metrics.costUsd"},
            {"code": "malformed_json", "path": ""},
        )
