"""protocol/README.md says what the code does: every table, number, example and link of it."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from pydantic import StrictBool, TypeAdapter, ValidationError

import orchestrator.dispatch
import protocol
from orchestrator.core.draft import MOST_YIELDS
from orchestrator.core.standing import Offence
from orchestrator.core.template_check import DEFAULT_RETRY, DEFAULT_TIMEOUT, MAX_ATTEMPTS
from orchestrator.dispatch import array_link, called_link, frames, home, http_link, outbound, socket_link
from orchestrator.dispatch.answers import OF_THE_WORKER
from orchestrator.dispatch.pace import Pace
from orchestrator.settings import MAX_ARTIFACT_BYTES
from orchestrator.web import artifacts, gate
from orchestrator.web.table import ROUTES
from protocol import packets
from protocol.attempt import diagram
from protocol.codec import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_RESULT_BYTES,
    decode_orchestrator_frame,
    decode_worker_frame,
)
from protocol.errors import FailureCode, RefusalCode
from protocol.packets import (
    PROTOCOL_VERSION,
    ActionName,
    AttemptKey,
    AttemptNumber,
    Failure,
    Fence,
    Identifier,
    Metrics,
    Milliseconds,
    Model,
    Money,
    OrchestratorPacket,
    Packet,
    Percent,
    Resources,
    Sha256,
    Text,
    WorkerPacket,
)

FOLDER = Path(protocol.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
DISPATCH = "".join(path.read_text() for path in Path(orchestrator.dispatch.__file__).parent.glob("*.py"))
WORKER = Path(__file__).with_name("stdlib_workers") / "worker.py"

Row = dict[str, str]


def sections() -> dict[str, str]:
    """The text under each heading, up to the next one."""
    outside = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"^#+ (.+)\n", outside, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = sections()


def tables(heading: str) -> list[list[Row]]:
    """The tables of a section: rows by the names of their columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", SECTIONS[heading], flags=re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def column(rows: Sequence[Row], name: str) -> list[str]:
    return [row[name].replace("`", "") for row in rows]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def members(union: Any) -> list[type[Model]]:
    """The packets of an annotated union."""
    return list(get_args(get_args(union)[0]))


def name_of(packet: type[Model]) -> str:
    return str(packet.model_fields["type"].default)


TYPES: list[tuple[Any, str]] = [
    (Identifier, "identifier"),
    (ActionName, "action name"),
    (Fence, "fence"),
    (AttemptNumber, "attempt number"),
    (Milliseconds, "ms"),
    (Money, "money"),
    (Percent, "percent"),
    (Text, "text"),
    (Sha256, "sha256"),
    (StrictBool, "boolean"),
    (RefusalCode, "refusal code"),
    (Any, "json"),
    (str, "string"),
    (AttemptKey, "attempt key"),
    (Resources, "resources"),
    (Metrics, "metrics"),
    (Failure, "failure"),
    (dict[str, str], "object of texts"),
    (dict[str, Any], "object"),
]


def word_for(annotation: Any, bounds: Row) -> str:
    """A field's type as the tables say it. `bounds` are those that the field's own schema has."""
    for known, word in TYPES:
        if annotation == known:
            return word
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    if get_origin(annotation) is tuple:
        return f"list of {word_for(arguments[0], {})}s"
    if annotation is int:
        if "maximum" in bounds:
            return f"integer from {bounds['minimum']} to {bounds['maximum']}"
        return "count" if "minimum" in bounds else "integer"
    if annotation is float:
        return "number"
    if hasattr(annotation, "__metadata__"):
        return word_for(arguments[0], bounds)
    return ", or ".join(word_for(each, bounds) for each in arguments if each is not NoneType)


