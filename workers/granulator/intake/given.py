"""A document as an input brings it: its text itself, its bytes in base64, or a reference to an artifact.

Exactly one of the three is there, and a document that is known to be too large is told before anything is fetched.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from protocol.packets import Artifact
from workers.granulator.intake.bounds import MIB, MOST_PDF_BYTES, MOST_TEXT_BYTES, megabytes
from workers.granulator.wire import WireValue

LONGEST_NAME: Final = 200
_ENDINGS: Final = frozenset({".md", ".markdown", ".txt", ".text", ".html", ".htm", ".xhtml", ".pdf"})
_OCTETS: Final = "application/octet-stream"

# English prose has about six characters a word, its space included.
CHARACTERS_PER_WORD: Final = 6
# A PDF of nothing but text has some four bytes a word, compressed, a report with pictures a hundred: a judgement.
PDF_BYTES_PER_WORD: Final = 20


class TooLarge(ValueError):
    """A document is larger than is read, by what its reference says; the message is one sentence."""


class GivenDocument(WireValue):
    """One document. `title` stands over any in its text; `name` is what it is called beside others and in errors."""

    name: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    title: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    text: Annotated[str, Field(min_length=1)] | None = None
    data: Annotated[str, Field(min_length=1)] | None = None
    artifact: Artifact | None = None
    content_type: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None

    @field_validator("data")
    @classmethod
    def _is_base64(cls, data: str | None) -> str | None:
        if data is not None:
            _content(data)
        return data

    @model_validator(mode="after")
    def _has_one_source(self) -> "GivenDocument":
        given = [name for name in ("text", "data", "artifact") if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"there are {' and '.join(given)}" if given else "there is none of them"
            message = "A document has one of text, data (base64) or artifact, and {found}."
            raise PydanticCustomError("document_source", message, {"found": found})
        return self

    @cached_property
    def content(self) -> bytes | None:
        """The bytes that `data` stands for."""
        return None if self.data is None else _content(self.data)

    @property
    def media_type(self) -> str | None:
        """What the document is said to be; None where nobody has said."""
        said = self.content_type or (self.artifact.content_type if self.artifact else None)
        return None if said is None or said.startswith(_OCTETS) else said

    @property
    def heading(self) -> str | None:
        """What to call the document in a text: its title, or its name without a file's ending."""
        if self.title or self.name is None:
            return self.title
        name = PurePosixPath(self.name.strip())
        return (name.stem if name.suffix.lower() in _ENDINGS else name.name) or None

    @property
    def size_bytes(self) -> int:
        """How large it is, or is said to be."""
        if self.artifact is not None:
            return self.artifact.size_bytes
        return len((self.text or "").encode()) if self.content is None else len(self.content)

    @property
    def words(self) -> int:
        """About how many words it has, by its size alone."""
        per_word = PDF_BYTES_PER_WORD if self._may_be_pdf and self.text is None else CHARACTERS_PER_WORD
        return -(-self.size_bytes // per_word)

    def check_size(self, subject: str) -> None:
        """Raises TooLarge for a document that would not be read."""
        most = MOST_PDF_BYTES if self._may_be_pdf else MOST_TEXT_BYTES
        if self.size_bytes > most:
            form = "a PDF" if self._may_be_pdf else "a text"
            raise TooLarge(
                f"{subject} has {megabytes(self.size_bytes)}, and {form} of at most {most // MIB} MB is read; split it."
            )

    @property
    def _may_be_pdf(self) -> bool:
        """Whether its reference leaves it open that it is a PDF."""
        if self.text is not None:
            return False
        said = self.media_type
        return said.startswith("application/pdf") if said else (self.name or ".pdf").lower().endswith(".pdf")


def subjects(documents: tuple[GivenDocument, ...]) -> list[str]:
    """What each of the documents is called in a sentence."""
    if len(documents) == 1 and not documents[0].name:
        return ["The document"]
    return [
        f"The document “{document.name}”" if document.name else f"Document {number}"
        for number, document in enumerate(documents, 1)
    ]


def _content(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        raise PydanticCustomError("not_base64", "The data of a document is base64, and this is not.") from None
