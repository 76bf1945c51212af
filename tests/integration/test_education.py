"""A PDF becomes a course, a quiz, a knowledge map and a learning path by the command line, against a whole Baton."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from tests.integration.system import API_KEY, Baton
from tests.unit.granulator_texts import TIDES

PIPELINE = "complete_education_pipeline"
SIZES = {"#": 24, "##": 17, "###": 14}
TEXT_SIZE = 11

# The workers and the reader of a PDF are processes of their own, which a loaded machine takes its time to start.
pytestmark = pytest.mark.timeout(240)


def pdf_of(markdown: str) -> FPDF:
    """Headings in three sizes, and paragraphs."""
    pdf = FPDF()
    pdf.add_page()
    for line in filter(None, markdown.splitlines()):
        mark, _, title = line.partition(" ")
        size = SIZES.get(mark, TEXT_SIZE)
        text = (title if mark in SIZES else line).encode("latin-1", "replace").decode("latin-1")
        pdf.set_font("helvetica", "B" if mark in SIZES else "", size)
        pdf.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
    return pdf


def locked(source: Path, to: Path) -> Path:
    """The same file under a password."""
    writer = PdfWriter(PdfReader(source))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(to)
    return to


async def cli(baton: Baton, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "orchestrator", *arguments),
        env={**os.environ, "BATON_URL": baton.url, "BATON_API_KEY": API_KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def headings(markdown: str) -> list[str]:
    """The titles of the headings, without how long anything lasts."""
    found = (re.fullmatch(r"(#+ .+?)(?: \(\d+ min\))?", line) for line in markdown.splitlines())
    return [heading[1] for heading in found if heading]


async def test_a_pdf_becomes_one_document_of_four_structures(tmp_path: Path) -> None:
    pdf_of(TIDES).output(str(tmp_path / "tides.pdf"))
    course, again = tmp_path / "course.md", tmp_path / "again.md"
    async with Baton(tmp_path, workers="granulator") as baton:
        given = ("--input-file", str(tmp_path / "tides.pdf"), "--watch", "--output", str(course))
        code, said = await cli(baton, "run", PIPELINE, *given)
        [execution] = re.findall(r"^Execution (\w+)", said)
        exported = await cli(baton, "status", execution, "--output", str(again))

    found = headings(course.read_text(encoding="utf-8"))
    sections = [line.removeprefix("## ") for line in TIDES.splitlines() if line.startswith("## ")]
    assert (code, exported[0]) == (0, 0), said
    assert found[0] == "# How tides work"
    assert [title for title in found if title.startswith("## ")] == [
        "## Course",
        "## Quiz",
        "## Knowledge map",
        "## Learning path",
    ]
    assert {f"### {title}" for title in sections} <= set(found)
    assert re.search(r"^How tides work  document", said, re.MULTILINE)
    assert again.read_bytes() == course.read_bytes()


async def test_an_input_that_nothing_can_be_made_of_is_told_what_to_do_about(tmp_path: Path) -> None:
    pdf_of("# Secret\nNobody reads this.").output(str(tmp_path / "open.pdf"))
    locked(tmp_path / "open.pdf", tmp_path / "locked.pdf")
    pdf_of("").output(str(tmp_path / "scanned.pdf"))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\n\0 and nothing more")
    (tmp_path / "empty.pdf").touch()
    said: dict[str, tuple[int, str]] = {}
    async with Baton(tmp_path, workers="granulator") as baton:
        for name in ("locked", "scanned", "broken", "empty"):
            said[name] = await cli(baton, "run", PIPELINE, "--input-file", str(tmp_path / f"{name}.pdf"))
        said["nothing"] = await cli(baton, "run", PIPELINE)

    advice = {
        "locked": (1, "remove its password"),
        "scanned": (1, "run text recognition (OCR) over it"),
        "broken": (1, "print it to a new PDF"),
        "empty": (2, "the file is empty"),
        "nothing": (3, "input"),
    }
    assert {name: (code, advice[name][1] in text) for name, (code, text) in said.items()} == {
        name: (code, True) for name, (code, _) in advice.items()
    }, said
