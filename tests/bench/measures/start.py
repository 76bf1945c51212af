"""How long `baton up` takes to be ready on a folder that it has been started on before, and what it needs at rest."""

import time
from pathlib import Path
from statistics import median

from tests.bench.extent import Extent
from tests.bench.report import Cell, Report
from tests.bench.stand import Stand
from tests.bench.usage import usage_of
from tests.integration.system import Baton, Process

TARGET = "ready in under 2 s; at most 60 MB without the embedded database; nothing heavy imported"
HEAVY = ("numpy", "scipy", "sklearn", "tinygrad", "safetensors", "pandas", "torch")


async def measure(stand: Stand, extent: Extent) -> Report:
    rounds = extent.pick(3, 10)
    taken: list[float] = []
    async with Baton(stand.new_folder()) as baton:
        for _ in range(rounds):
            await _process(baton).stop()
            began = time.perf_counter()
            await baton.start()
            taken.append(time.perf_counter() - began)
        pid = _process(baton).pid
        resident = usage_of(pid).resident_bytes / 2**20
        loaded = _loaded(pid)
    rows: list[dict[str, Cell]] = [
        {"what": "ready, seconds from the command, median", "value": median(taken)},
        {"what": "ready, seconds, slowest", "value": max(taken)},
        {"what": "orchestrator at rest, MB resident", "value": resident},
    ]
    heavy = [name for name in HEAVY if name in loaded]
    return Report(
        name="start",
        title=f"{rounds} starts with the embedded database on a folder that exists, without bundled workers",
        target=TARGET,
        rows=rows,
        notes=(
            f"Libraries mapped into the process: {', '.join(loaded)}.",
            f"Heavy ones among them: {', '.join(heavy) or 'none'}.",
        ),
    )


def _process(baton: Baton) -> Process:
    assert baton.process is not None
    return baton.process


def _loaded(pid: int) -> list[str]:
    """The installed packages of which the process has a library mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if "/site-packages/" in line}
    return sorted({path.partition("/site-packages/")[2].partition("/")[0].partition(".")[0] for path in paths})
