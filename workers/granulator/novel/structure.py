"""The plan of a novel: premise, cast and places, and acts of chapters of scenes, from the large to the small.

Codes say where a part stands: "2" an act, "2.3" its third chapter, "2.3.1" the first scene of that.
"""

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from workers.granulator.structure import Element, Structure
from workers.granulator.wire import WireValue

Role = Literal["protagonist", "main", "minor"]
# What of a scene the source leaves open, for the author to decide.
OpenField = Literal["goal", "conflict", "outcome"]


class Presence(WireValue):
    """Someone in a scene; `place` only where it is another than the scene's. A bare name is one too."""

    name: str
    place: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given


class Scene(Element):
    """The smallest part: someone wants something, something stands against it, and something comes of it."""

    type: Literal["scene"] = "scene"
    code: str = ""
    goal: str = ""
    conflict: str = ""
    outcome: str = ""
    characters: tuple[Presence, ...] = ()
    place: str | None = None
    open: tuple[OpenField, ...] = ()
    children: tuple[()] = ()


class Chapter(Element):
    """Scenes in the order they are told."""

    type: Literal["chapter"] = "chapter"
    code: str = ""
    children: tuple[Scene, ...] = ()


class Act(Element):
    """Chapters up to a turn of the story."""

    type: Literal["act"] = "act"
    code: str = ""
    children: tuple[Chapter, ...] = ()


class Character(WireValue):
    """Someone of the cast; `introduced` is the code of the first scene they are in."""

    name: str
    role: Role = "minor"
    mentions: NonNegativeInt = 0
    introduced: str | None = None
    backstory: str = ""


class Setting(WireValue):
    """A place of the story, and how many scenes are there."""

    name: str
    scenes: NonNegativeInt = 0


class Relation(WireValue):
    """Two of the cast, and how many scenes they share."""

    between: tuple[str, str]
    scenes: NonNegativeInt


class Novel(Structure):
    """A whole plan; `narrative` is False where the source tells no story and only lends its matter to one."""

    type: Literal["novel"] = "novel"
    premise: str = ""
    themes: tuple[str, ...] = ()
    arc: tuple[str, ...] = Field(default=(), description="how it begins, turns and ends")
    narrative: bool = True
    characters: tuple[Character, ...] = ()
    settings: tuple[Setting, ...] = ()
    relations: tuple[Relation, ...] = ()
    children: tuple[Act, ...] = ()

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All scenes, in the order they are told."""
        return tuple(scene for act in self.children for chapter in act.children for scene in chapter.children)
