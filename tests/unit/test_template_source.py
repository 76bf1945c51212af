"""Template text: which YAML and JSON is read, as what, and where each fault of the text stands."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.json_value import JsonValue
from orchestrator.core.template_fault import MAX_FAULTS, Fault, Faults, Position, TemplateError
from orchestrator.core.template_node import plain, position_at
from orchestrator.core.template_source import read_source

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def read(source: str | bytes) -> JsonValue:
    faults = Faults()
    root = read_source(source, faults)
    faults.raise_if_any()
    return plain(root)


def faults_of(source: str | bytes) -> tuple[Fault, ...]:
    with pytest.raises(TemplateError) as caught:
        read(source)
    return caught.value.faults


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("014", 14),
        ("0o14", 12),
        ("0x1F", 31),
        ("-0o14", "-0o14"),
        ("+12", 12),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("=", "="),
        ("'1'", "1"),
        ('"true"', "true"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    document = read(f"a: {written}\n")

    assert document == {"a": value}
    assert isinstance(document, dict)
    assert type(document["a"]) is type(value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (".nan", ".nan is not a number that JSON can carry; quote it if it is text"),
        ("-.Inf", "-.Inf is not a number that JSON can carry; quote it if it is text"),
        ("1e999", "the number is too large"),
        ("9223372036854775808", "the whole number does not fit into 64 bits; quote it if it is text"),
        ("9" * 5000, "the whole number does not fit into 64 bits; quote it if it is text"),
        ("0x" + "f" * 17, "the whole number does not fit into 64 bits; quote it if it is text"),
        ("!x 1", "a tag (!x) is not allowed; quote the value if it is text"),
        ("!!str 1", "a tag (tag:yaml.org,2002:str) is not allowed; quote the value if it is text"),
        (
            "!!python/object/apply:os.system [ls]",
            "a tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed; quote the value if it is text",
        ),
        ('"\\0"', "a NUL or half of a surrogate pair is not allowed in text"),
    ],
)
def test_a_value_that_json_cannot_carry_is_a_fault_at_its_place(written: str, message: str) -> None:
    assert faults_of(f"a:\n  - {written}\n") == (Fault("a[0]", 2, 5, message),)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("1: a\n", Fault('["1"]', 1, 1, 'a key must be text: quote it, "1"')),
        ("a: {~: 1}\n", Fault('a["~"]', 1, 5, 'a key must be text: quote it, "~"')),
        ("a: &a 1\n*a : 2\n", Fault('["1"]', 2, 1, 'a key must be text: quote it, "1"')),
        ("? [a]\n: 1\n", Fault("", 1, 3, "a key must be text")),
        ("<<: {a: 1}\n", Fault('["<<"]', 1, 1, "merge keys (<<) are not allowed: write the fields out")),
        ("a: 1\nb: 2\na: 3\n", Fault("a", 3, 1, '"a" is given twice; the first is on line 1')),
        ("a: 1\n---\nb: 2\n", Fault("", 2, 1, "a template is one document; a second starts here")),
        ("", Fault("", 1, 1, "the template is empty")),
        ("# nothing\n", Fault("", 1, 1, "the template is empty")),
        ("a: *b\n", Fault("a", 1, 4, 'the anchor "b" is not known here')),
        ("a: &a [x, *a]\n", Fault("a[1]", 1, 11, 'the alias "a" stands inside of its own anchor')),
        (b"a: \xff\n", Fault("", 1, 4, "the template is not UTF-8")),
        ("a: \0\n", Fault("", 1, 4, "the character U+0000 is not allowed")),
        ("a: 1\nb: \ud800\n", Fault("", 2, 4, "the character U+D800 is not allowed")),
        (
            "a: x\u2028y\n",
            Fault("", 1, 5, "the character U+2028 is not allowed; in double quotes, write it as an escape"),
        ),
        ("[" * 65 + "]" * 65, Fault("[0]" * 64, 1, 65, "nested more than 64 deep")),
        ('{"a":' * 65 + "1" + "}" * 65, Fault(".".join("a" * 64), 1, 321, "nested more than 64 deep")),
        ('{"a":' * 5000, Fault(".".join("a" * 64), 1, 321, "nested more than 64 deep")),
        ("a" * (256 * 1024 + 1), Fault("", 1, 1, "the template has 262145 bytes; 262144 is the most")),
    ],
)
def test_what_is_no_json_value_is_refused_where_it_stands(source: str | bytes, fault: Fault) -> None:
    assert faults_of(source) == (fault,)


def test_a_mark_of_byte_order_before_the_text_is_not_part_of_it() -> None:
    assert read("\ufeffa: 1\n".encode()) == {"a": 1}


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("a: 1\nx: ${ a ? b : c }\n", 2, 13, "mapping values are not allowed in this context"),
        ("x: {u: ${ a }}\n", 1, 9, "while parsing a flow mapping: did not find expected ',' or '}'"),
        ("x: [${a}, ${b}]\n", 1, 6, "while parsing a flow sequence: did not find expected ',' or ']'"),
    ],
)
def test_an_unquoted_reference_that_yaml_stumbles_over_is_told_to_be_quoted(
    source: str, line: int, column: int, message: str
) -> None:
    hint = 'quote a value that holds "${", like "${ input.name }"'

    assert faults_of(source) == (Fault("", line, column, f"not valid YAML: {message}; {hint}"),)


def test_a_quoted_reference_is_not_blamed_for_other_faults_of_its_line() -> None:
    message = "not valid YAML: mapping values are not allowed in this context"

    assert faults_of('a: b: "${a}"\n') == (Fault("", 1, 5, message),)


def test_text_that_breaks_off_is_refused_at_its_end() -> None:
    message = "not valid YAML: while parsing a flow node: did not find expected node content"

    assert faults_of("a: [1, [") == (Fault("", 1, 9, message),)


def test_a_tab_that_indents_is_named() -> None:
    message = (
        "not valid YAML: while scanning a plain scalar: found a tab character that violates indentation; "
        "a tab cannot indent: use spaces"
    )

    assert faults_of("a: 1\n\tb: 2\n") == (Fault("", 2, 1, message),)


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ('{"a": ${b}}', 1, 7, 'expected a JSON value; quote a value that holds "${"'),
        ('{"a": {"b": @}}', 1, 13, "expected a JSON value"),
        ('{"a": 1\n "b": 2}', 2, 2, 'expected "," or "}"'),
        ('{"a": [1 2}', 1, 10, 'expected "," or "]"'),
        ('{"a": 1}\n}', 2, 1, "expected the end after the JSON value"),
        ('{"a" 1', 1, 6, 'expected ":" after a key'),
        ('{"a": "\\x"', 1, 7, "a text that is not closed, or holds a raw control character or an unknown escape"),
    ],
)
def test_text_that_was_meant_as_json_is_judged_by_the_rules_of_json(
    source: str, line: int, column: int, message: str
) -> None:
    assert faults_of(source) == (Fault("", line, column, f"not valid JSON: {message}"),)


def test_json_is_read_with_its_own_escapes_tabs_and_long_keys() -> None:
    source = '{\n\t"\\ud83d\\ude00": "\\/\u2028",\n\t"' + "k" * 2000 + '": [1E2, -0, {}]\n}'

    assert read(source) == {"😀": "/\u2028", "k" * 2000: [100.0, 0, {}]}


def test_half_of_a_surrogate_pair_in_json_is_a_fault() -> None:
    message = "a NUL or half of a surrogate pair is not allowed in text"

    assert faults_of('{"a": "\\ud83d"}') == (Fault("a", 1, 7, message),)


def test_a_fault_below_a_key_that_cannot_be_written_has_a_path_that_can() -> None:
    message = "a NUL or half of a surrogate pair is not allowed in text"

    assert faults_of('{"\\ud83d": ["\\u0000"]}') == (Fault("", 1, 2, message), Fault('["\ufffd"][0]', 1, 13, message))


def test_a_flow_map_that_is_no_json_is_read_as_yaml() -> None:
    assert read("{a: on, b: [x, 'y'],}") == {"a": "on", "b": ["x", "y"]}


def test_an_alias_is_what_its_anchor_holds() -> None:
    assert read("a: &x {b: [1]}\nc: *x\n&k d: *k\n") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "d"}


def test_exploding_aliases_are_refused_where_they_pass_the_limit() -> None:
    laughs = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40))
    message = "more than 20000 values, counting each alias as what it stands for"

    assert faults_of("a0: &a0 [ha, ha, ha]\n" + laughs) == (Fault("a4", 5, 5, message),)


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    message = "more than 262144 characters, counting each alias as what it stands for"
    source = f"a: &a {'x' * 100_000}\nb: [*a, *a, *a]\n"

    assert faults_of(source) == (Fault("b", 2, 4, message),)


def test_aliases_cannot_nest_deeper_than_the_text_itself_may() -> None:
    source = f"a: &a {'[' * 60}{']' * 60}\nb: [[[[*a]]]]\n"

    assert faults_of(source) == (Fault("b[0][0][0][0]", 2, 8, "nested more than 64 deep"),)


def test_faults_of_the_text_are_reported_all_at_once_in_its_order() -> None:
    source = "b: .inf\na: !x y\n1: 2\na: 3\nc: {d: 1, d: 2}\n"

    assert faults_of(source) == (
        Fault("b", 1, 4, ".inf is not a number that JSON can carry; quote it if it is text"),
        Fault("a", 2, 4, "a tag (!x) is not allowed; quote the value if it is text"),
        Fault('["1"]', 3, 1, 'a key must be text: quote it, "1"'),
        Fault("a", 4, 1, '"a" is given twice; the first is on line 2'),
        Fault("c.d", 5, 11, '"d" is given twice; the first is on line 5'),
    )


def test_beyond_the_most_faults_only_their_number_is_told() -> None:
    faults = faults_of("".join(f"{number}: x\n" for number in range(MAX_FAULTS + 7)))

    assert len(faults) == MAX_FAULTS + 1
    assert faults[-1] == Fault(
        "", MAX_FAULTS, 1, f"7 more faults are not listed: these are the first {MAX_FAULTS} found"
    )


def test_every_node_knows_its_place() -> None:
    root = read_source("a:\n  - x\n  -   b: [1, 2]\n", Faults())

    assert position_at(root, ("a", 0)) == Position(2, 5)
    assert position_at(root, ("a", 1, "b", 1)) == Position(3, 14)
    assert position_at(root, ("a", 1, "b", 7)) == Position(3, 10)


@settings(deadline=None)
@given(st.dictionaries(TEXT, JSON))
def test_any_json_object_is_read_as_itself(document: dict[str, Any]) -> None:
    assert read(json.dumps(document)) == document
    assert read(json.dumps(document, indent="\t").encode()) == document


@settings(deadline=None)
@given(st.text() | st.text("{}[]:,#&*!|>'\"%@`?-\n\t ab01.$\\") | st.binary())
def test_any_text_is_read_or_refused_with_its_faults_in_order(source: str | bytes) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        read(source)
    except TemplateError as error:
        faults = error.faults

    places = [(fault.line, fault.column) for fault in faults]
    assert places == sorted(places)
    assert all(line >= 1 and column >= 1 for line, column in places)
