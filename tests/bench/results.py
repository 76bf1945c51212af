"""RESULTS.md: the reports of one session with what they were measured on, and their plots beside it as SVG."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from orchestrator.store.embedded_binaries import MAJOR_VERSION
from tests.bench.extent import Extent
from tests.bench.report import Report
from tests.bench.svg import plot_of

FOLDER: Final = Path(__file__).parent
PLOTS: Final = "plots"
LIBRARIES: Final = ("aiohttp", "asyncpg", "orjson", "pydantic", "uvloop")


def write(reports: Sequence[Report], extent: Extent) -> Path:
    """Write RESULTS.md and the plots anew; returns where."""
    plots = FOLDER / PLOTS
    plots.mkdir(exist_ok=True)
    sections = []
    for report in reports:
        drawn = plot_of(report)
        section = report.markdown()
        if drawn is not None:
            (plots / f"{report.name}.svg").write_text(drawn, encoding="utf-8")
            section += f"\n![{report.name}]({PLOTS}/{report.name}.svg)\n"
        sections.append(section)
    path = FOLDER / "RESULTS.md"
    path.write_text("\n".join([_head(extent), *sections]), encoding="utf-8")
    return path


def _head(extent: Extent) -> str:
    command = "scripts/bench all --full" if extent.full else f"scripts/bench all --seconds {extent.seconds:g}"
    facts = {
        "written by": f"`{command}`",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB, {platform.platform()}",
        "load average at the end": "{:.1f}, {:.1f}, {:.1f}".format(*os.getloadavg()),
        "database": f"embedded PostgreSQL {MAJOR_VERSION}, fsync and synchronous_commit on, full_page_writes on",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{library} {version(library)}" for library in LIBRARIES),
    }
    lines = [f"| {name} | {fact} |" for name, fact in facts.items()]
    return "\n".join(["# What the bench measured", "", "| | |", "| --- | --- |", *lines, ""])


def _commit() -> str:
    """What is checked out, and whether the files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "not a checkout"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
