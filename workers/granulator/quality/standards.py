"""What a structure of each kind can earn by each measure: the one place where quality is a matter of judgement.

Of every kind, form and source make a hundred points, three fifths for saying what its source says; claims lay a quarter
of that on top. A measure that a kind has no points for is not taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

# fmt: off
Measure = Literal[
    "rules", "duplicates", "depth", "objectives", "titles", "balance", "durations",
    "coverage", "sections", "span",
    "citations", "answers", "order",
]
# fmt: on
Points = Mapping[Measure, int]

Level = Annotated[int, Field(ge=1, le=3)]
"""1: the form alone. 2: also what of the source it takes up. 3: also whether what it says stands in the source."""
USUAL_LEVEL: Final = 2


@dataclass(frozen=True, slots=True)
class Standard:
    """The points of each measure that a kind is judged by, for its form, its source and its claims."""

    form: Points
    source: Points
    claims: Points

    def possible(self, level: Level) -> int:
        """All points that there are at a level."""
        groups = (self.form, self.source, self.claims)
        return sum(sum(points.values()) for points in groups[:level])


# A course has no points for its rules: each of them is one of its other measures. A title that nobody can tell from
# another, or a part of one leaf, costs more than uneven sizes, which are a matter of taste. A quiz or a novel may leave
# terms out that a course must teach; a workflow whose graph is broken cannot be followed at all.
STANDARDS: Final[Mapping[str, Standard]] = {
    "course": Standard(
        form={"duplicates": 10, "depth": 10, "objectives": 8, "titles": 5, "balance": 4, "durations": 3},
        source={"coverage": 35, "sections": 10, "span": 15},
        claims={"citations": 15, "order": 10},
    ),
    "quiz": Standard(
        form={"rules": 24, "depth": 6, "titles": 3, "duplicates": 3, "balance": 4},
        source={"coverage": 25, "sections": 20, "span": 15},
        claims={"citations": 10, "answers": 15},
    ),
    "novel": Standard(
        form={"rules": 16, "depth": 12, "duplicates": 6, "titles": 4, "balance": 2},
        source={"coverage": 20, "sections": 15, "span": 25},
        claims={"citations": 25},
    ),
    "workflow": Standard(
        form={"rules": 20, "depth": 8, "duplicates": 5, "titles": 4, "balance": 3},
        source={"coverage": 30, "sections": 10, "span": 20},
        claims={"citations": 15, "order": 10},
    ),
    "knowledge_map": Standard(
        form={"rules": 20, "depth": 8, "duplicates": 5, "titles": 4, "balance": 3},
        source={"coverage": 35, "sections": 15, "span": 10},
        claims={"citations": 15, "order": 10},
    ),
    "learning_path": Standard(
        form={"rules": 18, "duplicates": 5, "depth": 5, "titles": 4, "balance": 4, "durations": 4},
        source={"coverage": 25, "sections": 15, "span": 20},
        claims={"citations": 10, "answers": 8, "order": 7},
    ),
}
