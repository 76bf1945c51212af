"""What processes cost: CPU seconds and resident memory, as the kernel counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far and resident bytes of one process and its living descendants."""

    cpu_seconds: float
    resident_bytes: int


def usage_of(pid: int) -> Usage:
    """Of the process and all that it started; ended children count with the process that waited for them."""
    cpu, resident = _one(pid)
    for child in _children(pid):
        below = usage_of(child)
        cpu += below.cpu_seconds
        resident += below.resident_bytes
    return Usage(cpu, resident)


def _one(pid: int) -> tuple[float, int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / _TICKS, int(fields[21]) * _PAGE


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
