"""The template language: what a good template reads as, and each fault with its path, line and column."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.reference import UnresolvedReference, compile_expression
from orchestrator.core.template import (
    Fault,
    RetryPolicy,
    StageSpec,
    Template,
    TemplateError,
    WaitSpec,
    parse_template,
)

TEMPLATES = Path(__file__).parents[2] / "templates"
README = (TEMPLATES / "README.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)

NAME_RULE = "a name of lower-case letters, digits and _, beginning with a letter, of at most 63"
ACTION_RULE = "an action's name of lower-case letters, digits and _ . -, beginning with a letter, of at most 63"
DURATION_RULE = 'must be a duration such as "500ms", "30s", "10m" or "2h", at most "8784h"'
DEFAULT_RETRY = RetryPolicy(3, timedelta(milliseconds=500), timedelta(seconds=60))

GREET = """\
template: greet_twice
version: 1
input: {type: object, required: [name], properties: {name: {type: string}}}
stages:
  hello: {action: echo, with: {text: "hello ${input.name}"}}
  again: {needs: [hello], action: echo, with: {text: "${stages.hello.output.text}!"}}
output: {text: "${stages.again.output.text}"}
"""


def faults_of(source: str) -> tuple[Fault, ...]:
    with pytest.raises(TemplateError) as caught:
        parse_template(source)
    return caught.value.faults


def faults_of_stage(stage: str) -> tuple[Fault, ...]:
    """The faults of a template whose first stage, `a`, is written from line 3, column 6 on; `b` comes before it."""
    return faults_of(f"template: t\nstages:\n  a: {stage}\n  b: {{action: echo}}\n")


def a_stage(name: str, action: str | None = "echo", **fields: Any) -> StageSpec:
    with_ = compile_expression(fields.pop("with_", {}))
    defaults: dict[str, Any] = {"needs": (), "timeout": timedelta(minutes=10), "retry": DEFAULT_RETRY, "wait": None}
    return StageSpec(name=name, action=action, with_=with_, **(defaults | fields))


def test_a_template_reads_as_what_it_says() -> None:
    template = parse_template(GREET)

    assert template == Template(
        name="greet_twice",
        version=1,
        description=None,
        input=template.input,
        stages=(
            a_stage("hello", with_={"text": "hello ${input.name}"}),
            a_stage("again", needs=("hello",), with_={"text": "${stages.hello.output.text}!"}),
        ),
        output=compile_expression({"text": "${stages.again.output.text}"}),
        document={
            "template": "greet_twice",
            "version": 1,
            "input": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "stages": {
                "hello": {"action": "echo", "with": {"text": "hello ${input.name}"}},
                "again": {"needs": ["hello"], "action": "echo", "with": {"text": "${stages.hello.output.text}!"}},
            },
            "output": {"text": "${stages.again.output.text}"},
        },
    )
    assert template.input_schema == template.document["input"]


def test_a_stage_takes_what_it_does_not_say_from_the_defaults_field_by_field() -> None:
    template = parse_template(
        """
        template: t
        defaults: {timeout: 2m, retry: {max: 5}}
        stages:
          a: {action: http.fetch-2}
          b: {action: echo, timeout: 500ms, retry: {backoff: 2s..2m}}
        """
    )

    assert template.stages == (
        a_stage("a", "http.fetch-2", timeout=timedelta(minutes=2), retry=replace(DEFAULT_RETRY, max_attempts=5)),
        a_stage(
            "b", timeout=timedelta(milliseconds=500), retry=RetryPolicy(5, timedelta(seconds=2), timedelta(minutes=2))
        ),
    )


def test_a_stage_may_wait_for_a_signal_in_place_of_an_action() -> None:
    template = parse_template(
        """
        template: t
        stages:
          a: {wait: {signal: approval, timeout: 24h, onTimeout: skip}}
          b: {wait: {signal: vote}}
        """
    )

    assert template.stages == (
        a_stage("a", None, wait=WaitSpec("approval", timedelta(hours=24), "skip")),
        a_stage("b", None, wait=WaitSpec("vote", None, "fail")),
    )


def test_stages_come_in_an_order_that_their_needs_allow_and_otherwise_as_written() -> None:
    template = parse_template(
        """
        template: t
        stages:
          last: {needs: [left, right], action: echo}
          right: {needs: [first], action: echo}
          left: {needs: [first], action: echo}
          alone: {action: echo}
          first: {action: echo}
        """
    )

    assert [stage.name for stage in template.stages] == ["alone", "first", "right", "left", "last"]
    assert template.by_name == {stage.name: stage for stage in template.stages}
    assert template.last == ("alone", "last")
    assert template.dependents == {
        "first": ("right", "left"),
        "right": ("last",),
        "left": ("last",),
        "alone": (),
        "last": (),
    }


def test_the_result_is_the_output_rendered() -> None:
    scope = {"input": {"name": "Ada"}, "stages": {"again": {"output": {"text": "hello Ada!"}}}}

    assert parse_template(GREET).result(scope) == {"text": "hello Ada!"}
    with pytest.raises(UnresolvedReference):
        parse_template(GREET).result({"input": {}, "stages": {}})


def test_without_an_output_the_result_is_what_the_last_stages_answered() -> None:
    template = parse_template("template: t\nstages: {a: {action: x}, b: {action: x, needs: [a]}, c: {action: x}}\n")
    scope = {"input": {}, "stages": {name: {"output": name.upper()} for name in "abc"}}

    assert template.result(scope) == {"b": "B", "c": "C"}


@pytest.mark.parametrize(
    ("attempt", "jitter", "seconds"),
    [
        (1, 0.0, 0.25),
        (1, 0.5, 0.375),
        (2, 0.0, 0.5),
        (7, 0.0, 16.0),
        (8, 0.0, 30.0),
        (20, 0.0, 30.0),
        (10**9, 0.0, 30.0),
    ],
)
def test_the_rest_between_attempts_doubles_up_to_its_cap(attempt: int, jitter: float, seconds: float) -> None:
    assert DEFAULT_RETRY.delay(attempt, jitter) == timedelta(seconds=seconds)


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_the_rest_stays_in_the_upper_half_of_what_is_due(attempt: int, jitter: float) -> None:
    due = min(timedelta(milliseconds=500) * 2 ** (attempt - 1), timedelta(seconds=60))

    assert due / 2 <= DEFAULT_RETRY.delay(attempt, jitter) <= due


@pytest.mark.parametrize("source", [*EXAMPLES, (TEMPLATES / "greet_twice.yaml").read_text()])
def test_every_example_is_a_template_and_survives_its_storing_as_json(source: str) -> None:
    template = parse_template(source)

    assert parse_template(json.dumps(template.document)) == template


def test_the_readme_shows_every_field_of_the_language() -> None:
    fields = "template version description input defaults stages output action needs with timeout retry wait".split()

    assert len(EXAMPLES) >= 6
    assert [field for field in [*fields, "max", "backoff", "signal", "onTimeout"] if f"`{field}`" not in README] == []


def test_the_faults_that_the_readme_shows_are_those_reported() -> None:
    shown = re.findall(r"^```text\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)

    with pytest.raises(TemplateError) as caught:
        parse_template(EXAMPLES[0].replace("needs: [hello]", "needs: [helo]"))

    assert shown == [f"{caught.value}\n"]


def test_the_same_content_has_the_same_hash_however_it_is_written() -> None:
    template = parse_template(GREET)
    rewritten = {"version": 7, **{key: value for key, value in reversed(template.document.items()) if key != "version"}}

    assert parse_template(json.dumps(rewritten)).content_hash == template.content_hash
    assert parse_template(GREET.replace("hello ", "bye ")).content_hash != template.content_hash
    assert re.fullmatch("[0-9a-f]{64}", template.content_hash)


def test_every_fault_of_a_template_is_reported_at_once_in_the_order_of_the_text() -> None:
    source = """\
