"""What a document is, told by its first bytes before all that is said of it: text, HTML, PDF, or nothing to read."""

import re
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from workers.granulator.intake.refusal import UnusableDocument

HEAD_BYTES: Final = 4096
"""How many bytes from the beginning are needed to tell."""


class Form(StrEnum):
    """The forms that are read."""

    TEXT = "text"
    HTML = "html"
    PDF = "pdf"


_PDF_WITHIN: Final = 1024  # where a reader looks for the header, by the implementation notes of the PDF reference
_HTML: Final = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.I | re.S)
_HTML_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_HTML_ENDINGS: Final = frozenset({".html", ".htm", ".xhtml"})

_WORD: Final = "a Word document"
_SHEET: Final = "a spreadsheet"
_SLIDES: Final = "a slide presentation"
_BY_ENDING: Final = {
    ".docx": _WORD,
    ".doc": _WORD,
    ".odt": "an OpenDocument text",
    ".xlsx": _SHEET,
    ".xls": _SHEET,
    ".ods": _SHEET,
    ".pptx": _SLIDES,
    ".ppt": _SLIDES,
    ".odp": _SLIDES,
    ".epub": "an e-book (EPUB)",
}
# Each archive of an office program names its parts in its first entries.
_BY_ENTRY: Final = ((b"word/", ".docx"), (b"xl/", ".xlsx"), (b"ppt/", ".pptx"), (b"application/epub+zip", ".epub"))
_MAGIC: Final = (
    (b"{\\rtf", "a Rich Text file"),
    (b"\x89PNG\r\n", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF87a", "an image (GIF)"),
    (b"GIF89a", "an image (GIF)"),
    (b"II*\0", "an image (TIFF)"),
    (b"MM\0*", "an image (TIFF)"),
    (b"ID3\x02", "a sound file (MP3)"),
    (b"ID3\x03", "a sound file (MP3)"),
    (b"ID3\x04", "a sound file (MP3)"),
    (b"OggS\0", "a sound file (Ogg)"),
    (b"\x1aE\xdf\xa3", "a video (Matroska)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"%!PS", "a PostScript file"),
)
_ADVICE: Final = "save it as PDF, HTML, Markdown or plain text and send that."


def form_of(head: bytes, content_type: str | None = None, name: str | None = None) -> Form:
    """The form of a document, from its first `HEAD_BYTES` bytes; raises UnusableDocument that says what it looks like.

    A content type or a name decides only where the bytes leave it open: between text and HTML.
    """
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return Form.PDF
    ending = PurePosixPath(name or "").suffix.lower()
    if looks := _foreign(head, ending):
        raise UnusableDocument(f"looks like {looks}; {_ADVICE}")
    if is_html(head, content_type, name):
        return Form.HTML
    if _media_type(content_type) == "application/pdf":
        raise UnusableDocument(f"is said to be a PDF and does not begin like one; {_ADVICE}")
    return Form.TEXT


def is_html(head: bytes, content_type: str | None = None, name: str | None = None) -> bool:
    """Whether a text is a page of HTML, by how it begins or by what is said of it."""
    ending = PurePosixPath(name or "").suffix.lower()
    return bool(_HTML.match(head)) or _media_type(content_type) in _HTML_TYPES or ending in _HTML_ENDINGS


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _foreign(head: bytes, ending: str) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        inner = next((suffix for entry, suffix in _BY_ENTRY if entry in head), ending)
        return _BY_ENDING.get(inner, "a ZIP archive")
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _BY_ENDING.get(ending, "an old Office document")
    if head[4:8] == b"ftyp":
        return "a video (MP4)"
    if head.startswith(b"RIFF") and head[8:12] in (b"WAVE", b"AVI ", b"WEBP"):
        return "a sound, video or image file (RIFF)"
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "a bzip2 archive"
    return next((looks for magic, looks in _MAGIC if head.startswith(magic)), None)
