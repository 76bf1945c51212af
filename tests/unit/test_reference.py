"""References: which texts are one, what they render to, and what happens when they lead nowhere."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.json_value import Path, dotted
from orchestrator.core.reference import (
    ExpressionError,
    ExpressionFault,
    Reference,
    UnresolvedReference,
    compile_expression,
)

SCOPE: dict[str, Any] = {
    "input": {"name": "Ada", "any key": 1, 'say "hi" \\': 2, "my-key": 3, "none": None, "list": [[1, 2], {"a": True}]},
    "stages": {"hello": {"output": {"text": "hello Ada", "score": 0.5}}},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
PATHS = st.lists(st.text() | st.integers(0, 999_999_999), max_size=5).map(lambda rest: ("root", *rest))


def render(value: Any) -> object:
    return compile_expression(value).render(SCOPE)


def faults_of(value: Any) -> tuple[ExpressionFault, ...]:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(value)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${input.name}", "Ada"),
        ("${ input.name }", "Ada"),
        ('${input["any key"]}', 1),
        ('${input["say \\"hi\\" \\\\"]}', 2),
        ("${input.my-key}", 3),
        ("${input.none}", None),
        ("${input.list[0]}", [1, 2]),
        ("${input.list[1].a}", True),
        ("${stages.hello.output.score}", 0.5),
        ("${stages}", SCOPE["stages"]),
    ],
)
def test_a_whole_reference_keeps_the_type_of_what_it_points_at(text: str, expected: object) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello ${input.name}", "hello Ada"),
        ("${input.name}${input.name}", "AdaAda"),
        (" ${input.name}", " Ada"),
        ("n=${input.my-key}", "n=3"),
        ("l=${input.list}", 'l=[[1,2],{"a":true}]'),
        ("s=${stages.hello.output.score}", "s=0.5"),
    ],
)
def test_a_reference_inside_text_becomes_text_and_json_where_it_was_none(text: str, expected: str) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$${input.name}", "${input.name}"),
        ("$${", "${"),
        ("$$${input.name}", "$${input.name}"),
        ("$${a} ${input.name}", "${a} Ada"),
        ("$ {input.name} $x }", "$ {input.name} $x }"),
    ],
)
def test_a_doubled_dollar_writes_the_brace_itself(text: str, expected: str) -> None:
    assert render(text) == expected
    assert render({"text": [text]}) == {"text": [expected]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a ${input.name", 'a "${" is never closed by "}"; to write it as text, write "$${"'),
        ("${}", 'nothing is named between "${" and "}"'),
        ("${  }", 'nothing is named between "${" and "}"'),
        *(
            (
                f"${{{inside}}}",
                'only paths are allowed inside ${ }, such as input.name or stages.a.output["b"][0]: '
                + f'"{inside.strip()}"',
            )
            for inside in (
                "input.a ? 1 : 2",
                "input.a + 1",
                "len(input)",
                "input[-1]",
                "input[01]",
                "input['a']",
                "input[a]",
                "input.1a",
                "input..a",
                ".input",
                "input.",
                '"input"',
                "input.ä",
            )
        ),
    ],
)
def test_anything_but_a_path_is_a_fault(text: str, message: str) -> None:
    assert faults_of({"a": [text]}) == (ExpressionFault(("a", 0), message),)


def test_every_fault_is_found_and_the_good_references_beside_them() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression({"a": "${} ${input.name} ${", "b${": ["${input.x}"]})

    assert {fault.path for fault in caught.value.faults} == {("a",), ("b${",)}
    assert len(caught.value.faults) == 3
    assert caught.value.expression.references == (
        Reference(("input", "name"), ("a",)),
        Reference(("input", "x"), ("b${", 0)),
    )


def test_a_key_cannot_hold_a_reference() -> None:
    fault = ExpressionFault(("a", "${input.name}"), "a key cannot hold a reference: only values may")

    assert faults_of({"a": {"${input.name}": 1}}) == (fault,)


@pytest.mark.parametrize(
    ("text", "reference", "missing"),
    [
        ("${input.nmae}", "input.nmae", 'input has no "nmae"'),
        ("${secrets.key}", "secrets.key", 'the scope has no "secrets"'),
        ("${stages.bye.output}", "stages.bye.output", 'stages has no "bye"'),
        ("${input.list[2]}", "input.list[2]", "input.list has 2 items and none at [2]"),
        ("${input.list.a}", "input.list.a", "input.list is a list, not a map"),
        ("${input.name.first}", "input.name.first", "input.name is text, not a map"),
        ("${input.name[0]}", "input.name[0]", "input.name is text, not a list"),
        ("${input[0]}", "input[0]", "input is a map, not a list"),
        ("${input.none.x}", "input.none.x", "input.none is null, not a map"),
        ("${input.my-key.x}", "input.my-key.x", "input.my-key is a number, not a map"),
        ("${input.list[1].a.b}", "input.list[1].a.b", "input.list[1].a is a boolean, not a map"),
        ("so ${input.none}", "input.none", "it is null, which has no text"),
    ],
)
def test_a_reference_that_resolves_to_nothing_says_what_was_missing(text: str, reference: str, missing: str) -> None:
    expression = compile_expression({"a": text})

    with pytest.raises(UnresolvedReference) as caught:
        expression.render(SCOPE)

    assert (caught.value.reference, caught.value.missing) == (reference, missing)
    assert str(caught.value) == f"${{{reference}}} resolves to nothing: {missing}"


def test_references_say_what_they_point_at_and_where_they_stand() -> None:
    expression = compile_expression({"a": ["${input.x} and ${input.y[0]}"], "b": {"c": '${stages.s.output["d e"]}'}})

    assert expression.references == (
        Reference(("input", "x"), ("a", 0)),
        Reference(("input", "y", 0), ("a", 0)),
        Reference(("stages", "s", "output", "d e"), ("b", "c")),
    )


def test_rendering_copies_what_it_fills_and_shares_the_rest() -> None:
    constant = {"deep": [1, 2]}
    value: dict[str, Any] = {"filled": {"name": "${input.name}", "kept": 1}, "constant": constant}

    rendered = compile_expression(value).render(SCOPE)

    assert rendered == {"filled": {"name": "Ada", "kept": 1}, "constant": {"deep": [1, 2]}}
    assert isinstance(rendered, dict)
    assert rendered["constant"] is constant
    assert value == {"filled": {"name": "${input.name}", "kept": 1}, "constant": {"deep": [1, 2]}}


@settings(deadline=None)
@given(JSON)
def test_an_expression_without_references_renders_to_the_very_same_object(value: Any) -> None:
    try:
        expression = compile_expression(value)
    except ExpressionError:
        assert "${" in json.dumps(value)
        return

    if "${" not in json.dumps(value):
        assert expression.references == ()
        assert expression.render({}) is value


@settings(deadline=None)
@given(JSON)
def test_whatever_a_whole_reference_points_at_arrives_unchanged(value: Any) -> None:
    rendered = compile_expression({"a": ["${input}"]}).render({"input": value})

    assert rendered == {"a": [value]}
    assert isinstance(rendered, dict)
    assert rendered["a"][0] is value


@settings(deadline=None)
@given(JSON.filter(lambda value: value is not None and not isinstance(value, str)))
def test_what_became_text_reads_back_as_the_same_json(value: Any) -> None:
    rendered = compile_expression("v${input}").render({"input": value})

    assert isinstance(rendered, str)
    assert json.loads(rendered[1:]) == value


@settings(deadline=None)
@given(PATHS)
def test_every_path_written_out_is_a_reference_to_that_path(path: Path) -> None:
    assert compile_expression(f"${{{dotted(path)}}}").references == (Reference(path, ()),)


@settings(deadline=None)
@given(st.text(alphabet='${}[]".\\ab0 -\n') | st.text())
def test_any_text_can_be_written_by_doubling_its_dollars(text: str) -> None:
    assert render(text.replace("${", "$${")) == text


@settings(deadline=None)
@given(st.text(alphabet='${}[]".\\ab0 -\n') | st.text())
def test_every_opening_brace_is_a_reference_or_a_fault(text: str) -> None:
    found: tuple[object, ...]
    try:
        found = compile_expression(text).references
    except ExpressionError as error:
        found = error.faults

    assert bool(found) == ("${" in text.replace("$${", " "))
