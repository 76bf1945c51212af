"""Baton and its peers on the same three-stage work, by turns, on one machine and one PostgreSQL with fsync on.

Each peer is tuned as its documentation advises for throughput: its program's docstring says how, and the output repeats
it. A turn starts the system's processes, warms them, drives the executions, checks every result and ends the processes,
so nobody runs beside anybody else.
"""

import ast
import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import orjson

from tests.bench.chain import drive, verify
from tests.bench.extent import Extent
from tests.bench.figures import WARM
from tests.bench.peers.environment import Environment, environment
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import Stand
from tests.integration.system import Process, until

TARGET = "ten times the fastest durable peer"
STAGES: Final = 3
ROOT: Final = Path(__file__).parents[3]
PATIENCE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer's program, how many executions a round has in the small extent, and how many processes do its work."""

    name: str
    executions: int
    processes: int
    on_postgres: bool = True

    @property
    def module(self) -> str:
        return f"tests.bench.peers.{self.name}_chain"

    @property
    def settings(self) -> str:
        """The second paragraph of its program's docstring."""
        source = Path(__file__).with_name(f"{self.name}_chain.py").read_text(encoding="utf-8")
        return " ".join((ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[2].split())


PEERS: Final = (
    Peer("pgqueuer", 1_000, 2),
    Peer("procrastinate", 300, 2),
    Peer("dbos", 200, 2),
    Peer("restate", 500, 1, on_postgres=False),
)
BATON_EXECUTIONS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one system."""

    stages_per_second: float
    faults: tuple[str, ...] = ()


async def measure(stand: Stand, extent: Extent) -> Report:
    rounds, factor = extent.pick(3, 5), extent.pick(1, 5)
    peers = environment()
    present = [peer for peer in PEERS if peer.on_postgres or peers.restate_server is not None]
    places = {peer.name: await _prepared(stand, peers, peer) for peer in present}
    baton_dsn = await stand.new_database()
    turns: dict[str, list[Turn]] = {name: [] for name in ("baton", *places)}
    for _ in range(rounds):
        turns["baton"].append(await _baton(stand, baton_dsn, BATON_EXECUTIONS * factor))
        for peer in present:
            turns[peer.name].append(await _peer(stand, peers, peer, places[peer.name], peer.executions * factor))
    absent = [peer.name for peer in PEERS if peer not in present]
    return Report(
        name="peers",
        title=f"durable executions of three trivial stages, medians of {rounds} alternating rounds",
        target=TARGET,
        rows=_rows({name: [turn.stages_per_second for turn in each] for name, each in turns.items()}),
        notes=(
            "baton: orchestrator, one worker of 128 slots and a client, a process each; defaults.",
            *(f"{peer.name}: {peer.settings}" for peer in present),
            *(f"{name} is absent: there is no npm to install its server with." for name in absent),
        ),
        faults=[fault for each in turns.values() for turn in each for fault in turn.faults],
        plot=Plot("stagesPerSecond", ("system",)),
    )


def _rows(rates: Mapping[str, Sequence[float]]) -> list[dict[str, Cell]]:
    """A row a system, each with how many times as fast Baton is."""
    return [
        {
            "system": name,
            "stagesPerSecond": median(rate),
            "slowest": min(rate),
            "fastest": max(rate),
            "batonIsTimesAsFast": median(rates["baton"]) / median(rate),
        }
        for name, rate in rates.items()
    ]


async def _baton(stand: Stand, dsn: str, executions: int) -> Turn:
    async with stand.site(dsn) as site:
        await site.worker("bench-increment")
        await drive([site.baton], site.connection, WARM)
        driven = await drive([site.baton], site.connection, executions)
        verdict = await verify(site.connection, driven.acknowledged)
    return Turn(driven.stages_per_second, tuple(verdict.faults("baton")))


async def _prepared(stand: Stand, peers: Environment, peer: Peer) -> str:
    """A database, or a folder, that is the peer's for all rounds."""
    place = await stand.new_database() if peer.on_postgres else str(stand.new_folder())
    await _answer(peers, peer, "prepare", place)
    return place


async def _peer(stand: Stand, peers: Environment, peer: Peer, place: str, executions: int) -> Turn:
    folder = stand.new_folder()
    command = [str(peers.python), "-m", peer.module, "work", place]
    processes = [Process(command, folder / f"{number}.log", _variables(peers)) for number in range(peer.processes)]
    try:
        for process in processes:
            await until(lambda process=process: _is_ready(process), f"{peer.name} is ready", PATIENCE_SECONDS)  # type: ignore[misc]
        await _answer(peers, peer, "drive", place, str(executions // 10))
        outcome = orjson.loads(await _answer(peers, peer, "drive", place, str(executions)))
    finally:
        for process in processes:
            await process.stop()
    missing = executions - outcome["right"]
    faults = (f"{peer.name}: {missing} of {executions} executions are lost or wrong",) if missing else ()
    return Turn(STAGES * executions / outcome["seconds"], faults)


def _is_ready(process: Process) -> bool:
    said = process.output.read_bytes()
    assert process.is_alive, said.decode()
    return b'"ready"' in said


async def _answer(peers: Environment, peer: Peer, *role: str) -> bytes:
    """The last line that the program says in this role."""
    process = await asyncio.create_subprocess_exec(
        str(peers.python),
        "-m",
        peer.module,
        *role,
        env={**os.environ, **_variables(peers)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{peer.name} ended with {process.returncode} when it was told to {role[0]}")
    return said.strip().rpartition(b"\n")[2]


def _variables(peers: Environment) -> Mapping[str, str]:
    """The programs are found in this tree; what they import comes from the peers' environment."""
    return {"PYTHONPATH": str(ROOT), "RESTATE_SERVER": str(peers.restate_server)}