template: Greet
versoin: 1
input:
  type: object
  additionalProperties: false
  properties: {name: {type: string}}
defaults: {timeout: 5, retry: {max: 0, backoff: 2s}}
stages:
  hello: {action: Echo, with: {text: "${input.nmae} ${inputs.x}"}}
  again: {needs: [helo, hello, hello, again], wth: {}}
  hello: {action: echo}
  approve: {wait: {signal: ok, onTimeout: explode}, timeout: 5s}
output: "${stages.again.result} ${stages.done.output} ${"
"""

    assert faults_of(source) == (
        Fault("template", 1, 11, f'"Greet" must be {NAME_RULE}'),
        Fault("versoin", 2, 1, 'unknown field "versoin"; did you mean "version"?'),
        Fault("defaults.timeout", 7, 21, DURATION_RULE),
        Fault("defaults.retry.max", 7, 36, "must be a whole number from 1 to 20"),
        Fault("defaults.retry.backoff", 7, 48, 'must be the first and the longest rest, such as "500ms..60s"'),
        Fault("stages.hello.action", 9, 19, f'"Echo" must be {ACTION_RULE}'),
        Fault("stages.hello.with.text", 9, 38, 'no valid input has "nmae" there; did you mean "name"?'),
        Fault("stages.hello.with.text", 9, 38, 'unknown root "inputs"; did you mean "input"?'),
        Fault("stages.again", 10, 3, 'must have either "action" or "wait"'),
        Fault("stages.again.needs[0]", 10, 19, 'unknown stage "helo"; did you mean "hello"?'),
        Fault("stages.again.needs[2]", 10, 32, '"hello" is listed twice'),
        Fault("stages.again.needs[3]", 10, 39, "a stage cannot need itself"),
        Fault("stages.again.wth", 10, 47, 'unknown field "wth"; did you mean "with"?'),
        Fault("stages.hello", 11, 3, '"hello" is given twice; the first is on line 9'),
        Fault("stages.approve.wait.onTimeout", 12, 32, "means nothing without a timeout"),
        Fault("stages.approve.wait.onTimeout", 12, 43, "must be fail or skip"),
        Fault("stages.approve.timeout", 12, 53, "is for a stage with an action, and this one waits"),
        Fault("output", 13, 9, 'a "${" is never closed by "}"; to write it as text, write "$${"'),
        Fault("output", 13, 9, "a stage is referred to as stages.<id>.output, not as stages.again.result"),
        Fault("output", 13, 9, 'unknown stage "done"'),
    )


def test_an_error_prints_one_line_for_each_fault() -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template("template: t\nstages: {a: {action: x, needs: [b]}}\nwhen: x\n")

    assert str(caught.value) == (
        'line 2, column 33: stages.a.needs[0]: unknown stage "b"\n'
        'line 3, column 1: when: unknown field "when"; '
        "known here: template, version, description, input, defaults, stages, output"
    )


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x", (Fault("", 1, 1, "must be a map"),)),
        ("[]", (Fault("", 1, 1, "must be a map"),)),
        (
            "description: x",
            (Fault("", 1, 1, 'the field "template" is missing'), Fault("", 1, 1, 'the field "stages" is missing')),
        ),
        ("template: t\nstages: {}", (Fault("stages", 2, 9, "a template has 1 to 1000 stages, not 0"),)),
        ("template: t\nstages: [a]", (Fault("stages", 2, 9, "must be a map"),)),
        ("template: 5\nstages: {a: {action: x}}", (Fault("template", 1, 11, f"must be {NAME_RULE}"),)),
        ("template: t\nstages: {A-b: {action: x}}", (Fault("stages.A-b", 2, 10, f'"A-b" must be {NAME_RULE}'),)),
        (
            "template: t\nversion: true\ndescription: 5\nstages: {a: {action: x}}",
            (
                Fault("version", 2, 10, "must be a whole number from 1 to 2147483647"),
                Fault("description", 3, 14, "must be text"),
            ),
        ),
        (
            "template: t\ndefaults: {budget: 3}\nstages: {a: {action: x}}",
            (Fault("defaults.budget", 2, 12, 'unknown field "budget"; known here: timeout, retry'),),
        ),
    ],
)
def test_a_template_has_its_fields_and_they_have_their_types(source: str, faults: tuple[Fault, ...]) -> None:
    assert faults_of(source) == faults


@pytest.mark.parametrize(
    ("stage", "faults"),
    [
        ("", (Fault("stages.a", 3, 6, "must be a map"),)),
        ("{}", (Fault("stages.a", 3, 3, 'must have either "action" or "wait"'),)),
        ("{action: x, wait: {signal: s}}", (Fault("stages.a", 3, 3, 'must have either "action" or "wait"'),)),
        ("{action: x, needs: b}", (Fault("stages.a.needs", 3, 25, "must be a list"),)),
        ("{action: x, needs: [1]}", (Fault("stages.a.needs[0]", 3, 26, f"must be {NAME_RULE}"),)),
        ("{action: x, with: text}", (Fault("stages.a.with", 3, 24, "must be a map"),)),
        ('{action: x, with: "${input}"}', (Fault("stages.a.with", 3, 24, "must be a map"),)),
        ("{action: x, description: [x]}", (Fault("stages.a.description", 3, 31, "must be text"),)),
        ("{action: x, retry: 3}", (Fault("stages.a.retry", 3, 25, "must be a map"),)),
        (
            "{action: x, retry: {on: [lost]}}",
            (Fault("stages.a.retry.on", 3, 26, 'unknown field "on"; known here: max, backoff'),),
        ),
        (
            "{action: x, when: input.a}",
            (
                Fault(
                    "stages.a.when",
                    3,
                    18,
                    'unknown field "when"; known here: action, needs, with, timeout, retry, description, wait',
                ),
            ),
        ),
        ("{wait: s}", (Fault("stages.a.wait", 3, 13, "must be a map"),)),
        ("{wait: {timeout: 5s}}", (Fault("stages.a.wait", 3, 7, 'the field "signal" is missing'),)),
        (
            "{wait: {signal: s}, with: {}, retry: {max: 2}}",
            (
                Fault("stages.a.with", 3, 26, "is for a stage with an action, and this one waits"),
                Fault("stages.a.retry", 3, 36, "is for a stage with an action, and this one waits"),
            ),
        ),
    ],
)
def test_a_stage_has_its_fields_and_they_have_their_types(stage: str, faults: tuple[Fault, ...]) -> None:
    assert faults_of_stage(stage) == faults


@pytest.mark.parametrize(
    "duration", ["5", "'5'", "0s", "-1s", "1.5s", "5 s", "5d", "9000h", "99999999999999h", "null", "[]"]
)
def test_a_duration_has_a_unit_and_bounds(duration: str) -> None:
    assert faults_of_stage(f"{{action: x, timeout: {duration}}}") == (Fault("stages.a.timeout", 3, 27, DURATION_RULE),)


@pytest.mark.parametrize("backoff", ["2s", "2s..", "60s..1s", "0s..1s", "1s..2s..3s", "1s...2s", "1..2"])
def test_a_backoff_goes_from_a_first_rest_to_a_longest(backoff: str) -> None:
    message = 'must be the first and the longest rest, such as "500ms..60s"'
    fault = Fault("stages.a.retry.backoff", 3, 35, message)

    assert faults_of_stage(f"{{action: x, retry: {{backoff: {backoff}}}}}") == (fault,)


def test_a_circle_of_needs_is_named() -> None:
    source = """\
