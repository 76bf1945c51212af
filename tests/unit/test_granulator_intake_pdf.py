"""PDF files to Markdown: headings by type and outline, lines to paragraphs, and refusals that say what to do."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from workers.granulator.intake.apart import read_apart
from workers.granulator.intake.forms import Form
from workers.granulator.intake.pdf import read_pdf
from workers.granulator.intake.pdf_layout import to_markdown
from workers.granulator.intake.pdf_lines import Line
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument

PROSE = (
    "The moon pulls at the water of the sea, and the water rises towards it. Twice a day every coast sees the tide "
    "come in and go out again. "
)


class Book(FPDF):
    """Pages with a header and a number, and text in three sizes."""

    def header(self) -> None:
        self.set_font("helvetica", size=8)
        self.cell(0, 5, "A Book of the Sea", new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("helvetica", size=8)
        self.cell(0, 10, f"Page {self.page_no()} of 9", align="C")

    def line(self, text: str, size: float, style: str = "") -> None:  # type: ignore[override]
        self.set_font("helvetica", style, size)
        self.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")

    def paragraphs(self, number: int) -> None:
        for _ in range(number):
            self.line(PROSE * 3, 11)
            self.ln(4)


def saved(pdf: FPDF, folder: Path) -> Path:
    path = folder / "document.pdf"
    pdf.output(str(path))
    return path


def a_book(folder: Path, *, outline: bool = False, chapters: int = 3) -> Path:
    book = Book()
    book.add_page()
    book.line("Tides of the World", 24, "B")
    for number in range(1, chapters + 1):
        if outline:
            book.start_section(f"The Chapter of {number}")
        book.line(f"The Chapter of {number}", 16, "B")
        book.paragraphs(7)
    return saved(book, folder)


def headings(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("#")]


def lines(*texts: str, size: float = 10, top: float = 700, leading: float = 12) -> list[Line]:
    return [Line(text, size, 50, top - number * leading, False) for number, text in enumerate(texts)]


@pytest.mark.parametrize("outline", [True, False])
def test_headings_are_found_by_the_outline_or_by_the_size_of_type(outline: bool, tmp_path: Path) -> None:
    text = read_pdf(a_book(tmp_path, outline=outline)).text

    chapters = [f"## The Chapter of {number}" for number in (1, 2, 3)]
    assert headings(text) == ["# Tides of the World", *chapters]


def test_an_outline_is_believed_where_the_type_tells_nothing(tmp_path: Path) -> None:
    book = Book()
    book.add_page()
    for number, level in enumerate((0, 1, 0), 1):
        book.start_section(f"Part {number}", level=level)
        book.line(f"Part {number}", 11)
        book.paragraphs(2)

    assert headings(read_pdf(saved(book, tmp_path)).text) == ["# Part 1", "## Part 2", "# Part 3"]


def test_a_bold_line_that_stands_alone_heads_below_everything_larger(tmp_path: Path) -> None:
    book = Book()
    book.add_page()
    book.line("Tides", 20)
    book.line("Causes", 11, "B")
    book.paragraphs(3)

    assert headings(read_pdf(saved(book, tmp_path)).text) == ["# Tides", "## Causes"]


def test_headers_footers_and_page_numbers_are_dropped(tmp_path: Path) -> None:
    path = a_book(tmp_path)
    assert len(PdfReader(path).pages) >= 3

    text = read_pdf(path).text

    assert "A Book of the Sea" not in text
    assert "Page" not in text


def test_every_paragraph_is_whole_over_lines_and_pages(tmp_path: Path) -> None:
    paragraphs = [block for block in read_pdf(a_book(tmp_path)).text.split("\n\n") if not block.startswith("#")]

    assert {block.strip() for block in paragraphs} == {(PROSE * 3).strip()}


def test_a_word_broken_at_the_end_of_a_line_is_whole_again() -> None:
    page = lines(
        "The tide is a wonder-", "ful thing, and well-", "known on every coast, a well-known", "thing in\u00ad", "deed."
    )

    assert to_markdown([page], ()) == (
        "The tide is a wonderful thing, and well-known on every coast, a well-known thing indeed.\n"
    )


def test_a_dash_before_a_capital_or_a_number_is_no_broken_word() -> None:
    assert to_markdown([lines("The years 1914-", "1918, and the Anglo-", "Saxon tribes.")], ()) == (
        "The years 1914- 1918, and the Anglo- Saxon tribes.\n"
    )


def test_a_sentence_goes_on_over_the_end_of_a_page_and_a_new_one_is_a_new_paragraph() -> None:
    pages = [lines("One begins", "and goes on"), lines("to its end.", top=650), lines("Another one.", top=600)]

    assert to_markdown(pages, ()) == "One begins and goes on to its end.\n\nAnother one.\n"


def test_bullets_are_items_of_a_list() -> None:
    page = lines("Three of them:", "• the first,", "which is long", "• the second")

    assert to_markdown([page], ()) == "Three of them:\n\n- the first, which is long\n- the second\n"


def test_chapters_that_begin_pages_at_the_same_place_are_no_furniture() -> None:
    pages = [
        [*lines(f"Chapter {number}", size=18, top=750), *lines(f"It tells of {what}.", "It is short.", f"Of {what}.")]
        for number, what in enumerate(("the moon", "the sun", "the sea", "the wind"), 1)
    ]

    assert headings(to_markdown(pages, ())) == [f"# Chapter {number}" for number in range(1, 5)]


def encrypted(folder: Path, password: str) -> Path:
    writer = PdfWriter(clone_from=PdfReader(a_book(folder)))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    path = folder / "encrypted.pdf"
    with path.open("wb") as file:
        writer.write(file)
    return path


def scanned(folder: Path) -> Path:
    pdf = FPDF()
    for _ in range(3):
        pdf.add_page()
        pdf.rect(20, 20, 100, 100, style="F")
    return saved(pdf, folder)


def damaged(folder: Path) -> Path:
    path = a_book(folder)
    path.write_bytes(b"%PDF-1.7\n" + path.read_bytes()[2_000:2_500])
    return path


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda folder: encrypted(folder, "secret"), "is an encrypted PDF; remove its password and send it again."),
        (
            scanned,
            "is a PDF of 3 pages with hardly any text, as scans are; "
            "run text recognition (OCR) over it and send the result.",
        ),
        (damaged, "is a damaged PDF ("),
    ],
)
def test_a_file_that_no_text_can_be_had_from_is_refused_with_what_to_do(
    make: Callable[[Path], Path], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableDocument) as refused:
        read_pdf(make(tmp_path))

    assert refused.value.fault.startswith(fault)


def test_a_file_that_only_forbids_changes_is_read(tmp_path: Path) -> None:
    assert headings(read_pdf(encrypted(tmp_path, "")).text)[0] == "# Tides of the World"


def test_more_pages_than_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.granulator.intake.pdf.MOST_PDF_PAGES", 2)

    with pytest.raises(UnusableDocument, match=r"^The document has \d pages, and at most 2 are read; split it\.$"):
        read_pdf(a_book(tmp_path))


async def test_a_process_of_its_own_reads_the_same(tmp_path: Path) -> None:
    path = await asyncio.to_thread(a_book, tmp_path)

    assert await read_apart(path, Form.PDF) == Reading(read_pdf(path).text, None)


async def test_a_process_that_takes_too_long_is_ended_and_the_document_refused(tmp_path: Path) -> None:
    path = await asyncio.to_thread(a_book, tmp_path)

    with pytest.raises(UnusableDocument, match="takes longer than"):
        await read_apart(path, Form.PDF, seconds=0)


async def test_a_fault_found_by_the_process_is_the_documents(tmp_path: Path) -> None:
    path = await asyncio.to_thread(scanned, tmp_path)

    with pytest.raises(UnusableDocument, match="as scans are"):
        await read_apart(path, Form.PDF)
