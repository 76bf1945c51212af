"""Reads a template out of its nodes: every rule of the language that is not one of syntax.

Invariant: a template that leaves here can be executed as it stands: its stages have an order, and whatever they refer
to comes before them.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast, get_args

from orchestrator.core.json_value import Path, clipped
from orchestrator.core.reference import Expression, ExpressionError, Reference, compile_expression
from orchestrator.core.template_fault import Faults
from orchestrator.core.template_field import Field, FieldReader
from orchestrator.core.template_node import MapNode, Node, plain, position_at
from orchestrator.core.template_order import StageOrder, order_of
from orchestrator.core.template_schema import InputSchema, schema_faults
from orchestrator.core.template_stage import OnTimeout, RetryPolicy, StageSpec, WaitSpec

MAX_STAGES: Final = 1_000
MAX_VERSION: Final = 2**31 - 1
MAX_ATTEMPTS: Final = 20
DEFAULT_TIMEOUT: Final = timedelta(minutes=10)
DEFAULT_RETRY: Final = RetryPolicy(3, timedelta(milliseconds=500), timedelta(seconds=60))

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME_RULE: Final = "a name of lower-case letters, digits and _, beginning with a letter, of at most 63"
_ACTION: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_ACTION_RULE: Final = "an action's name of lower-case letters, digits and _ . -, beginning with a letter, of at most 63"

TEMPLATE_FIELDS: Final = ("template", "version", "description", "input", "defaults", "stages", "output")
STAGE_FIELDS: Final = ("action", "needs", "with", "timeout", "retry", "description", "wait")
_ACTION_ONLY: Final = ("with", "timeout", "retry")
_ROOTS: Final = ("input", "stages")
_NOTHING: Final = compile_expression({})


@dataclass(frozen=True, slots=True)
class Parts:
    """What a template's text says, with defaults filled in; the stages are in their order."""

    name: str
    version: int | None
    description: str | None
    input: InputSchema
    stages: tuple[StageSpec, ...]
    output: Expression | None


def check_template(root: Node, faults: Faults) -> Parts:
    """Reads and checks the whole template. Raises TemplateError with every fault, those of the reading included."""
    return _TemplateCheck(faults).parts(root)


@dataclass(frozen=True, slots=True)
class _Defaults:
    timeout: timedelta = DEFAULT_TIMEOUT
    retry: RetryPolicy = DEFAULT_RETRY


