"""All that is tortured: PostgreSQL, three orchestrators, the fleet, and the links between them.

Every process is a real one, in a session of its own; nobody reaches anybody but through a link.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import aiohttp

from orchestrator.core.seams import Clock
from orchestrator.store.blobs import UPLOADS
from tests.integration.system import API_KEY, WORKER_SECRET, Process
from tests.torture.fleet import FLEET, Enlisted, Station, command_of, environment_of
from tests.torture.front import Front, Names
from tests.torture.happenings import Happenings
from tests.torture.link import Address, Link, free_port, socket_of
from tests.torture.postgres import Postgres
from tests.torture.schedule import Targets
from tests.torture.taps import ClientTap, DatabaseTap, WorkerTap

ORCHESTRATORS: Final = ("orchestrator-1", "orchestrator-2", "orchestrator-3")
_WATCH_S: Final = 0.1
_START_S: Final = 60.0
_TAIL: Final = 2000
_ROOT: Final = Path(__file__).parents[2]


def to_database(orchestrator: str) -> str:
    return f"database-of-{orchestrator}"


def to_clients(orchestrator: str) -> str:
    return f"clients-of-{orchestrator}"


def between(dialling: str, dialled: str) -> str:
    """The way by which one replica offers another one its workers."""
    return f"{dialling}-to-{dialled}"


def of_worker(worker_id: str) -> str:
    return f"{worker_id}-out"


def into_worker(worker_id: str) -> str:
    return f"{worker_id}-in"


TARGETS: Final = Targets(
    orchestrators=ORCHESTRATORS,
    workers=tuple(worker.worker_id for worker in FLEET if worker.hurt),
    links=(
        *(to_database(name) for name in ORCHESTRATORS),
        *(to_clients(name) for name in ORCHESTRATORS),
        *(between(dialling, dialled) for dialling, dialled in permutations(ORCHESTRATORS, 2)),
        *(of_worker(worker.worker_id) for worker in FLEET if worker.hurt),
        *(into_worker(worker.worker_id) for worker in FLEET if worker.hurt and worker.is_called),
    ),
    database_links=tuple(to_database(name) for name in ORCHESTRATORS),
    client_links=tuple(to_clients(name) for name in ORCHESTRATORS),
    replica_pairs=tuple("|".join(pair) for pair in combinations(ORCHESTRATORS, 2)),
)


@dataclass(frozen=True, slots=True)
class Death:
    """A process that was ended, or ended."""

    pid: int
    who: str
    how: str


class Deployment:
    """The running system."""

    def __init__(self, folder: Path, seed: int, lease_s: float, happenings: Happenings, clock: Clock) -> None:
        self.folder = folder
        self.happenings = happenings
        self.clock = clock
        self.postgres = Postgres(folder / "postgres", clock)
        self.links: dict[str, Link] = {}
        self.ports = {name: free_port() for name in ORCHESTRATORS}
        self.fronts: dict[str, Front] = {}
        self.data_folder = folder / "data"
        self.deaths: list[Death] = []
        self.fell_by_itself: list[str] = []
        """Orchestrators that ended without anybody's having ended them."""
        self._seed = seed
        self._lease_s = lease_s
        self._processes: dict[str, Process] = {}
        self._stations: dict[str, Station] = {}
        self.held_down: Counter[str] = Counter()
        """By name: how many faults keep this one from working at this moment."""
        self._starting: set[str] = set()
        self._ended: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Everything is up when this returns, and the workers are on their way."""
        await self.postgres.start()
        await self._open_links()
        await asyncio.gather(*(self.start_orchestrator(name) for name in ORCHESTRATORS))
        for worker in FLEET:
            self._spawn_worker(worker)
        self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """End every process, the gentle way first, and PostgreSQL last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        workers = [process for name, process in self._processes.items() if name not in ORCHESTRATORS]
        await asyncio.gather(*(process.kill() for process in workers))
        orchestrators = [self._processes[name] for name in ORCHESTRATORS if name in self._processes]
        await asyncio.gather(*(process.stop() for process in orchestrators))
        for front in self.fronts.values():
            await front.close()
        for link in self.links.values():
            await link.close()
        await self.postgres.stop()

    def public_url(self, orchestrator: str) -> str:
        """By which the other replicas know it."""
        return f"http://127.0.0.1:{self.fronts[orchestrator].port}"

    # ------------------------------------------------------------------------------------------------------ the links

    async def _open_links(self) -> None:
        server = [Address(path=socket_of(self.postgres.socket_folder))]
        for name in ORCHESTRATORS:
            folder = self.folder / name
            folder.mkdir()
            link = Link(to_database(name), server, self.clock, path=socket_of(folder), tap=self._database_tap)
            await self._open(link)
            await self._open(Link(to_clients(name), [Address(self.ports[name])], self.clock, tap=_client_tap))
        await self._open_fronts()
        for number, worker in enumerate(FLEET):
            await self._open_links_of(worker, number % len(ORCHESTRATORS))

    async def _open_fronts(self) -> None:
        names: Names = {}
        for dialled in ORCHESTRATORS:
            ways = {}
            for dialling in ORCHESTRATORS:
                link = Link(between(dialling, dialled), [Address(self.ports[dialled])], self.clock)
                ways[dialling] = self.links[link.name] = link
            front = self.fronts[dialled] = Front(dialled, ways, names)
            await front.open()

    async def _open_links_of(self, worker: Enlisted, home: int) -> None:
        replicas = [Address(port) for port in self.ports.values()]
        servers = replicas[home:] + replicas[:home]
        out = await self._open(Link(of_worker(worker.worker_id), servers, self.clock, tap=self._worker_tap))
        own_port, own_url = 0, ""
        if worker.is_called:
            own_port = free_port()
            into = await self._open(Link(into_worker(worker.worker_id), [Address(own_port)], self.clock))
            own_url = f"http://127.0.0.1:{into.port}"
        orchestrator = f"http://127.0.0.1:{out.port}"
        station = Station(self.folder, self._seed, self._lease_s, orchestrator, own_port, own_url)
        self._stations[worker.worker_id] = station

    async def _open(self, link: Link) -> Link:
        await link.open()
        self.links[link.name] = link
        return link

    def _database_tap(self, link: Link) -> DatabaseTap:
        return DatabaseTap(link.cutter, lambda: self.happenings.happened("commit", {"link": link.name}))

    def _worker_tap(self, link: Link) -> WorkerTap:
        return WorkerTap([front.port for front in self.fronts.values()], link.port)

    # -------------------------------------------------------------------------------------------------- the processes

    async def start_orchestrator(self, name: str) -> None:
        """Start it; when this returns, it takes calls. One that falls at once is started again: PostgreSQL may have
        been away at just this moment."""
        self._starting.add(name)
        self._spawn_orchestrator(name)
        try:
            async with asyncio.timeout(_START_S), aiohttp.ClientSession() as session:
                while not await self._takes_calls(name, session):
                    if not self._processes[name].is_alive:
                        self._spawn_orchestrator(name)
                    await self.clock.sleep(_WATCH_S)
        except TimeoutError:
            output = self._processes[name].output.read_text()[-_TAIL:]
            raise AssertionError(f"{name} does not take calls within {_START_S:g} s: {output}") from None
        finally:
            self._starting.discard(name)

    async def _takes_calls(self, name: str, session: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError, OSError):
            async with session.get(f"http://127.0.0.1:{self.ports[name]}/api/healthz") as response:
                return response.status == 200
        return False

    def _spawn_orchestrator(self, name: str) -> None:
        """All three share a data folder, as replicas on one machine do: names and artifacts are in it."""
        dsn = urlsplit(self.postgres.dsn)
        through = dsn._replace(query=f"host={quote(str(self.folder / name))}&port=5432").geturl()
        command = [sys.executable, "-P", "-m", "orchestrator", "up", "--port", str(self.ports[name])]
        command += ["--data-dir", str(self.data_folder), "--workers", "none", "--database-url", through]
        environment = {
            "BATON_API_KEY": API_KEY,
            "WORKER_SECRET": WORKER_SECRET,
            "BATON_LEASE_SECONDS": f"{self._lease_s:g}",
            "BATON_PUBLIC_URL": self.public_url(name),
        }
        self._processes[name] = Process(command, self.folder / f"{name}.log", environment)

    def _spawn_worker(self, worker: Enlisted) -> None:
        station = self._stations[worker.worker_id]
        environment = {**environment_of(worker, station), "WORKER_SECRET": WORKER_SECRET, "PYTHONPATH": str(_ROOT)}
        log = self.folder / f"{worker.worker_id}.log"
        self._processes[worker.worker_id] = Process(command_of(worker, station), log, environment)

    async def _watch(self) -> None:
        """Workers that have ended are started again; an orchestrator that ends by itself is a fault of ours."""
        while True:
            for worker in FLEET:
                process = self._processes[worker.worker_id]
                if not process.is_alive:
                    self._died(worker.worker_id, process.pid, "ended")
                    self._spawn_worker(worker)
            for name in ORCHESTRATORS:
                process = self._processes[name]
                if process.is_alive or name in self._starting or process.pid in self._ended:
                    continue
                self._died(name, process.pid, "fell by itself")
                self.fell_by_itself.append(name)
                self._spawn_orchestrator(name)
            await self.clock.sleep(_WATCH_S)

    def _died(self, who: str, pid: int, how: str) -> None:
        self.deaths.append(Death(pid, who, how))
        self.happenings.happened("death", {"who": who, "pid": pid})

    def ended_postgres(self, pids: Sequence[int], how: str) -> None:
        """Processes of PostgreSQL that a fault has ended."""
        self.deaths += [Death(pid, "postgres", how) for pid in pids]

    async def kill(self, name: str) -> None:
        """SIGKILL to an orchestrator or a worker."""
        process = self._processes[name]
        if name in ORCHESTRATORS:
            self._ended.add(process.pid)
            self._died(name, process.pid, "SIGKILL")
        await process.kill()

    async def end(self, name: str) -> int:
        """SIGTERM to an orchestrator; returns its exit code."""
        process = self._processes[name]
        self._ended.add(process.pid)
        self._died(name, process.pid, "SIGTERM")
        return await process.stop()

    @contextmanager
    def artifacts_blocked(self) -> Iterator[None]:
        """While the block lasts no artifact can be written, by nobody, root or not: where they begin stands a file."""
        uploads = self.data_folder / "artifacts" / UPLOADS
        uploads.mkdir(exist_ok=True)
        aside = uploads.with_name("uploads-aside")
        uploads.rename(aside)
        uploads.touch()
        try:
            yield
        finally:
            uploads.unlink()
            aside.rename(uploads)

    @asynccontextmanager
    async def stopped(self, name: str) -> AsyncIterator[None]:
        """SIGSTOP, and SIGCONT when the block ends."""
        pid = self._processes[name].pid
        with self.down(name):
            _signal(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                _signal(pid, signal.SIGCONT)

    @contextmanager
    def down(self, name: str) -> Iterator[None]:
        """While the block lasts it is known that this one does not work, and why."""
        self.held_down[name] += 1
        try:
            yield
        finally:
            self.held_down[name] -= 1


def _signal(pid: int, number: int) -> None:
    """To a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _client_tap(link: Link) -> ClientTap:
    return ClientTap(link.cutter)
