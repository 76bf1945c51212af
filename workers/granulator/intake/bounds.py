"""How much of a document is read, in one place: bytes, pages, seconds and memory.

The bounds on bytes hold before anything is fetched, where a reference tells the size.
"""

from typing import Final

MIB: Final = 1024 * 1024

MOST_TEXT_BYTES: Final = 20 * MIB
"""Of one document that is text or HTML, and of the text of all documents together."""
MOST_PDF_BYTES: Final = 100 * MIB
MOST_DOCUMENTS: Final = 50
MOST_PDF_PAGES: Final = 2_000

READING_SECONDS: Final = 120
"""What the process that reads one PDF or HTML file may take, by the clock and by its own CPU time."""
READING_MEMORY: Final = 1536 * MIB
"""The address space of that process; a page that unpacks to more ends it, not the worker."""


def megabytes(size: int) -> str:
    """A size as a sentence says it, as in "3.4 MB"; never rounded down to nothing."""
    return f"{max(size / MIB, 0.1):,.1f}".removesuffix(".0") + " MB"
