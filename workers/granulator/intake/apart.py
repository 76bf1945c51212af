"""Has a file read by a process of its own, so that nothing a file holds can stop, slow or swell the worker.

The process is gone when `read_apart` returns, however it returns.
"""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

from workers.granulator.intake.bounds import READING_SECONDS
from workers.granulator.intake.forms import Form
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument

_MODULE: Final = "workers.granulator.intake.reading_process"
_TOO_LONG: Final = f"takes longer than {READING_SECONDS} seconds to read; split it, or print it to a new file."
_LONGEST_REMARK: Final = 500


class ReaderFailed(Exception):
    """The reading process broke down without a verdict: not the document's fault, as far as is known."""


async def read_apart(
    path: Path, form: Form, content_type: str | None = None, *, seconds: float = READING_SECONDS
) -> Reading:
    """The text of a PDF or HTML file; raises UnusableDocument, or ReaderFailed."""
    # -P: the working directory is no source of modules, whatever lies there.
    command = [sys.executable, "-P", "-m", _MODULE, form, str(path), *([content_type] if content_type else [])]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(seconds):
            output, remarks = await process.communicate()
    except TimeoutError:
        raise UnusableDocument(_TOO_LONG) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _verdict(process.returncode, output, remarks)


def _verdict(status: int | None, output: bytes, remarks: bytes) -> Reading:
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        raise UnusableDocument(_TOO_LONG)
    if status != 0:
        last = remarks.decode(errors="replace").strip().rpartition("\n")[2][-_LONGEST_REMARK:]
        raise ReaderFailed(f"the process that reads documents ended with status {status}: {last}")
    answer = json.loads(output)
    if fault := answer.get("fault"):
        raise UnusableDocument(fault)
    return Reading(answer["text"], answer["title"])
