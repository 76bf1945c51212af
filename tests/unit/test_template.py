"""The template: what a good one reads as, what it answers, and that any text is a template or a TemplateError."""

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
from orchestrator.core.template_check import STAGE_FIELDS, TEMPLATE_FIELDS

TEMPLATES = Path(__file__).parents[2] / "templates"
README = (TEMPLATES / "README.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)

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


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_the_rest_stays_in_the_upper_half_of_what_is_due(attempt: int, jitter: float) -> None:
    due = min(timedelta(milliseconds=500) * 2 ** (attempt - 1), timedelta(seconds=60))

    assert due / 2 <= DEFAULT_RETRY.delay(attempt, jitter) <= due


@pytest.mark.parametrize("source", [*EXAMPLES, (TEMPLATES / "greet_twice.yaml").read_text()])
def test_every_example_is_a_template_and_survives_its_storing_as_json(source: str) -> None:
    template = parse_template(source)

    assert parse_template(json.dumps(template.document)) == template


def test_the_readme_shows_every_field_of_the_language() -> None:
    fields = {*TEMPLATE_FIELDS, *STAGE_FIELDS, "max", "backoff", "signal", "onTimeout"}

    assert {field for field in fields if f"`{field}`" not in README} == set()


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


PLACES = [
    "template: {}",
    "input: {}",
    "input: {{properties: {}}}",
    "input: {{$ref: {}}}",
    "defaults: {}",
    "stages: {}",
    "stages: {{a: {}}}",
    "stages: {{a: {{needs: {}}}}}",
    "stages: {{a: {{with: {}}}}}",
    "stages: {{a: {{retry: {}}}}}",
    "stages: {{a: {{wait: {}}}}}",
    "output: {}",
]
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
@given(st.sampled_from(PLACES), st.sampled_from(FRAGMENTS) | st.text(), st.sampled_from(["", "template: t\n", GREET]))
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
