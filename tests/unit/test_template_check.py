"""The rules of the template language: every fault with its path, line and column."""

import pytest

from orchestrator.core.template import Fault, TemplateError, parse_template

NAME_RULE = "a name of lower-case letters, digits and _, beginning with a letter, of at most 63"
ACTION_RULE = "an action's name of lower-case letters, digits and _ . -, beginning with a letter, of at most 63"
DURATION_RULE = 'must be a duration such as "500ms", "30s", "10m" or "2h", at most "8784h"'


def faults_of(source: str) -> tuple[Fault, ...]:
    with pytest.raises(TemplateError) as caught:
        parse_template(source)
    return caught.value.faults


def faults_of_stage(stage: str) -> tuple[Fault, ...]:
    """The faults of a template whose first stage, `a`, is written from line 3, column 6 on; `b` comes before it."""
    return faults_of(f"template: t\nstages:\n  a: {stage}\n  b: {{action: echo}}\n")


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
        Fault("defaults.retry.max", 7, 37, "must be a whole number from 1 to 20"),
        Fault("defaults.retry.backoff", 7, 49, 'must be the first and the longest rest, such as "500ms..60s"'),
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
        ("null", (Fault("stages.a", 3, 6, "must be a map"),)),
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


@pytest.mark.parametrize("value", ["!x 3", ".nan", "99999999999999999999"])
def test_of_a_value_that_cannot_be_read_nothing_more_is_said(value: str) -> None:
    faults = faults_of_stage(f"{{action: x, retry: {{max: {value}}}}}")

    assert [(fault.path, fault.line, fault.column) for fault in faults] == [("stages.a.retry.max", 3, 31)]


def test_names_are_suggested_until_that_would_take_too_long() -> None:
    stages = "".join(f"  stage_{number:04}: {{action: x}}\n" for number in range(999))
    needs = ", ".join(f"stag_{number:04}" for number in range(20))
    faults = faults_of(f"template: t\nstages:\n  a: {{action: x, needs: [{needs}]}}\n{stages}")

    assert [fault.message for fault in faults] == [
        *(f'unknown stage "stag_{number:04}"; did you mean "stage_{number:04}"?' for number in range(5)),
        *(f'unknown stage "stag_{number:04}"' for number in range(5, 20)),
    ]


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

    assert faults_of(source) == (Fault("stages.a.with.x", 12, 28, message),)


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
