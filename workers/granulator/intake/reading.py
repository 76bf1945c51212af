"""What reading a document gives, whatever form it had."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """A document's text, as Markdown or as it was written, and the title it bears outside of its text, if any."""

    text: str
    title: str | None = None