def rows_of(model: type[Model]) -> list[tuple[str, str, str]]:
    """Name, type and default of each field of a model, as its table has to have them."""
    hints = get_type_hints(model, include_extras=True)
    schema = model.model_json_schema()["properties"]
    rows = []
    for name, field in model.model_fields.items():
        if name == "type":
            continue
        alias = field.alias or name
        bounds = schema[alias] | next(iter(schema[alias].get("anyOf", [])), {})
        default = model.model_construct().document().get(alias)
        said = "required" if field.is_required() else "–" if default is None else f"`{json.dumps(default)}`"
        rows.append((alias, word_for(hints[name], bounds), said))
    return rows


DOCUMENTED = [
    *((name_of(packet), 0, packet) for packet in get_args(Packet)),
    ("Structures", 0, AttemptKey),
    ("Structures", 1, Resources),
    ("Structures", 2, Metrics),
    ("Structures", 3, Failure),
    ("Registration", 0, packets.Registration),
    ("Registration", 1, packets.Registered),
    ("Heartbeats and directives", 0, packets.Directive),
    ("Artifacts and large results", 0, packets.Artifact),
    ("POST /api/handshake", 0, packets.HandshakeAnswer),
    ("POST /api/process", 0, packets.ProcessAnswer),
]


@pytest.mark.parametrize(("heading", "index", "model"), DOCUMENTED, ids=[model.__name__ for *_, model in DOCUMENTED])
def test_the_fields_of_a_document_are_those_of_its_model(heading: str, index: int, model: type[Model]) -> None:
    rows = tables(heading)[index]

    assert [(row["field"].strip("`"), row["type"], row["default"]) for row in rows] == rows_of(model)


def test_every_model_of_the_wire_is_documented() -> None:
    models = {each for each in vars(packets).values() if isinstance(each, type) and issubclass(each, Model)}

    assert {model for *_, model in DOCUMENTED} == models - {Model}


def test_packets_go_in_the_directions_that_are_said() -> None:
    said = {row["direction"]: re.findall(r"`(\w+)`", row["packets"]) for row in tables("Packets")[0]}

    assert {direction: set(names) for direction, names in said.items()} == {
        "orchestrator to worker": {name_of(packet) for packet in members(OrchestratorPacket)},
        "worker to orchestrator": {name_of(packet) for packet in members(WorkerPacket)},
    }


def test_every_packet_has_an_example_that_is_one() -> None:
    examples = [json.loads(block) for block in blocks("json")]
    by_workers = {name_of(packet) for packet in members(WorkerPacket)}

    assert sorted(example["type"] for example in examples) == sorted(map(name_of, get_args(Packet)))
    for example in examples:
        decode = decode_worker_frame if example["type"] in by_workers else decode_orchestrator_frame
        [packet] = decode(json.dumps([example]).encode())
        assert packet.document() == {**packet.document(), **example}


def test_the_diagram_is_the_table_of_transitions() -> None:
    assert blocks("mermaid") == [diagram() + "\n"]


def test_the_worker_is_the_one_that_is_tested() -> None:
    assert blocks("python") == [WORKER.read_text(encoding="utf-8")]


def test_the_types_are_those_of_the_models() -> None:
    said = {row["type"]: row["is"] for row in tables("Types")[0]}
    longest = schema_of(Milliseconds)["maximum"]

    for word, annotation in (("identifier", Identifier), ("action name", ActionName)):
        text = schema_of(annotation)
        characters = f"{text['minLength']} to {text['maxLength']} characters"
        assert said[word] == f"text that matches `{text['pattern']}`, {characters}"
    assert (schema_of(Fence)["minimum"], schema_of(Fence)["exclusiveMaximum"]) == (1, 2**53)
    assert said["fence"].startswith(f"an integer from 1 to {2**53 - 1} (2^53-1)")
    assert said["attempt number"] == f"an integer from {schema_of(AttemptNumber)['minimum']}"
    assert said["ms"].endswith(f"from 0 to {longest} ({timedelta(milliseconds=longest).days} days)")
    assert said["percent"] == f"a number from {schema_of(Percent)['minimum']:g} to {schema_of(Percent)['maximum']:g}"
    assert f"{packets.MAX_TEXT:,} characters" in said["text"]
    assert said["sha256"] == f"text that matches `{schema_of(Sha256)['pattern']}`"
    assert said["money"].startswith(f"US dollars, from 0 to {most_money():,}: ")
    assert TypeAdapter(Money).validate_python("0.1234567894") == Decimal("0.123456789")


