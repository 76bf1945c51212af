"""Documents in, one text out: what bytes are taken for, how they are decoded, and how several become one."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.granulator_attempt import Attempt
from tests.unit.granulator_texts import BREAD
from workers.granulator.inputs import ReadInput
from workers.granulator.intake.decoding import decode
from workers.granulator.intake.forms import Form, form_of
from workers.granulator.intake.gathering import Gathered, gather
from workers.granulator.intake.given import TooLarge
from workers.granulator.intake.refusal import UnusableDocument
from workers.granulator.source.document import UnreadableText, read_document
from workers.granulator.source.outline import outline

PLAIN = "Über den Fluß fährt ein Schiff. Es trägt Käse, Brötchen und Bücher für die Schüler am anderen Ufer."
PAGE = b"<!DOCTYPE html><html><body><h1>Tides</h1><p>The moon pulls at the water of the sea.</p></body></html>"
TIDE = "# Tides\n\nThe moon pulls at the water of the sea.\n\n## Spring tides\n\nSun and moon pull together then.\n"
RIVER = "RIVERS\n\nA river carries water to the sea.\n\n1. SOURCES\n\nMost rivers begin as springs in the hills.\n"


async def gathered(folder: Path, *documents: dict[str, Any], title: str | None = None, **artifacts: bytes) -> Gathered:
    """The documents as one text; one with `of` is an artifact of those bytes."""
    kept = {hashlib.sha256(content).hexdigest(): content for content in artifacts.values()}
    given = ReadInput.model_validate({"documents": documents}).given
    return await gather(given, title, Attempt(folder, kept), lambda what: None)


def in_base64(content: bytes, **fields: Any) -> dict[str, Any]:
    return {"data": base64.b64encode(content).decode(), **fields}


def reference(content: bytes, content_type: str = "application/octet-stream") -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"artifact": {"sha256": digest, "sizeBytes": len(content), "contentType": content_type}}


@pytest.mark.parametrize(
    ("head", "content_type", "name", "form"),
    [
        (b"%PDF-1.7\n", "text/plain", "a.txt", Form.PDF),
        (b"\n\n%PDF-1.4", None, None, Form.PDF),
        (b"  <!-- by hand -->\n<HTML lang=en>", None, None, Form.HTML),
        (b'<?xml version="1.0"?><!doctype html>', "text/plain", None, Form.HTML),
        (b"<p>a part of a page", "text/html; charset=utf-8", None, Form.HTML),
        (b"<p>a part of a page", None, "a.HTM", Form.HTML),
        (b"<p>a part of a page", None, None, Form.TEXT),
        (b"# Tides\n", "text/html-like", "a.md", Form.TEXT),
        (b"RIFF is a container of chunks.", None, None, Form.TEXT),
        (b"ID3 tags hold titles.", None, None, Form.TEXT),
    ],
)
def test_bytes_tell_the_form_and_what_is_said_of_them_only_what_they_leave_open(
    head: bytes, content_type: str | None, name: str | None, form: Form
) -> None:
    assert form_of(head, content_type, name) is form


@pytest.mark.parametrize(
    ("head", "name", "looks"),
    [
        (b"PK\x03\x04....[Content_Types].xml....word/document.xml", None, "a Word document"),
        (b"PK\x03\x04....", "figures.xlsx", "a spreadsheet"),
        (b"PK\x03\x04....", "all.zip", "a ZIP archive"),
        (b"PK\x03\x04....mimetypeapplication/epub+zip", None, "an e-book (EPUB)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "old.doc", "a Word document"),
        (b"\x89PNG\r\n\x1a\n", None, "an image (PNG)"),
        (b"\0\0\0\x20ftypisom", None, "a video (MP4)"),
        (b"RIFF....WAVEfmt ", None, "a sound, video or image file (RIFF)"),
        (b"{\\rtf1\\ansi", "letter.txt", "a Rich Text file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_it_looks_like(head: bytes, name: str | None, looks: str) -> None:
    with pytest.raises(UnusableDocument) as refused:
        form_of(head, None, name)

    assert str(refused.value) == (
        f"The document looks like {looks}; save it as PDF, HTML, Markdown or plain text and send that."
    )


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-1"],
)
def test_a_text_is_decoded_whatever_it_was_saved_as(encoding: str) -> None:
    assert decode(PLAIN.encode(encoding)) == PLAIN


def test_a_byte_lost_at_the_end_of_a_long_text_makes_no_other_encoding_of_it() -> None:
    whole = (PLAIN * 20 + "ä").encode()

    assert decode(whole[:-1]) == PLAIN * 20 + "\ufffd"


def test_an_encoding_is_taken_from_the_content_type_or_from_the_page() -> None:
    cyrillic = "Прилив поднимается дважды в день"

    assert decode(cyrillic.encode("koi8-r"), "text/plain; charset=KOI8-R") == cyrillic
    page = f'<meta charset="windows-1251"><p>{cyrillic}</p>'
    assert decode(page.encode("windows-1251"), is_html=True) == page


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty; send one with text in it."),
        (b" \n\t ", "is empty; send one with text in it."),
        (b"\x01\0\x02\x03\0\0\x04" * 50, "looks like binary data and not like text; "),
        (b"\xff\xfea\0b", "begins as UTF-16 and breaks it at byte "),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_what_to_do(data: bytes, fault: str) -> None:
    with pytest.raises(UnusableDocument) as refused:
        decode(data)

    assert refused.value.fault.startswith(fault)


async def test_one_text_goes_through_as_it_came(tmp_path: Path) -> None:
    assert await gathered(tmp_path, {"text": BREAD, "name": "bread.txt"}) == Gathered(BREAD, None, "bread")


async def test_a_title_given_for_all_stands_over_that_of_the_document(tmp_path: Path) -> None:
    one = {"text": BREAD, "title": "Baking"}

    assert (await gathered(tmp_path, one)).title == "Baking"
    assert (await gathered(tmp_path, one, title="Bread")).title == "Bread"


@pytest.mark.parametrize("how", ["text", "data", "artifact"])
async def test_a_page_of_html_is_read_however_it_comes(how: str, tmp_path: Path) -> None:
    document = {"text": {"text": PAGE.decode()}, "data": in_base64(PAGE), "artifact": reference(PAGE)}[how]

    result = await gathered(tmp_path, document, page=PAGE)

    assert result.text == "# Tides\n\nThe moon pulls at the water of the sea.\n"
    assert os.listdir(tmp_path) == []


async def test_an_artifact_is_fetched_and_decoded(tmp_path: Path) -> None:
    content = PLAIN.encode("utf-16")

    assert (await gathered(tmp_path, reference(content, "text/plain"), plain=content)).text == PLAIN


async def test_several_documents_are_parts_under_their_names_whatever_marks_their_headings(tmp_path: Path) -> None:
    page = in_base64(PAGE.replace(b"Tides", b"Ebb"), contentType="text/html")

    text = (await gathered(tmp_path, {"name": "seas/tides.md", "text": TIDE}, {"text": RIVER}, page)).text

    headings = [(section.heading, section.level) for section in read_document(text).sections]
    assert headings == [
        *(("tides", 1), ("Spring tides", 2)),
        *(("Document 2", 1), ("Rivers", 2), ("Sources", 2)),
        ("Ebb", 1),
    ]


async def test_a_merged_text_has_the_sentences_of_its_parts_and_no_others(tmp_path: Path) -> None:
    merged = (await gathered(tmp_path, {"text": TIDE}, {"text": BREAD})).text

    sentences = [sentence.text for part in (TIDE, BREAD) for sentence in read_document(part).sentences]
    assert [sentence.text for sentence in read_document(merged).sentences] == sentences
    assert [section.heading for section in outline(merged).sections if section.level == 1] == [
        "Tides",
        "Bread fermentation",
    ]


@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        ([in_base64(b"%!PS-Adobe")], UnusableDocument, "The document looks like a PostScript file; "),
        ([in_base64(b" ", name="a.txt")], UnusableDocument, "The document “a.txt” is empty; "),
        ([{"text": TIDE}, in_base64(b"\0\1" * 9)], UnusableDocument, "Document 2 looks like binary data "),
        (
            [{"text": TIDE}, {"text": "Two words"}],
            UnreadableText,
            "Document 2 cannot be used: the text has no sentence",
        ),
        ([in_base64(b"<html><body><script>x()</script>")], UnusableDocument, "The document is a page without text, "),
        ([in_base64(b"text", contentType="application/pdf")], UnusableDocument, "The document is said to be a PDF "),
    ],
)
async def test_an_error_names_the_document_and_says_what_to_do(
    documents: list[dict[str, Any]], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as refused:
        await gathered(tmp_path, *documents)

    assert str(refused.value).startswith(message)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("content_type", "name", "size", "is_read"),
    [
        ("application/pdf", None, 100, True),
        ("application/pdf", None, 101, False),
        ("application/octet-stream", "a.pdf", 100, True),
        ("application/octet-stream", None, 100, True),
        ("text/markdown", "a.pdf", 21, False),
        ("application/octet-stream", "a.txt", 21, False),
        ("text/html", None, 20, True),
    ],
)
def test_the_bound_on_size_is_that_of_the_form_it_may_have(
    content_type: str, name: str | None, size: int, is_read: bool
) -> None:
    artifact = {"sha256": "a" * 64, "sizeBytes": size * 1024 * 1024, "contentType": content_type}
    given = ReadInput.model_validate({"documents": [{"name": name, "artifact": artifact}]})

    if is_read:
        given.check_sizes()
    else:
        with pytest.raises(TooLarge):
            given.check_sizes()


async def test_what_is_larger_than_its_reference_said_is_refused_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.granulator.intake.gathering.MOST_TEXT_BYTES", 10)
    content = TIDE.encode()
    said = reference(content)
    said["artifact"]["sizeBytes"] = 1

    with pytest.raises(UnusableDocument, match=r"^The document has 0\.1 MB, and at most 0\.1 MB are read; split it\.$"):
        await gathered(tmp_path, said, tide=content)


async def test_documents_too_large_together_are_refused_though_each_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.granulator.intake.gathering.MOST_TEXT_BYTES", len(BREAD))

    with pytest.raises(TooLarge, match=r"of text together, and at most .* are read; send fewer\.$"):
        await gathered(tmp_path, {"text": BREAD}, {"text": TIDE})