template: t
stages:
  start: {action: x}
  c: {action: x, needs: [a], with: {x: "${stages.b.output}"}}
  a: {action: x, needs: [start, b]}
  b: {action: x, needs: [c]}
  end: {action: x, needs: [a], with: {x: "${stages.start.output}"}}
"""

    assert faults_of(source) == (Fault("stages.c", 4, 3, "needs itself in the end: c -> a -> b -> c"),)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("stages.b.output", '"b" does not come before this stage: add it to needs'),
        ("stages.a.output", "a stage cannot refer to its own output"),
        ("stages.bb.output.x", 'unknown stage "bb"; did you mean "b"?'),
        ("stages", "a stage is referred to as stages.<id>.output, not as stages"),
        ("stages.b", "a stage is referred to as stages.<id>.output, not as stages.b"),
        ("stages[0].output", "a stage is referred to as stages.<id>.output, not as stages[0].output"),
        ("item.x", 'unknown root "item"; known are input and stages'),
        ("stage.b.output", 'unknown root "stage"; did you mean "stages"?'),
    ],
)
def test_a_stage_refers_only_to_the_input_and_to_what_came_before(reference: str, message: str) -> None:
    fault = Fault("stages.a.with.x[0]", 3, 29, message)

    assert faults_of_stage(f'{{action: x, with: {{x: ["${{{reference}}}"]}}}}') == (fault,)


def test_a_stage_may_refer_to_what_came_before_through_others() -> None:
    template = parse_template(
        """
        template: t
        stages:
          c: {needs: [b], action: x, with: {x: "${stages.a.output.y}"}}
          b: {needs: [a], action: x}
          a: {action: x}
        """
    )

    assert [stage.name for stage in template.stages] == ["a", "b", "c"]


INPUT = """\
template: t
input:
  additionalProperties: false
  properties:
    open: {type: object}
    closed: {additionalProperties: false, properties: {list: {items: {$ref: "#/$defs/item"}}}}
    named: {additionalProperties: false, patternProperties: {"^x": true}}
    rows: {items: {additionalProperties: false, properties: {name: true}}}
    pair: {prefixItems: [true], items: {additionalProperties: false}}
  $defs: {item: {additionalProperties: false}}
