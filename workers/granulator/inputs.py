"""What each action takes, as a worker's `inputData` brings it; each knows about how many words its source has.

Fields come in camelCase or snake_case and unknown ones are ignored, so a request that names a template passes too.
"""

from math import ceil
from typing import Annotated, Literal

from pydantic import Field, model_validator

from workers.granulator.course.structure import Course
from workers.granulator.source.outline import Outline
from workers.granulator.source.terms import TermIndex
from workers.granulator.wire import WireValue

# English prose has about six characters a word, its space included, and about twenty words a sentence.
CHARACTERS_PER_WORD = 6
WORDS_PER_SENTENCE = 20


class Document(WireValue):
    """A text to be read, with a title that stands over its own."""

    text: Annotated[str, Field(min_length=1)]
    title: str | None = None


class DocumentInput(WireValue):
    """A document under its name, or its fields laid open."""

    document: Document | None = None
    text: Annotated[str, Field(min_length=1)] | None = None
    title: str | None = None

    @property
    def given(self) -> Document | None:
        """The document in either form; None where there is none."""
        if self.document is None and self.text is not None:
            return Document(text=self.text, title=self.title)
        return self.document

    @property
    def words(self) -> int:
        """About how many words the source has."""
        document = self.given
        return 0 if document is None else ceil(len(document.text) / CHARACTERS_PER_WORD)


class ReadInput(DocumentInput):
    """A document that must be there."""

    @property
    def source(self) -> Document:
        """The document in either form."""
        document = self.given
        assert document is not None, "the validator has seen to it"
        return document

    @model_validator(mode="after")
    def _has_document(self) -> "ReadInput":
        if self.given is None:
            raise ValueError("there is neither a document nor a text")
        return self


class GranulateInput(DocumentInput):
    """What a course is made from: an outline, else a document, else a topic alone."""

    outline: Outline | None = None
    topic: str | None = None
    structure_type: Literal["course"] = "course"

    @property
    def words(self) -> int:
        """How many words the source has, exactly where an outline tells."""
        return super().words if self.outline is None else self.outline.word_count

    @model_validator(mode="after")
    def _has_source(self) -> "GranulateInput":
        if self.outline is None and self.given is None and self.topic is None:
            raise ValueError("there is no outline, document, text or topic to make a course from")
        return self


class ValidateInput(WireValue):
    """A structure, and what to measure it against: the index of its source's terms, else the outline, else nothing."""

    structure: Course
    terms: TermIndex | None = None
    outline: Outline | None = None

    @property
    def words(self) -> int:
        """About how many words the source has; 0 where it is not given."""
        if self.terms is not None:
            return WORDS_PER_SENTENCE * self.terms.sentences
        return 0 if self.outline is None else self.outline.word_count
