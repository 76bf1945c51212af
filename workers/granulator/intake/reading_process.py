"""The process that reads one PDF or HTML file and ends: bounded in memory and CPU time, its answer one JSON object.

`python -m workers.granulator.intake.reading_process FORM PATH [CONTENT_TYPE]` answers `{text, title}` or `{fault}` and
exits with 0; any other exit is a fault of this program or a bound that was reached.
"""

import contextlib
import json
import logging
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from workers.granulator.intake.bounds import MOST_TEXT_BYTES, READING_MEMORY, READING_SECONDS, megabytes
from workers.granulator.intake.forms import Form
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument


def main(arguments: Sequence[str]) -> None:
    """Reads the file and writes the answer to standard output."""
    _limit()
    logging.disable()  # what a library remarks on damage would fill the pipe and reach nobody
    form, path, *content_type = arguments
    try:
        reading = _read(Form(form), Path(path), content_type[0] if content_type else None)
        answer = {"text": reading.text, "title": reading.title}
    except UnusableDocument as error:
        answer = {"fault": error.fault}
    except MemoryError:
        answer = {"fault": f"needs more than {megabytes(READING_MEMORY)} of memory to be read; split it."}
    sys.stdout.write(json.dumps(answer))


def _read(form: Form, path: Path, content_type: str | None) -> Reading:
    # Each form brings a library of its own; only one of them is needed here.
    if form is Form.PDF:
        from workers.granulator.intake.pdf import read_pdf

        reading = read_pdf(path)
    else:
        from workers.granulator.intake.decoding import decode
        from workers.granulator.intake.html import read_html

        reading = read_html(decode(path.read_bytes(), content_type, is_html=True))
    if (size := len(reading.text.encode())) > MOST_TEXT_BYTES:
        raise UnusableDocument(f"has {megabytes(size)} of text, and at most {megabytes(MOST_TEXT_BYTES)} are read.")
    return reading


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (READING_SECONDS, READING_SECONDS + 1))
    with contextlib.suppress(ValueError):  # not every system bounds the address space; the time is bounded on all
        resource.setrlimit(resource.RLIMIT_AS, (READING_MEMORY, READING_MEMORY))


if __name__ == "__main__":
    main(sys.argv[1:])