stages:
"""


@pytest.mark.parametrize(
    "reference",
    [
        "input",
        "input.open.anything",
        "input.closed.list[0].unknown",
        "input.named.xyz",
        "input.rows[3].name.deeper",
        "input.pair[0].x",
        "input.open[0]",
    ],
)
def test_a_path_into_the_input_that_may_exist_is_let_be(reference: str) -> None:
    template = parse_template(f'{INPUT}  a: {{action: x, with: {{x: "${{{reference}}}"}}}}\n')

    assert [str(found) for found in template.stages[0].with_.references] == [reference]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("input.opne.x", 'no valid input has "opne" there; did you mean "open"?'),
        ("input.closed.lists", 'no valid input has "lists" there; did you mean "list"?'),
        ("input.rows[0].nam", 'no valid input has "nam" there; did you mean "name"?'),
        ("input.zzz", 'no valid input has "zzz" there'),
    ],
)
def test_a_path_that_a_closed_schema_excludes_is_a_fault(reference: str, message: str) -> None:
    source = f'{INPUT}  a: {{action: x, with: {{x: "${{{reference}}}"}}}}\n'

    assert faults_of(source) == (Fault("stages.a.with.x", 12, 29, message),)


def test_a_template_that_only_its_aliases_make_large_is_refused() -> None:
    lines = r"\n" * 60_000
    source = f'template: t\nstages:\n  a: {{action: x, with: {{a: &a "{lines}", b: *a, c: *a}}}}\n'
    message = "as JSON, without aliases, the template has more than 262144 bytes"

    assert faults_of(source) == (Fault("", 1, 1, message),)


def test_no_more_than_a_thousand_stages() -> None:
    def stages(count: int) -> str:
        return "template: t\nstages:\n" + "".join(f"  s{number}: {{action: x}}\n" for number in range(count))

    assert len(parse_template(stages(1000)).stages) == 1000
    assert faults_of(stages(1001)) == (Fault("stages", 3, 3, "a template has 1 to 1000 stages, not 1001"),)


FRAGMENTS = [
    "",
    "5",
    "null",
    "[]",
    "{}",
    "x",
    "[x, x]",
    "!t x",
    ".nan",
    "&a {b: *a}",
    "*z",
    "'${'",
    "'${a b}'",
    "{x: 1, x: 2}",
]


@settings(deadline=None)
@given(
    st.sampled_from(
        ["template: {}", "input: {}", "input: {{properties: {}}}", "input: {{$ref: {}}}", "defaults: {}", "stages: {}"]
        + ["stages: {{a: {}}}", "stages: {{a: {{needs: {}}}}}", "stages: {{a: {{retry: {}}}}}", "output: {}"]
        + ["stages: {{a: {{with: {}}}}}", "stages: {{a: {{wait: {}}}}}", "stages: {{a: {{wait: {{signal: {}}}}}}}"]
    ),
    st.sampled_from(FRAGMENTS) | st.text(),
    st.sampled_from(["", "template: t\n", GREET]),
)
def test_any_text_is_a_template_or_a_template_error(place: str, fragment: str, rest: str) -> None:
    faults: tuple[Fault, ...] | None = None
    try:
        template = parse_template(rest + place.format(fragment))
    except TemplateError as error:
        faults = error.faults
    else:
        assert parse_template(json.dumps(template.document)) == template

    assert faults is None or faults == tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    assert faults != ()