def test_every_type_that_a_table_names_is_described() -> None:
    described = {row["type"] for row in tables("Types")[0]}
    structures = {"attempt key", "resources", "metrics", "failure"}
    said = {word for *_, model in DOCUMENTED for _, word, _ in rows_of(model)}
    single = {re.sub(r"^list of (.*)s$", r"\1", word) for each in said for word in each.split(", or ")}
    spelt_out = {word for word in single if word.startswith(("one of ", "integer", "object of "))}

    assert single - spelt_out - structures - {"refusal code"} == described
    assert structures == set(re.findall(r"^`(.+)`:", SECTIONS["Structures"], flags=re.MULTILINE))


def schema_of(annotation: Any) -> dict[str, Any]:
    return TypeAdapter(annotation).json_schema()


def most_money() -> int:
    """The greatest power of ten that is still an amount."""
    adapter = TypeAdapter(Money)
    amount = 1
    with suppress(ValidationError):
        while adapter.validate_python(amount * 10):
            amount *= 10
    return amount


def test_the_limits_of_the_gate_are_those_of_the_codec() -> None:
    limits = {row["rule"]: row["limit"] for row in tables("The gate")[0] if row["limit"]}

    assert limits == {
        "size of a document": f"{MAX_DOCUMENT_BYTES:,} bytes",
        "size of a result, or of a frame": f"{MAX_RESULT_BYTES:,} bytes",
        "nesting of arrays and objects": f"{MAX_DEPTH} levels",
        "integers from -2^63 to 2^64-1": "64 bits",
    }
    assert f"MUST be at most {MAX_DEPTH - 2} levels deep" in SECTIONS["The gate"]
    assert set(re.findall(r"\d[\d,]{8,}(?= bytes)", README)) == {
        f"{size:,}" for size in (MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES, frames.FRAME_BYTES, socket_link.BACKLOG_BYTES)
    }


def test_the_times_are_those_of_the_code() -> None:
    pace = Pace()
    times = {row["what"]: row["how long"] for row in tables("Times")[0]}

    assert list(times.values()) == [
        f"{seconds:g} s"
        for seconds in (
            pace.heartbeat,
            pace.lease,
            pace.offer_expires,
            pace.call_timeout,
            home.PROBE_TIMEOUT,
            pace.cancel_grace,
            pace.busy_again,
            pace.refused_again,
            pace.refused_longest,
            socket_link.PING_SECONDS,
            30,
            DEFAULT_TIMEOUT.total_seconds(),
        )
    ]
    assert "keepalive_timeout=30," in Path(outbound.__file__).read_text()
    assert Pace.from_environment({"BATON_LEASE_SECONDS": "30"}) == Pace(lease=30, heartbeat=10)


def test_the_limits_of_artifacts_are_those_of_the_code() -> None:
    text = SECTIONS["Artifacts and large results"]

    assert f"{MAX_ARTIFACT_BYTES // 1024**3} GiB, unless `BATON_MAX_ARTIFACT_BYTES`" in text
    assert (
        f"nothing for {gate.QUIET_SECONDS:.0f} seconds, or less than {gate.SLOWEST_BYTES // 1024**2} MiB a minute"
        in text
    )
    assert gate.BODY_SECONDS == 60
    assert f"at most {artifacts.MOST_OF_A_CLIENT} uploads under way" in text


