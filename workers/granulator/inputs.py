"""What each action takes, as a worker's `inputData` brings it; each knows about how many words its source has.

Fields come in camelCase or snake_case, and unknown ones are ignored. What is wrong is said in a sentence.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from workers.granulator.intake.bounds import MOST_DOCUMENTS
from workers.granulator.intake.given import LONGEST_NAME, GivenDocument, subjects
from workers.granulator.kinds import UnknownType, kind_of, parse
from workers.granulator.quality.standards import USUAL_LEVEL, Level
from workers.granulator.source.outline import Outline
from workers.granulator.source.terms import TermIndex
from workers.granulator.structure import Structure
from workers.granulator.wire import WireValue

# English prose has about twenty words a sentence.
WORDS_PER_SENTENCE = 20
MOST_PROVIDERS = 10
MOST_STRUCTURES = 50

MaxElements = Annotated[int, Field(ge=10, le=1000)]


class DocumentInput(WireValue):
    """Documents to be read as one: a list, one by itself, or one whose fields are laid open; `title` is for all.

    `request` may hold all the fields together, so that a master template can hand its input on whatever is in it; a
    field that stands beside it counts before the one inside.
    """

    documents: Annotated[tuple[GivenDocument, ...], Field(max_length=MOST_DOCUMENTS)] = ()
    document: GivenDocument | None = None
    text: Annotated[str, Field(min_length=1)] | None = None
    title: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    content_type: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _lay_request_open(cls, given: Any) -> Any:
        """The fields of `request` in the place of it."""
        if not isinstance(given, dict) or not isinstance(given.get("request"), dict):
            return given
        return {**given["request"], **{name: value for name, value in given.items() if name != "request"}}

    @property
    def given(self) -> tuple[GivenDocument, ...]:
        """All documents, whichever way they came."""
        alone = [self.document] if self.document else []
        laid_open = [GivenDocument(text=self.text, content_type=self.content_type)] if self.text else []
        return (*alone, *laid_open, *self.documents)

    @property
    def words(self) -> int:
        """About how many words the source has."""
        return sum(document.words for document in self.given)

    def check_sizes(self) -> None:
        """Raises TooLarge where a document is known to be larger than is read."""
        for subject, document in zip(subjects(self.given), self.given, strict=True):
            document.check_size(subject)


class ReadInput(DocumentInput):
    """Documents, of which there must be one."""

    @model_validator(mode="after")
    def _has_document(self) -> "ReadInput":
        if not self.given:
            raise PydanticCustomError("no_document", "There is no document to read: give a text, or documents.")
        return self


class OutlineInput(DocumentInput):
    """Documents, or a topic alone, of which nothing can be outlined; and whatever the stages after it are to know."""

    model_config = ConfigDict(extra="allow")

    topic: str | None = None

    @property
    def beyond_the_source(self) -> dict[str, Any]:
        """The topic and all other fields of the request that are not its documents."""
        return {**({} if self.topic is None else {"topic": self.topic}), **(self.model_extra or {})}

    @model_validator(mode="after")
    def _has_source(self) -> "OutlineInput":
        if not self.given and not (self.topic or "").strip():
            message = "There is nothing to make a structure from: give a topic, a text or documents."
            raise PydanticCustomError("no_source", message)
        return self


class Wishes(WireValue):
    """Named wishes of a request, those that nothing here can heed among them."""

    model_config = ConfigDict(extra="allow")

    @property
    def unheeded(self) -> tuple[str, ...]:
        """The names, as they were given, of what has no effect."""
        return tuple(self.model_extra or ())


class Constraints(Wishes):
    """Bounds on what is made; the number of elements is the one that is held."""

    max_elements: MaxElements | None = None


class ValidationWanted(WireValue):
    """Whether a structure is judged when it is made, how thoroughly, and from which score on it passes.

    Where passing is `required`, one that does not pass is no result.
    """

    enabled: bool | None = None
    required: bool | None = None
    level: Annotated[int, Field(ge=1, le=3)] | None = None
    threshold: Annotated[float, Field(ge=0, le=100)] | None = None


def _validation(given: Any) -> Any:
    """`validation: true` is short for having it enabled."""
    return {"enabled": given} if isinstance(given, bool) else given


class GranulateInput(DocumentInput):
    """What a structure is made from, an outline, else documents, else a topic alone, and what it shall be.

    What is left out comes from the template, where one is named, or is the default of the kind.
    """

    outline: Outline | None = None
    topic: str | None = None
    structure_type: str | None = None
    template_name: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    audience: str | None = Field(
        default=None,
        max_length=200,
        validation_alias=AliasChoices("audience", "targetAudience", "target_audience"),
    )
    granularity_level: Annotated[int, Field(ge=1, le=5)] | None = None
    max_elements: MaxElements | None = None
    constraints: Constraints = Constraints()
    options: Wishes = Wishes()
    validation: Annotated[ValidationWanted, BeforeValidator(_validation)] = ValidationWanted()
    providers: Annotated[tuple[str, ...], Field(max_length=MOST_PROVIDERS)] = ()

    @property
    def unheeded(self) -> tuple[str, ...]:
        """The paths of wishes that have no effect on what is made."""
        constraints = (f"constraints.{name}" for name in self.constraints.unheeded)
        return (*constraints, *(f"options.{name}" for name in self.options.unheeded))

    @property
    def words(self) -> int:
        """How many words the source has, exactly where an outline tells."""
        return super().words if self.outline is None else self.outline.word_count

    @field_validator("structure_type")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        """Refuses an unknown type with the nearest one."""
        if name is not None:
            try:
                kind_of(name)
            except UnknownType as error:
                raise PydanticCustomError("unknown_type", "{reason}", {"reason": str(error)}) from None
        return name

    @model_validator(mode="after")
    def _has_source(self) -> "GranulateInput":
        if self.outline is None and not self.given and not (self.topic or "").strip():
            message = "There is nothing to make a structure from: give a topic, a text, documents or an outline."
            raise PydanticCustomError("no_source", message)
        return self


def _parsed(given: Any) -> Any:
    """A structure read as its `type` says."""
    if not isinstance(given, dict):
        return given
    try:
        return parse(given)
    except UnknownType as error:
        raise PydanticCustomError("unknown_type", "{reason}", {"reason": str(error)}) from None


ParsedStructure = Annotated[Structure, BeforeValidator(_parsed)]


class ValidateInput(WireValue):
    """A structure of any kind, or several by name, and what to measure them against.

    That is the index of their source's terms, else the outline, which alone tells the sentences for level 3. Where no
    threshold is given, it is that of the structure's kind.
    """

    structure: ParsedStructure | None = None
    structures: Mapping[str, ParsedStructure] = Field(default={}, max_length=MOST_STRUCTURES)
    terms: TermIndex | None = None
    outline: Outline | None = None
    level: Level = USUAL_LEVEL
    threshold: Annotated[float, Field(ge=0, le=100)] | None = None
    audience: str | None = Field(
        default=None,
        max_length=200,
        validation_alias=AliasChoices("audience", "targetAudience", "target_audience"),
    )

    @model_validator(mode="after")
    def _has_a_structure(self) -> "ValidateInput":
        if (self.structure is None) == (not self.structures):
            raise PydanticCustomError("no_structure", "Give a structure, or structures by their names.")
        return self

    @property
    def words(self) -> int:
        """About how many words the source has; 0 where it is not given."""
        if self.terms is not None:
            return WORDS_PER_SENTENCE * self.terms.sentences
        return 0 if self.outline is None else self.outline.word_count
