"""The input's schema: which may be published, what it says of an input, and that it stays cheap and closed."""

from typing import Any

import pytest

from orchestrator.core.template import Fault, TemplateError, parse_template
from orchestrator.core.template_schema import InputFault

COSTLY = "takes more than 5000 steps to check, or nests more than 64 deep, counting each $ref as what it refers to"
NOT_LINEAR = "is not a regular expression that runs in linear time, as look-around never does"


def faults_of(schema: str) -> tuple[Fault, ...]:
    """The faults of a template whose input is `schema`, written from line 2, column 8 on."""
    with pytest.raises(TemplateError) as caught:
        parse_template(f"template: a\ninput: {schema}\nstages: {{a: {{action: echo}}}}\n")
    return caught.value.faults


def check(schema: str, value: Any) -> tuple[InputFault, ...]:
    return parse_template(f"template: a\ninput: {schema}\nstages: {{a: {{action: echo}}}}\n").check_input(value)


def test_every_violation_of_the_meta_schema_is_reported_at_its_place() -> None:
    assert faults_of("{type: strng, required: a, properties: {b: {minimum: x}}}") == (
        Fault(
            "input.type",
            2,
            15,
            'fits no alternative: the value is not one of "array", "boolean" or 5 other candidates'
            ' or the value is not of type "array"',
        ),
        Fault("input.required", 2, 32, 'the value is not of type "array"'),
        Fault("input.properties.b.minimum", 2, 61, 'the value is not of type "number"'),
    )


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:1/schema", "https://json-schema.org/draft/2020-12/schema", "file:///etc/passwd", "x.json", "#x"],
)
def test_a_reference_that_leaves_the_schema_is_refused_unread(reference: str) -> None:
    message = 'only references inside of this schema are followed, like "#/$defs/name"'

    assert faults_of(f"{{$ref: '{reference}'}}") == (Fault('input["$ref"]', 2, 15, message),)


def test_a_reference_that_leads_nowhere_is_a_fault() -> None:
    fault = Fault('input.properties.a["$ref"]', 2, 32, "#/$defs/adress leads nowhere")

    assert faults_of("{properties: {a: {$ref: '#/$defs/adress'}}, $defs: {address: {}}}") == (fault,)


@pytest.mark.parametrize(
    ("schema", "path", "column", "reference"),
    [
        ("{$ref: '#'}", 'input["$ref"]', 15, "#"),
        ("{properties: {a: {$ref: '#'}}}", 'input.properties.a["$ref"]', 32, "#"),
        ("{$defs: {a: {$ref: '#/$defs/a'}}}", 'input["$defs"].a["$ref"]', 27, "#/$defs/a"),
    ],
)
def test_a_schema_that_leads_back_to_itself_is_refused(schema: str, path: str, column: int, reference: str) -> None:
    message = f"{reference} leads back to itself: recursive schemas are not supported"

    assert faults_of(schema) == (Fault(path, 2, column, message),)


def test_references_inside_the_schema_are_followed_by_json_pointer() -> None:
    schema = "{properties: {n: {$ref: '#/$defs/a~1b%25/anyOf/1'}}, $defs: {a/b%: {anyOf: [true, {type: integer}]}}}"

    assert check(schema, {"n": 1}) == ()
    assert check(schema, {"n": "x"}) == (InputFault("input.n", 'the value is not of type "integer"'),)


def test_a_ref_among_data_is_just_a_key() -> None:
    schema = "{properties: {$ref: {type: string}, a: {enum: [{$ref: 'http://x'}]}}, default: {$ref: y}}"

    assert check(schema, {"$ref": "x", "a": {"$ref": "http://x"}}) == ()


