"""What is to be made and how it is judged: the request's own words, else the template's, else the kind's defaults."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from workers.granulator.granulations.matching import Match, match
from workers.granulator.granulations.templates import THRESHOLDS, Template, Validation
from workers.granulator.inputs import GranulateInput
from workers.granulator.structure import STRUCTURE_TYPES, Brief, StructureType

DEFAULT_TYPE: Final[StructureType] = "course"


class MismatchedTemplate(ValueError):
    """The named template makes another type than the request asks for; the message says what to leave out."""


@dataclass(frozen=True, slots=True)
class Commission:
    """A structure of this type by this brief, judged so; `match` is the template behind it, where one was named.

    `warnings` are sentences on what was asked for and has no effect.
    """

    type: StructureType
    brief: Brief
    validation: Validation
    match: Match | None
    warnings: tuple[str, ...]

    @property
    def template(self) -> Template | None:
        return None if self.match is None else self.match.template


def commissioned(given: GranulateInput, templates: Collection[Template]) -> Commission:
    """The commission that a request is; raises UnknownTemplate or MismatchedTemplate."""
    found = None if given.template_name is None else match(templates, given.template_name, given.structure_type)
    template = found.template if found else None
    structure_type = _type(given, template)
    return Commission(
        type=structure_type,
        brief=_brief(given, template),
        validation=_validation(given, template, structure_type),
        match=found,
        warnings=tuple(f"{path} has no effect here." for path in given.unheeded),
    )


def _type(given: GranulateInput, template: Template | None) -> StructureType:
    if given.structure_type is None:
        return DEFAULT_TYPE if template is None else template.structure_type
    if template is not None and template.structure_type != given.structure_type:
        raise MismatchedTemplate(
            f"The template {template.template_name} makes a {template.structure_type} and not a "
            f"{given.structure_type}; leave structureType out, or name another template."
        )
    return next(known for known in STRUCTURE_TYPES if known == given.structure_type)


def _brief(given: GranulateInput, template: Template | None) -> Brief:
    usual = Brief() if template is None else _brief_of(template)
    return Brief(
        audience=given.audience or usual.audience,
        granularity_level=given.granularity_level or usual.granularity_level,
        max_elements=given.max_elements or given.constraints.max_elements or usual.max_elements,
    )


def _brief_of(template: Template) -> Brief:
    return Brief(
        audience=template.target_audience,
        granularity_level=template.granularity_level,
        max_elements=template.max_elements,
    )


def _validation(given: GranulateInput, template: Template | None, structure_type: StructureType) -> Validation:
    usual = Validation(threshold=THRESHOLDS[structure_type]) if template is None else template.judged
    wanted = given.validation.model_dump(exclude_none=True)
    return usual.model_copy(update=wanted)
