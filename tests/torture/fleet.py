"""The workers of a storm: who they are, and how the process of each is started."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.torture.scripted_worker import CALLED, SLOTS

_KIT_SLOTS: Final = 3


@dataclass(frozen=True, slots=True)
class Enlisted:
    """One worker. `temper` names a scripted one; without it the worker is made with the kit."""

    worker_id: str
    temper: str | None = None
    crashes: float = 0.0
    pace: float = 1.0
    by_http: bool = False
    hurt: bool = True
    """Whether faults may kill and stop it. Those that others' attempts are held against are left alone."""

    @property
    def is_called(self) -> bool:
        """Whether the orchestrators dial it, instead of being dialled."""
        return self.by_http or self.temper in CALLED

    @property
    def slots(self) -> int:
        return _KIT_SLOTS if self.temper is None else SLOTS[self.temper]


FLEET: Final = (
    Enlisted("good-1"),
    Enlisted("good-2"),
    Enlisted("good-3"),
    Enlisted("called-1", by_http=True),
    Enlisted("slow-1", pace=4.0),
    Enlisted("crasher-1", crashes=0.1),
    Enlisted("victim-1", temper="victim"),
    Enlisted("victim-2", temper="victim"),
    Enlisted("liar-1", temper="liar", hurt=False),
    Enlisted("liar-2", temper="liar", hurt=False),
    Enlisted("zombie-1", temper="zombie", hurt=False),
    Enlisted("refuser-1", temper="refuser", hurt=False),
    Enlisted("repeater-1", temper="repeater"),
    Enlisted("seed-1", temper="seed"),
    Enlisted("seed-2", temper="seed", hurt=False),
    Enlisted("late-1", temper="late"),
    Enlisted("boaster-1", temper="boaster", hurt=False),
    Enlisted("braggart-1", temper="braggart", hurt=False),
)


@dataclass(frozen=True, slots=True)
class Station:
    """Where a worker's process is put: the folder of its diary, its way to the orchestrators, and their way to it."""

    folder: Path
    seed: int
    lease_s: float
    orchestrator: str
    own_port: int
    own_url: str


def command_of(worker: Enlisted, station: Station) -> list[str]:
    if worker.temper is not None:
        return [sys.executable, "-P", "-m", "tests.torture.scripted_worker", worker.temper]
    command = [sys.executable, "-P", "-m", "workers.kit", "tests.torture.kit_worker"]
    command += ["--orchestrator", station.orchestrator, "--worker-id", worker.worker_id]
    command += ["--slots", str(worker.slots), "--data-dir", str(station.folder / "kit")]
    if worker.by_http:
        command += ["--transport", "http", "--port", str(station.own_port), "--url", station.own_url]
    return command


def environment_of(worker: Enlisted, station: Station) -> dict[str, str]:
    return {
        "TORTURE_WORKER": worker.worker_id,
        "TORTURE_URL": station.orchestrator,
        "TORTURE_FOLDER": str(station.folder),
        "TORTURE_SEED": str(station.seed),
        "TORTURE_LEASE": str(station.lease_s),
        "TORTURE_CRASHES": str(worker.crashes),
        "TORTURE_PACE": str(worker.pace),
        "TORTURE_OWN_PORT": str(station.own_port),
        "TORTURE_OWN_URL": station.own_url,
    }
