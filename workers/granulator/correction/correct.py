"""A structure bettered by rule: repaired, completed, or built anew more or less finely, whichever measures best."""

from collections.abc import Iterator

from workers.granulator.correction.completion import COMPLETED, completed
from workers.granulator.correction.repairs import repaired
from workers.granulator.kinds import KINDS
from workers.granulator.quality.tree import placed_below
from workers.granulator.quality.validation import validate
from workers.granulator.quality.yardstick import from_outline
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Structure, StructureType

LEVELS = range(1, 6)
BY_RULES = Structure.model_fields["provider"].default
"""Who has made a structure that the kinds' own builders have made."""


def correct(structure_type: StructureType, previous: Structure, outline: Outline | None, brief: Brief) -> Structure:
    """The best of what the rules can make of a structure; without an outline, the structure repaired.

    What a model wrote is kept as far as it is sound; what the rules themselves built may be built anew. Nothing is
    added beyond the elements that the brief allows; equal inputs give equal results.
    """
    if outline is None:
        return repaired(previous, None)
    yardstick = from_outline(outline)
    candidates = _candidates(structure_type, previous, outline, brief)
    return max(candidates, key=lambda candidate: validate(candidate, yardstick).score)


def _candidates(
    structure_type: StructureType, previous: Structure, outline: Outline, brief: Brief
) -> Iterator[Structure]:
    mended = repaired(previous, outline)
    yield mended
    build = KINDS[structure_type].build
    if previous.provider == BY_RULES:
        finer_and_coarser = (brief.granularity_level + 1, brief.granularity_level - 1)
        for level in sorted(set(LEVELS).intersection(finer_and_coarser)):
            built: Structure = build(outline, brief.model_copy(update={"granularity_level": level}))
            if sum(1 for _ in placed_below(built)) <= brief.max_elements:
                yield built
    elif structure_type in COMPLETED:
        yield repaired(completed(mended, build(outline, brief), outline, brief.max_elements), outline)