@pytest.mark.parametrize("keyword", ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"])
def test_keywords_that_move_what_a_reference_means_are_refused(keyword: str) -> None:
    fault = Fault(f'input.items["{keyword}"]', 2, 19 + len(keyword), f"{keyword} is not supported")

    assert fault in faults_of(f"{{items: {{{keyword}: '#x'}}}}")


def test_only_the_dialect_of_2020_12_is_read() -> None:
    dialect = "https://json-schema.org/draft/2020-12/schema"
    fault = Fault('input["$schema"]', 2, 18, f"only {dialect} is supported, at the top of the schema")

    assert check(f"{{$schema: '{dialect}'}}", 1) == ()
    assert faults_of("{$schema: 'http://json-schema.org/draft-07/schema#'}") == (fault,)


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(?<!a)b", "(a", "(a{1000}){1000}"])
def test_a_pattern_that_could_backtrack_or_grow_is_refused(pattern: str) -> None:
    assert faults_of(f"{{items: {{pattern: '{pattern}'}}}}") == (Fault("input.items.pattern", 2, 26, NOT_LINEAR),)
    assert [fault.message for fault in faults_of(f"{{patternProperties: {{'{pattern}': true}}}}")] == [NOT_LINEAR]


def test_a_pattern_known_for_catastrophic_backtracking_answers_at_once() -> None:
    fault = InputFault("input.a", 'the value does not match "^(a+)+$"')

    assert check("{properties: {a: {pattern: '^(a+)+$'}}}", {"a": "a" * 50_000 + "!"}) == (fault,)


def test_a_schema_that_doubles_at_each_reference_is_refused() -> None:
    doubling = ", ".join(
        f"n{i}: {{allOf: [{{$ref: '#/$defs/n{i + 1}'}}, {{$ref: '#/$defs/n{i + 1}'}}]}}" for i in range(30)
    )

    assert faults_of(f"{{$ref: '#/$defs/n0', $defs: {{{doubling}, n30: {{}}}}}}") == (Fault("input", 2, 8, COSTLY),)


def test_a_chain_of_references_may_be_no_deeper_than_the_text_itself() -> None:
    def chain(length: int) -> str:
        links = ", ".join(f"n{i}: {{$ref: '#/$defs/n{i + 1}'}}" for i in range(length))
        return f"{{$ref: '#/$defs/n0', $defs: {{{links}, n{length}: {{type: string}}}}}}"

    assert check(chain(60), "x") == ()
    assert faults_of(chain(70)) == (Fault("input", 2, 8, COSTLY),)


def test_many_patterns_cost_more_than_many_subschemas() -> None:
    patterns = ", ".join(f"p{i}: {{pattern: '^{i}$'}}" for i in range(60))
    plain = ", ".join(f"p{i}: {{type: string}}" for i in range(900))

    assert faults_of(f"{{properties: {{{patterns}}}}}") == (Fault("input", 2, 8, COSTLY),)
    assert check(f"{{properties: {{{plain}}}}}", {}) == ()


def test_a_definition_costs_what_is_done_with_it() -> None:
    plain = ", ".join(f"p{i}: {{type: string}}" for i in range(3000))
    schema = f"{{$ref: '#/$defs/big', $defs: {{big: {{properties: {{{plain}}}}}}}}}"

    assert check(schema, {"p1": "x"}) == ()
    assert faults_of(schema.replace("{$ref", "{properties: {twice: {$ref: '#/$defs/big'}}, $ref")) == (
        Fault("input", 2, 8, COSTLY),
    )


@pytest.mark.parametrize("schema", ["true", "[]", "x", "null"])
def test_a_schema_is_a_map(schema: str) -> None:
    assert faults_of(schema) == (Fault("input", 2, 8, "must be a JSON Schema, written as a map"),)


def test_every_violation_of_an_input_is_reported_with_its_path() -> None:
    schema = """
      type: object
      required: [name, age]
      additionalProperties: false
      properties:
        name: {type: string, format: email}
        tags: {type: array, items: {type: string}}
        limit: {anyOf: [{type: integer}, {type: "null"}]}
        any key: {maximum: 3}"""

    assert check(schema, {"name": "x", "tags": ["a", 1, None], "limit": "z", "any key": 4, "nmae": 1, "other": 2}) == (
        InputFault("input.age", "is required and missing"),
        InputFault(
            "input.limit", 'fits no alternative: the value is not of type "integer" or the value is not of type "null"'
        ),
        InputFault("input.name", 'the value is not a "email"'),
        InputFault("input.nmae", "is not a known property"),
        InputFault("input.other", "is not a known property"),
        InputFault("input.tags[1]", 'the value is not of type "string"'),
        InputFault("input.tags[2]", 'the value is not of type "string"'),
        InputFault('input["any key"]', "the value is greater than the maximum of 3"),
    )


def test_a_template_without_a_schema_takes_any_object_and_nothing_else() -> None:
    template = parse_template("template: a\nstages: {a: {action: echo}}\n")

    assert template.input_schema is None
    assert template.check_input({"anything": [1, None]}) == ()
    assert template.check_input([]) == (InputFault("input", 'the value is not of type "object"'),)


def test_of_very_many_violations_the_first_hundred_are_reported() -> None:
    assert len(check("{items: {type: string}}", list(range(1000)))) == 100
