"""A PDF file to Markdown. What its text cannot be had from is refused in a sentence: encryption, scans, damage.

It runs in a process of its own (see `apart`), for a hostile file can take all the time and memory there is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError
from pypdf.generic import Destination

from workers.granulator.intake.bounds import MOST_PDF_PAGES
from workers.granulator.intake.markdown import folded
from workers.granulator.intake.pdf_headings import Entry
from workers.granulator.intake.pdf_layout import to_markdown
from workers.granulator.intake.pdf_lines import Line, lines_of
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument

LEAST_LETTERS_A_PAGE: Final = 20
"""Below this on average, the pages are pictures, with at most their numbers set as text."""
MOST_OUTLINE_ENTRIES: Final = 5_000

_LOCKED: Final = "is an encrypted PDF; remove its password and send it again."


def read_pdf(path: Path) -> Reading:
    """The file's text, with the title in its properties; raises UnusableDocument."""
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnusableDocument(_LOCKED)
        pages = _pages(reader)
        title = _title(reader)
        entries = tuple(_entries(reader))
    except UnusableDocument:
        raise
    except (FileNotDecryptedError, DependencyError):  # encrypted in a way that needs a library that is not here
        raise UnusableDocument(_LOCKED) from None
    except LimitReachedError as error:
        raise UnusableDocument(
            f"is a PDF that unpacks to more than is read ({error}); print it to a new PDF and send that."
        ) from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # The library meets damage with whatever error the damaged place leads to.
        raise UnusableDocument(
            f"is a damaged PDF ({folded(str(error)) or type(error).__name__}); print it to a new PDF and send that."
        ) from None
    letters = sum(character.isalpha() for page in pages for line in page for character in line.text)
    if letters < LEAST_LETTERS_A_PAGE * len(pages):
        raise UnusableDocument(
            f"is a PDF of {_counted(len(pages))} with hardly any text, as scans are; "
            "run text recognition (OCR) over it and send the result."
        )
    return Reading(to_markdown(pages, entries), title)


def _pages(reader: PdfReader) -> list[tuple[Line, ...]]:
    count = len(reader.pages)
    if not count:
        raise UnusableDocument("is a PDF without pages; send one with text in it.")
    if count > MOST_PDF_PAGES:
        raise UnusableDocument(f"has {count:,} pages, and at most {MOST_PDF_PAGES:,} are read; split it.")
    return [lines_of(page) for page in reader.pages]


def _title(reader: PdfReader) -> str | None:
    """The title in the file's properties, unless a program has put a file's name there."""
    title = folded(str(reader.metadata.get("/Title") or "")) if reader.metadata else ""
    is_file_name = title.lower().startswith("microsoft word") or "." in title[-5:]
    return None if not title or is_file_name else title


def _entries(reader: PdfReader) -> Iterator[Entry]:
    """The outline laid flat; an entry that leads to no page of this file is left out."""
    waiting: list[tuple[Sequence[Any], int]] = [(reader.outline, 1)]
    taken = 0
    while waiting and taken < MOST_OUTLINE_ENTRIES:
        items, depth = waiting.pop()
        for item in items:
            taken += 1
            if isinstance(item, Sequence) and not isinstance(item, str):
                waiting.append((item, depth + 1))
            elif isinstance(item, Destination):
                page = reader.get_destination_page_number(item)
                if page is not None and page >= 0:
                    yield Entry(folded(str(item.title)), depth, page)


def _counted(pages: int) -> str:
    return "1 page" if pages == 1 else f"{pages:,} pages"