@dataclass(slots=True)
class _TemplateCheck:
    faults: Faults
    read: FieldReader = field(init=False)
    # Every expression with its field and the stage it belongs to, if any: checked once the stages have an order.
    expressions: list[tuple[Expression, Field, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read = FieldReader(self.faults)

    def parts(self, root: Node) -> Parts:
        top = self.read.fields(Field((), root.position, root), TEMPLATE_FIELDS, ("template", "stages"))
        name = self.read.name(top["template"], _NAME, _NAME_RULE) if "template" in top else ""
        version = self.read.whole(top["version"], 1, MAX_VERSION) if "version" in top else None
        description = self.read.text(top["description"]) if "description" in top else None
        schema = self._input(top["input"]) if "input" in top else InputSchema(None)
        defaults = self._defaults(top["defaults"]) if "defaults" in top else _Defaults()
        fields = self._stage_fields(top["stages"]) if "stages" in top else {}
        stages = {stage: self._stage(stage, fields, defaults) for stage in fields}
        output = self._expression(top["output"], None) if "output" in top else None

        order = order_of({stage: spec.needs for stage, spec in stages.items()})
        for circle in order.circles:
            stage = fields[circle[0]]
            self.faults.add(stage.path, stage.position, f"needs itself in the end: {' -> '.join((*circle, circle[0]))}")
        self._check_references(_ReferenceRules(schema, stages, order, self.faults.suggestion))
        self.faults.raise_if_any()
        return Parts(name, version, description, schema, tuple(stages[stage] for stage in order.stages), output)

    def _input(self, given: Field) -> InputSchema:
        schema = plain(given.node)
        if not isinstance(schema, dict):
            self.read.refuse(given, "must be a JSON Schema, written as a map")
            return InputSchema(None)
        faults = schema_faults(schema)
        for path, message in faults:
            self.faults.add((*given.path, *path), position_at(given.node, path), message)
        return InputSchema(None if faults else schema)

    def _defaults(self, given: Field) -> _Defaults:
        fields = self.read.fields(given, ("timeout", "retry"))
        return _Defaults(self._timeout(fields, DEFAULT_TIMEOUT), self._retry(fields, DEFAULT_RETRY))

    def _timeout(self, fields: Mapping[str, Field], default: timedelta) -> timedelta:
        return self.read.duration(fields["timeout"]) if "timeout" in fields else default

    def _retry(self, fields: Mapping[str, Field], default: RetryPolicy) -> RetryPolicy:
        if "retry" not in fields:
            return default
        retry = self.read.fields(fields["retry"], ("max", "backoff"))
        most = self.read.whole(retry["max"], 1, MAX_ATTEMPTS) if "max" in retry else default.max_attempts
        rests = default.backoff, default.backoff_cap
        return RetryPolicy(most, *(self.read.duration_range(retry["backoff"]) if "backoff" in retry else rests))

    def _stage_fields(self, given: Field) -> Mapping[str, Field]:
        stages = self.read.map(given)
        if isinstance(given.node, MapNode) and not 1 <= len(stages) <= MAX_STAGES:
            self.read.refuse(given, f"a template has 1 to {MAX_STAGES} stages, not {len(stages)}")
        for name, stage in stages.items():
            if not _NAME.fullmatch(name):
                self.faults.add(stage.path, stage.position, f'"{clipped(name)}" must be {_NAME_RULE}')
        return stages

    def _stage(self, name: str, stages: Mapping[str, Field], defaults: _Defaults) -> StageSpec:
        stage = stages[name]
        fields = self.read.fields(stage, STAGE_FIELDS)
        if isinstance(stage.node, MapNode) and ("action" in fields) == ("wait" in fields):
            self.faults.add(stage.path, stage.position, 'must have either "action" or "wait"')
        elif "wait" in fields:
            for only in (fields[key] for key in _ACTION_ONLY if key in fields):
                self.faults.add(only.path, only.position, "is for a stage with an action, and this one waits")
        if "description" in fields:
            self.read.text(fields["description"])
        return StageSpec(
            name=name,
            action=self.read.name(fields["action"], _ACTION, _ACTION_RULE) if "action" in fields else None,
            needs=self._needs(name, fields["needs"], stages) if "needs" in fields else (),
            with_=self._with(fields["with"], name) if "with" in fields else _NOTHING,
            timeout=self._timeout(fields, defaults.timeout),
            retry=self._retry(fields, defaults.retry),
            wait=self._wait(fields["wait"]) if "wait" in fields else None,
        )

    def _needs(self, name: str, given: Field, stages: Mapping[str, Field]) -> tuple[str, ...]:
        needs: dict[str, None] = {}
        for item in self.read.items(given):
            need = self.read.name(item, _NAME, _NAME_RULE)
            if need == name:
                self.read.refuse(item, "a stage cannot need itself")
            elif need in needs:
                self.read.refuse(item, f'"{need}" is listed twice')
            elif need in stages:
                needs[need] = None
            elif need:
                self.read.refuse(item, f'unknown stage "{need}"{self.faults.suggestion(need, stages)}')
        return tuple(needs)

    def _with(self, given: Field, stage: str) -> Expression:
        if isinstance(given.node, MapNode):
            return self._expression(given, stage)
        self.read.refuse(given, "must be a map")
        return _NOTHING

    def _wait(self, given: Field) -> WaitSpec:
        fields = self.read.fields(given, ("signal", "timeout", "onTimeout"), ("signal",))
        if "onTimeout" in fields and "timeout" not in fields:
            self.faults.add(fields["onTimeout"].path, fields["onTimeout"].position, "means nothing without a timeout")
        return WaitSpec(
            signal=self.read.name(fields["signal"], _NAME, _NAME_RULE) if "signal" in fields else "",
            timeout=self.read.duration(fields["timeout"]) if "timeout" in fields else None,
            on_timeout=self._on_timeout(fields["onTimeout"]) if "onTimeout" in fields else "fail",
        )

    def _on_timeout(self, given: Field) -> OnTimeout:
        return cast(OnTimeout, self.read.choice(given, get_args(OnTimeout)))

    def _expression(self, given: Field, stage: str | None) -> Expression:
        try:
            expression = compile_expression(plain(given.node))
        except ExpressionError as error:
            expression = error.expression
            for fault in error.faults:
                self.faults.add((*given.path, *fault.path), position_at(given.node, fault.path), fault.message)
        self.expressions.append((expression, given, stage))
        return expression

    def _check_references(self, rules: "_ReferenceRules") -> None:
        for expression, given, stage in self.expressions:
            for reference in expression.references:
                if message := rules.broken_by(reference, stage):
                    place = position_at(given.node, reference.within)
                    self.faults.add((*given.path, *reference.within), place, message)


@dataclass(frozen=True, slots=True)
class _ReferenceRules:
    """What a reference may point at."""

    schema: InputSchema
    stages: Collection[str]
    order: StageOrder
    suggestion: Callable[[str, Collection[str]], str]

    def broken_by(self, reference: Reference, stage: str | None) -> str | None:
        """Why the reference can never resolve where it stands: in `stage`, or in the output if that is None."""
        match reference.path:
            case ("input", *steps):
                return self._input_fault(tuple(steps))
            case ("stages", str(name), "output", *_):
                return self._stage_fault(name, stage)
            case ("stages", *_):
                return f"a stage is referred to as stages.<id>.output, not as {clipped(str(reference))}"
            case _:
                root = str(reference.path[0])
                hint = self.suggestion(root, _ROOTS) or "; known are input and stages"
                return f'unknown root "{clipped(root)}"{hint}'

    def _input_fault(self, path: Path) -> str | None:
        refused = self.schema.refused_step(path)
        if refused is None:
            return None
        step, known = refused
        return f'no valid input has "{clipped(step)}" there{self.suggestion(step, known)}'

    def _stage_fault(self, name: str, stage: str | None) -> str | None:
        if name not in self.stages:
            return f'unknown stage "{clipped(name)}"{self.suggestion(name, self.stages)}'
        if name == stage:
            return "a stage cannot refer to its own output"
        # A stage that is kept from the order by a circle has nothing before it yet: that fault is enough.
        if stage is not None and name not in self.order.before.get(stage, (name,)):
            return f'"{name}" does not come before this stage: add it to needs'
        return None