def test_the_retry_policy_is_that_of_the_templates() -> None:
    policy = {
        row["retry policy"]: row["unless the template says otherwise"] for row in tables("Failures and retries")[1]
    }

    assert policy == {
        "attempts": f"{DEFAULT_RETRY.max_attempts}",
        "rest after the first": f"{DEFAULT_RETRY.backoff / timedelta(milliseconds=1):g} ms",
        "longest rest": f"{DEFAULT_RETRY.backoff_cap.total_seconds():g} s",
    }
    assert f"At most {MAX_ATTEMPTS} attempts" in SECTIONS["Failures and retries"]
    assert f"{MOST_YIELDS} times a stage is given back" in SECTIONS["Failures and retries"]


def test_the_codes_are_those_of_the_code() -> None:
    refusals = tables("Refusals")[0]

    assert column(refusals, "code") == [code.value for code in RefusalCode]
    assert {row["code"].strip("`") for row in refusals if "stage" not in row["not asked again"]} == OF_THE_WORKER
    assert column(tables("Failures and retries")[0], "code") == [code.value for code in FailureCode]
    assert column(tables("Lies")[0], "code") == [offence.value for offence in Offence]
    assert set(column(tables("The gate")[0], "code")) == {"too_large", "malformed_json", "malformed_packet"}


def test_the_version_is_that_of_the_code() -> None:
    assert README.startswith(f"# The worker protocol, version {PROTOCOL_VERSION}\n")
    assert f"that the worker speaks: {PROTOCOL_VERSION}." in SECTIONS["Versions"]


def test_the_reasons_for_closing_a_link_are_those_of_the_code() -> None:
    reasons = {row["reason"].strip("`") for row in tables("Binding to a WebSocket")[0] if row["close code"] == "1001"}

    assert set(re.findall(r'\.close\("([^"]+)"\)', DISPATCH)) <= reasons
    assert all(f'"{reason}"' in DISPATCH for reason in reasons)


def test_the_calls_to_the_orchestrator_are_among_its_routes() -> None:
    headings = ("Registration", "Heartbeats and directives", "Artifacts and large results", "Reporting later")
    text = "".join(SECTIONS[heading] for heading in headings)
    calls = set(re.findall(r"`(GET|POST|PUT|DELETE) (/api/[^`?]+)", text))
    calls |= set(re.findall(r"worker to orchestrator: `(POST) (/[^`]+)`", SECTIONS["Binding to arrays over HTTP"]))

    assert len(calls) == 12
    assert calls <= {(route.method, route.path) for route in ROUTES}


def test_the_calls_to_a_worker_are_those_that_the_orchestrator_makes() -> None:
    of_their_own = {heading.split()[1] for heading in SECTIONS if heading.startswith("POST /api/")}
    others = {call.split()[1].split("{")[0] for call in column(tables("The other calls")[0], "call")}
    in_arrays = re.findall(r"orchestrator to worker: `\w+ ([^`]+)`", SECTIONS["Binding to arrays over HTTP"])

    assert of_their_own | others - {"/api/jobs/"} == calls_made(called_link, http_link)
    assert set(in_arrays) == calls_made(called_link, array_link)


def calls_made(*modules: ModuleType) -> set[str]:
    """The paths at a worker that the modules name."""
    text = "".join(Path(str(module.__file__)).read_text() for module in modules)
    return set(re.findall(r'"(/api/[a-z]+/?)[^"]*"', text))


def test_links_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in SECTIONS}
    links = set(re.findall(r"\]\(([^)]+)\)", README))

    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert all((FOLDER / link).exists() for link in links if not link.startswith("#"))


def test_the_vectors_are_the_files_that_are_listed() -> None:
    files, fields = tables("Vectors")
    vectors = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (FOLDER / "vectors").iterdir()}

    assert {re.findall(r"`(.+)`", row["file"])[0] for row in files} == set(vectors)
    assert re.findall(r"`([A-Z]\w+)`", files[-1]["has"]) == list(
        dict.fromkeys(vector["document"] for vector in vectors["documents.json"])
    )
    assert {name for cell in column(fields, "field") for name in cell.split(", ")} == {
        field for each in vectors.values() for vector in each for field in vector
    }
