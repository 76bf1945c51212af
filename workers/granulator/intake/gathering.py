"""Documents in, one text out: each is fetched, told apart by its bytes, read, and joined to the others as a part.

What cannot be used raises one sentence about the document by its name, and what to do; nothing is left out silently.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from protocol.packets import Artifact
from workers.granulator.intake.apart import read_apart
from workers.granulator.intake.bounds import MOST_PDF_BYTES, MOST_TEXT_BYTES, megabytes
from workers.granulator.intake.decoding import decode
from workers.granulator.intake.forms import HEAD_BYTES, Form, form_of, is_html
from workers.granulator.intake.given import GivenDocument, TooLarge, subjects
from workers.granulator.intake.merging import merged
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument
from workers.granulator.source.document import UnreadableText, read_document


class Place(Protocol):
    """Where an attempt's files come from, and where they may lie while it lasts; the kit's Context is one."""

    @property
    def folder(self) -> Path: ...

    async def download(self, artifact: Artifact | str, to: Path) -> Path: ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """One text. `title` stands over any in the text; `spare_title` names a text that has none of its own."""

    text: str
    title: str | None
    spare_title: str | None


async def gather(
    documents: Sequence[GivenDocument], title: str | None, place: Place, say: Callable[[str], object]
) -> Gathered:
    """The documents as one text, `title` over all of it; `say` is told which is being read.

    Raises UnusableDocument, UnreadableText or TooLarge, and whatever a failed download raises.
    """
    named = list(zip(subjects(tuple(documents)), documents, strict=True))
    readings = []
    for subject, document in named:
        document.check_size(subject)
        say(f"reading {subject[0].lower()}{subject[1:]}")
        try:
            readings.append(await _read(document, place))
        except UnusableDocument as error:
            raise error.of(subject) from None
    total = sum(len(reading.text.encode()) for reading in readings)
    if total > MOST_TEXT_BYTES:
        raise TooLarge(
            f"The documents have {megabytes(total)} of text together, and at most {megabytes(MOST_TEXT_BYTES)} "
            "are read; send fewer."
        )
    if len(readings) == 1:
        ((_, document),), (reading,) = named, readings
        return Gathered(reading.text, title or document.title, reading.title or document.heading)
    parts = [(subject, document, reading) for (subject, document), reading in zip(named, readings, strict=True)]
    return Gathered(await asyncio.to_thread(_merge, parts), title, None)


def _merge(parts: Sequence[tuple[str, GivenDocument, Reading]]) -> str:
    read = []
    for number, (subject, given, reading) in enumerate(parts, 1):
        try:
            document = read_document(reading.text)
        except UnreadableText as error:
            raise UnreadableText(f"{subject} cannot be used: {str(error)[0].lower()}{str(error)[1:]}") from None
        name = given.heading or document.title or reading.title or f"Document {number}"
        read.append((name, document))
    return merged(read)


async def _read(document: GivenDocument, place: Place) -> Reading:
    if document.text is not None:
        return await _read_text(document.text, document, place)
    path = await _file(document, place)
    try:
        return await _read_file(path, document)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _read_text(text: str, document: GivenDocument, place: Place) -> Reading:
    """A text as it came, unless it is a page of HTML."""
    if not is_html(text[:HEAD_BYTES].encode(), document.media_type, document.name):
        return Reading(text)
    path = await asyncio.to_thread(_written, place, text.encode())
    try:
        return await read_apart(path, Form.HTML, "text/html; charset=utf-8")
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _file(document: GivenDocument, place: Place) -> Path:
    if document.artifact is None:
        return await asyncio.to_thread(_written, place, document.content or b"")
    to = await asyncio.to_thread(_free_path, place)
    return await place.download(document.artifact, to)


def _written(place: Place, data: bytes) -> Path:
    path = _free_path(place)
    path.write_bytes(data)
    return path


def _free_path(place: Place) -> Path:
    # One document is read at a time, so one name is enough; what an attempt before this left under it is replaced.
    return place.folder / "document"


async def _read_file(path: Path, document: GivenDocument) -> Reading:
    head, size = await asyncio.to_thread(_head, path)
    form = form_of(head, document.media_type, document.name)
    most = MOST_PDF_BYTES if form is Form.PDF else MOST_TEXT_BYTES
    if size > most:
        raise UnusableDocument(f"has {megabytes(size)}, and at most {megabytes(most)} are read; split it.")
    if form is Form.TEXT:
        return Reading(await asyncio.to_thread(_decoded, path, document.media_type))
    return await read_apart(path, form, document.media_type)


def _head(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES), path.stat().st_size


def _decoded(path: Path, content_type: str | None) -> str:
    return decode(path.read_bytes(), content_type)
