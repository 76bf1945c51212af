"""A granulation template: what a structure of one kind shall be where the request does not say, and how it is judged.

The shipped ones are data beside this module; a worker's own ones have the same form.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from workers.granulator.quality.finding import Finding
from workers.granulator.structure import Element, Structure, StructureType
from workers.granulator.wire import WireValue

Tier = Literal["basic", "standard", "premium", "enterprise"]
TemplateName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
ElementType = Annotated[str, Field(min_length=1, max_length=50)]

THRESHOLDS: Final[Mapping[str, float]] = {
    "course": 70,
    "quiz": 75,
    "novel": 65,
    "workflow": 70,
    "knowledge_map": 70,
    "learning_path": 72,
}
"""From which score of 100 on a structure passes, where neither request nor template says."""


class Validation(WireValue):
    """Whether what is made is judged, how thoroughly, and the score of 100 from which on it passes.

    What does not pass is given all the same, unless passing is `required`.
    """

    enabled: bool = True
    required: bool = False
    level: Annotated[int, Field(ge=1, le=3)] = 2
    threshold: Annotated[float, Field(ge=0, le=100)]


class OwnTemplate(WireValue):
    """A template as its author writes it."""

    template_name: TemplateName
    structure_type: StructureType
    description: Annotated[str, Field(max_length=1_000)] = ""
    complexity_level: Annotated[int, Field(ge=1, le=5)] = 3
    target_audience: Annotated[str, Field(max_length=200)] | None = None
    granularity_level: Annotated[int, Field(ge=1, le=5)] = 3
    max_elements: Annotated[int, Field(ge=10, le=1000)] = 100
    minimum_elements: dict[ElementType, Annotated[int, Field(ge=1, le=1000)]] = Field(default={}, max_length=20)
    validation: Validation | None = None
    minimum_tier: Tier = "basic"
    base_cost_usd: Annotated[Decimal, Field(ge=0, le=10**6, allow_inf_nan=False)] = Decimal(0)
    average_tokens: Annotated[int, Field(ge=0, le=10**9)] = 0
    average_ms: Annotated[int, Field(ge=0, le=10**9)] = 0

    @property
    def judged(self) -> Validation:
        """How its structures are judged, by the threshold of their kind where it names none."""
        return self.validation or Validation(threshold=THRESHOLDS[self.structure_type])

    def shortfalls(self, structure: Structure) -> Iterator[Finding]:
        """What a structure has less of than the template asks for."""
        counts = Counter(element.type for element in _elements(structure))
        for kind, least in self.minimum_elements.items():
            if counts[kind] < least:
                message = (
                    f"The template {self.template_name} asks for {least} {kind} elements; there are {counts[kind]}."
                )
                yield Finding(code="template_minimum", severity="warning", path="", message=message)


class Template(OwnTemplate):
    """A template as the worker keeps it: how often it was used, and whether it is one of the shipped."""

    usage_count: Annotated[int, Field(ge=0)] = 0
    is_shipped: bool = False


@cache
def shipped_templates() -> tuple[Template, ...]:
    """Those that come with the worker, unused."""
    import yaml  # only the first start on a data folder, and whoever has none, reads the file

    text = files(__package__).joinpath("templates.yaml").read_text(encoding="utf-8")
    own = TypeAdapter(tuple[OwnTemplate, ...]).validate_python(yaml.safe_load(text))
    return tuple(Template.model_validate({**template.model_dump(), "is_shipped": True}) for template in own)


def _elements(structure: Structure) -> Iterator[Element]:
    waiting: list[Element] = list(structure.children)
    while waiting:
        element = waiting.pop()
        yield element
        waiting.extend(element.children)
