"""The master template: a checked, immutable description of an execution's stages.

Invariant: a Template comes from `parse_template` alone, so every rule of the language holds in it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from orchestrator.core.json_value import JsonObject
from orchestrator.core.reference import Expression, Scope
from orchestrator.core.template_fault import Fault, Faults, TemplateError
from orchestrator.core.template_node import plain
from orchestrator.core.template_order import dependents_of
from orchestrator.core.template_stage import RetryPolicy, StageSpec, WaitSpec

if TYPE_CHECKING:
    from orchestrator.core.template_schema import InputFault, InputSchema

__all__ = ["Fault", "RetryPolicy", "StageSpec", "Template", "TemplateError", "WaitSpec", "parse_template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A template, ready to execute. Executions share its values: change none of them.

    `stages` are in an order in which each comes after all that it needs, otherwise in that of the text. `document` is
    the text as plain JSON, for storing: `parse_template` reads it back. `version` is None until publication assigns it.
    """

    name: str
    version: int | None
    description: str | None
    input: "InputSchema"
    stages: tuple[StageSpec, ...]
    output: Expression | None
    document: JsonObject = field(repr=False)

    by_name: Mapping[str, StageSpec] = field(init=False, repr=False, compare=False)
    dependents: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """For each stage those that need it."""
    last: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The stages that no other needs."""

    def __post_init__(self) -> None:
        dependents = dependents_of({stage.name: stage.needs for stage in self.stages})
        object.__setattr__(self, "by_name", {stage.name: stage for stage in self.stages})
        object.__setattr__(self, "dependents", dependents)
        object.__setattr__(self, "last", tuple(stage for stage, needed_by in dependents.items() if not needed_by))

    @property
    def input_schema(self) -> JsonObject | None:
        """The JSON Schema of the input; None takes any object."""
        return self.input.document

    @property
    def content_hash(self) -> str:
        """SHA-256, in hex, of the document without its version: templates that share it say the same."""
        return hashlib.sha256(_canonical(self.document)).hexdigest()

    def check_input(self, value: object) -> "tuple[InputFault, ...]":
        """Every way in which a JSON value breaks the input's schema, ordered by path; empty if it may be executed."""
        return self.input.faults(value)

    def result(self, scope: Scope) -> object:
        """What a finished execution answers: the output, or the last stages' outputs by their names.

        `scope` is as for `Expression.render`. Raises UnresolvedReference.
        """
        if self.output is not None:
            return self.output.render(scope)
        outputs = cast(Mapping[str, Mapping[str, object]], scope["stages"])
        return {stage: outputs[stage]["output"] for stage in self.last}


def parse_template(source: str | bytes) -> Template:
    """Reads a template from YAML or JSON text. Raises TemplateError, which has every fault with line and column."""
    # YAML and JSON Schema weigh as much as the rest of the core: who reads no template does not load them.
    from orchestrator.core.template_check import check_template
    from orchestrator.core.template_source import MAX_BYTES, read_source

    faults = Faults()
    root = read_source(source, faults)
    parts = check_template(root, faults)
    document = cast(JsonObject, plain(root))
    if len(_canonical(document)) > MAX_BYTES:
        raise faults.fatal((), root.position, f"as JSON, without aliases, the template has more than {MAX_BYTES} bytes")
    return Template(parts.name, parts.version, parts.description, parts.input, parts.stages, parts.output, document)


def _canonical(document: JsonObject) -> bytes:
    """One text for all ways to write the same content; the order of stages and keys is no content."""
    content = {key: value for key, value in document.items() if key != "version"}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()
