"""Bytes to text: by its mark of byte order, as UTF-8, as it is said to be, and only then as its bytes look."""

import codecs
import re
from typing import Final

from workers.granulator.intake.refusal import UnusableDocument

_MARKS: Final = (
    # UTF-32's mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED_IN_HTML: Final = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.I)
_DECLARED_IN_TYPE: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.I)
_DECLARATION_BYTES: Final = 4096
_SAMPLE_BYTES: Final = 200_000
_ZEROS_OF_UTF_16: Final = 0.3
_MOST_STRANGE_CHARACTERS: Final = 0.02
_MOST_BAD_CHARACTERS: Final = 0.001


def decode(data: bytes, content_type: str | None = None, *, is_html: bool = False) -> str:
    """The text of a document's bytes; raises UnusableDocument for none at all and for what is not text."""
    if not data.strip():
        raise UnusableDocument("is empty; send one with text in it.")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if unmarked := _unmarked_utf_16(data):
        return _decoded(data, unmarked)
    if b"\0" in data:
        raise UnusableDocument("looks like binary data and not like text; send PDF, HTML, Markdown or plain text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _damaged_utf_8(data) or _as_declared(data, content_type, is_html) or _detected(data)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        fault = f"begins as {name} and breaks it at byte {error.start:,}; save it as UTF-8 and send that."
        raise UnusableDocument(fault) from None


def _unmarked_utf_16(data: bytes) -> str | None:
    """UTF-16 without a mark: in most scripts every other byte of a text is mostly zero, and the ones between never."""
    sample = data[: _SAMPLE_BYTES & ~1]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < _ZEROS_OF_UTF_16 * len(sample) or min(even, odd):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    text = sample.decode(encoding, errors="replace")
    strange = sum(not (character.isprintable() or character.isspace()) for character in text)
    return encoding if strange <= _MOST_STRANGE_CHARACTERS * len(text) else None


def _damaged_utf_8(data: bytes) -> str | None:
    """UTF-8 with a byte lost here and there, as where a file was cut in the middle of a character."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    strange = sum(not character.isascii() for character in text) - bad
    return text if bad <= _MOST_BAD_CHARACTERS * len(text) and strange > bad else None


def _as_declared(data: bytes, content_type: str | None, is_html: bool) -> str | None:
    in_type = _DECLARED_IN_TYPE.search(content_type or "")
    in_html = _DECLARED_IN_HTML.search(data[:_DECLARATION_BYTES]) if is_html else None
    encoding = in_type[1] if in_type else in_html[1].decode() if in_html else None
    if encoding is None:
        return None
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeDecodeError):  # what is said of a file may be wrong; its bytes are asked next
        return None


def _detected(data: bytes) -> str:
    # Its tables are only needed for old encodings, and take longer to load than most texts to read.
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    if best is None:
        raise UnusableDocument("is in no encoding that can be told; save it as UTF-8 and send that.")
    return data.decode(best.encoding, errors="replace")
