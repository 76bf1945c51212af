"""Several documents as one text: each a part under its name, its own headings one level below.

A document is taken down to its sections and sentences first, so that a text that marks its headings and one that does
not come out alike, and no mark of the one can change how the other is read.
"""

from collections.abc import Iterable, Iterator

from workers.granulator.intake import markdown
from workers.granulator.source.document import Document


def merged(parts: Iterable[tuple[str, Document]]) -> str:
    """The text of named documents, in order."""
    return "\n\n".join(block for name, document in parts for block in _blocks(name, document)) + "\n"


def _blocks(name: str, document: Document) -> Iterator[str]:
    yield markdown.heading(name, 1)
    for section in document.sections:
        if section.heading is not None:
            yield markdown.heading(section.heading, section.level + 1)
        for paragraph in section.paragraphs:
            # A sentence an item: read again, sentences end where they ended, and not by what the next begins with.
            yield "\n".join(markdown.item(sentence.text) for sentence in paragraph)
