"""Carries a schedule out: waits for what sets a fault off, does it, ends it, and notes what has to come back.

Invariant: every planned fault is done, at the latest when its patience is over.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final

import asyncpg

from tests.torture import provocations
from tests.torture.client import TortureClient
from tests.torture.deployment import (
    ORCHESTRATORS,
    TARGETS,
    Deployment,
    between,
    into_worker,
    of_worker,
    to_clients,
    to_database,
)
from tests.torture.diary import order_of
from tests.torture.faults import LANES, Fault, Lane, Trigger
from tests.torture.fleet import FLEET
from tests.torture.happenings import About
from tests.torture.link import Link
from tests.torture.schedule import Planned, Schedule

_SLOW_S: Final = 0.15
_DYING_S: Final = 3.0
_REPLY_S: Final = 30.0
_PROVOKED_S: Final = 60.0
_POINTS: Final = {
    Fault.KILL_WORKER_BEFORE_ACCEPT: "offer",
    Fault.KILL_WORKER_AFTER_ACCEPT: "begin",
    Fault.KILL_WORKER_MID_PROCESS: "middle",
}

Hurt = tuple[str, str, int]
"""A stage that was alive at a worker: its execution, its name, and its fence."""


@dataclass(frozen=True, slots=True)
class Wound:
    """What a fault has hurt. It has come back with the first change of one of `executions` or `stages` after `at`, or
    with the first `event` through `link`."""

    fault: Fault
    target: str
    at: float
    executions: tuple[str, ...] = ()
    stages: tuple[Hurt, ...] = ()
    event: str = ""
    link: str = ""


class Storm:
    """One schedule on one deployment."""

    def __init__(self, deployment: Deployment, client: TortureClient, neighbour: TortureClient) -> None:
        self.fired: Counter[Fault] = Counter()
        self.wounds: list[Wound] = []
        self.journal: list[str] = []
        """What was done when, to be read beside the logs."""
        self._deployment = deployment
        self._client = client
        self._neighbour = neighbour
        self._clock = deployment.clock
        self._happenings = deployment.happenings
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def rage(self, schedule: Schedule) -> None:
        """Returns when every fault has been done and is over."""
        began = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            for planned in schedule.faults:
                group.create_task(self._one(planned, began))

    async def _one(self, planned: Planned, began: float) -> None:
        await self._clock.sleep(planned.armed_s - (self._clock.monotonic() - began))
        about = await self._set_off(planned)
        if about is not None and planned.do in LANES[Lane.WORKERS]:
            planned = replace(planned, target=about["worker"])
        async with self._locks[self._exclusive(planned)]:
            self._note(planned, about)
            try:
                await self._do(planned)
            except TimeoutError:
                self.journal.append(f"{planned.do} {planned.target} found nothing to be done to")
                return
            self.fired[planned.do] += 1

    @staticmethod
    def _exclusive(planned: Planned) -> str:
        """What only one fault at a time may be done to."""
        if planned.target:
            return planned.target
        return "postgres" if planned.do in LANES[Lane.SYSTEM] else f"{planned.do}{planned.armed_s}"

    async def _set_off(self, planned: Planned) -> About | None:
        """What happened, or None if patience was over first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(planned.patience_s):
                condition = _at_somebody_to_hurt if planned.do in LANES[Lane.WORKERS] else _any
                return await self._happenings.nth(planned.at, planned.n, condition)
        return None

    def _note(self, planned: Planned, about: About | None) -> None:
        at = self._clock.now().isoformat(timespec="milliseconds")
        why = "patience was over" if about is None else f"{planned.n}. {planned.at}"
        self.journal.append(f"{at} {planned.do} {planned.target} for {planned.for_s} s, at {why}")

    async def _do(self, planned: Planned) -> None:
        if planned.do in LANES[Lane.SYSTEM]:
            await self._hurt_system(planned)
        elif planned.do in LANES[Lane.WORKERS]:
            await self._hurt_worker(planned)
        elif planned.do is Fault.PARTITION_REPLICAS:
            await self._partition(planned)
        elif planned.do in LANES[Lane.NETWORK]:
            await self._hurt_link(planned, self._deployment.links[planned.target])
        else:
            await self._provoke(planned)

    # -------------------------------------------------------------------------------------- orchestrators, PostgreSQL

    async def _hurt_system(self, planned: Planned) -> None:
        deployment, postgres, target = self._deployment, self._deployment.postgres, planned.target
        match planned.do:
            case Fault.KILL_ORCHESTRATOR:
                await self._wound_owner(planned, target)
                await deployment.kill(target)
                await self._brought_back(planned)
            case Fault.STOP_ORCHESTRATOR:
                await self._wound_owner(planned, target)
                async with deployment.stopped(target):
                    await self._clock.sleep(planned.for_s)
            case Fault.END_ORCHESTRATOR:
                await self._wound_owner(planned, target)
                with deployment.down(target):
                    await deployment.end(target)
                    await self._brought_back(planned)
            case Fault.KILL_POSTGRES | Fault.RESTART_POSTGRES:
                pids = postgres.kill() if planned.do is Fault.KILL_POSTGRES else postgres.restart_at_once()
                deployment.ended_postgres(pids, planned.do)
                self._wound_database(planned)
            case Fault.TERMINATE_BACKENDS:
                await postgres.terminate_backends()
                self._wound_database(planned)
            case Fault.READ_ONLY_POSTGRES:
                await postgres.read_only_for(planned.for_s)
                self._wound_database(planned)
            case Fault.LOCK_POSTGRES:
                await postgres.locked_for(planned.for_s)
                self._wound_database(planned)
            case Fault.FILL_DISK:
                await postgres.full_for(planned.for_s)
                self._wound_database(planned)
            case Fault.SLOW_POSTGRES:
                await postgres.slow_for(planned.for_s)
                self._wound_database(planned)
            case Fault.BLOCK_ARTIFACTS:
                await self._block_artifacts(planned)
                self._wound_database(planned)
            case Fault.KILL_FLEET:
                await self._kill_fleet(planned)

    async def _brought_back(self, planned: Planned) -> None:
        with self._deployment.down(planned.target):
            await self._clock.sleep(planned.for_s)
            await self._deployment.start_orchestrator(planned.target)

    async def _block_artifacts(self, planned: Planned) -> None:
        """The place where artifacts are written is not there; something large is asked for meanwhile."""
        with self._deployment.artifacts_blocked():
            asked = asyncio.create_task(provocations.large_payload(self._client))
            await self._clock.sleep(planned.for_s)
        await asked

    async def _kill_fleet(self, planned: Planned) -> None:
        victims = [worker.worker_id for worker in FLEET if worker.hurt]
        await self._wound_workers(planned, victims)
        await asyncio.gather(*(self._deployment.kill(worker_id) for worker_id in victims))

    # -------------------------------------------------------------------------------------------------------- workers

    async def _hurt_worker(self, planned: Planned) -> None:
        worker_id = planned.target
        if planned.do is Fault.STOP_WORKER:
            await self._wound_workers(planned, [worker_id])
            async with self._deployment.stopped(worker_id):
                await self._clock.sleep(planned.for_s)
        elif planned.do is Fault.KILL_WORKER_BEFORE_ACK:
            await self._kill_before_ack(planned, worker_id)
        else:
            await self._kill_at_point(planned, worker_id, _POINTS[planned.do])

    async def _kill_at_point(self, planned: Planned, worker_id: str, point: str) -> None:
        """The process kills itself when it gets there; one that has nothing to do is killed where it is."""
        order = order_of(self._deployment.folder, worker_id)
        order.write_text(point)
        died = asyncio.create_task(self._happenings.nth("death", 1, lambda about: about["who"] == worker_id))
        try:
            async with asyncio.timeout(_DYING_S):
                await died
        except TimeoutError:
            order.unlink(missing_ok=True)
            await self._deployment.kill(worker_id)
        await self._wound_workers(planned, [worker_id])

    async def _kill_before_ack(self, planned: Planned, worker_id: str) -> None:
        """Its answers are held back; the first that comes may be the ack, and it never sees it."""
        worker = next(worker for worker in FLEET if worker.worker_id == worker_id)
        name = into_worker(worker_id) if worker.is_called else of_worker(worker_id)
        link = self._deployment.links[name]
        held = link.hold_answers()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_S):
                await self._happenings.nth("end", 1, lambda about: about["worker"] == worker_id)
                await link.answered_while_held.wait()
        await self._deployment.kill(worker_id)
        for passage in held:
            passage.abort()
        await self._wound_workers(planned, [worker_id])

    # ---------------------------------------------------------------------------------------------------------- links

    async def _hurt_link(self, planned: Planned, link: Link) -> None:
        await self._wound_path(planned)
        match planned.do:
            case Fault.RESET_LINK:
                link.reset()
            case Fault.TRUNCATE_LINK:
                link.truncates = True
            case Fault.HALF_OPEN_LINK:
                stalled = link.stall()
                await self._clock.sleep(planned.for_s)
                for passage in stalled:
                    passage.abort()
            case Fault.REFUSE_LINK:
                link.is_refusing = True
                link.reset()
                await self._clock.sleep(planned.for_s)
                link.is_refusing = False
            case Fault.SWALLOW_LINK:
                link.is_swallowing = True
                link.stall()
                await self._clock.sleep(planned.for_s)
                link.is_swallowing = False
                link.reset()
            case Fault.SLOW_LINK:
                link.latency_s = _SLOW_S
                await self._clock.sleep(planned.for_s)
                link.latency_s = 0.0
            case Fault.CUT_COMMIT_REPLY:
                await self._cut(link, "flush")
            case Fault.CUT_CLAIM_REPLY:
                await self._cut(link, "other")
            case Fault.CUT_ANSWER:
                await self._cut(link, "answer")
        self._wound_links(
            planned, [link.name for name in self._up() if link.name == to_clients(name)], Trigger.SUBMITTED
        )

    async def _partition(self, planned: Planned) -> None:
        """Both of the pair still reach the third, the database and their workers."""
        one, other = planned.target.split("|")
        for dialling, dialled in ((one, other), (other, one)):
            await self._wound_peers(planned, dialling, dialled)
        links = [self._deployment.links[between(*pair)] for pair in ((one, other), (other, one))]
        for link in links:
            link.is_swallowing = True
            link.stall()
        await self._clock.sleep(planned.for_s)
        for link in links:
            link.is_swallowing = False
            link.reset()

    async def _cut(self, link: Link, what: str) -> None:
        """Wait until one has come by and was cut off."""
        done = asyncio.Event()
        link.cutter.ask(what, done.set)
        async with asyncio.timeout(_REPLY_S):
            await done.wait()

    # -------------------------------------------------------------------------------------------------------- clients

    async def _provoke(self, planned: Planned) -> None:
        async with asyncio.timeout(_PROVOKED_S):
            match planned.do:
                case Fault.POISON:
                    await provocations.poison(self._client)
                case Fault.RACE_FOR_A_KEY:
                    await provocations.race_for_a_key(self._client)
                case Fault.CANCEL_RUNNING:
                    await provocations.cancel_running(self._client)
                case Fault.HUGE_RESULTS:
                    await provocations.huge_results(self._client, self._happenings)
                case Fault.CROWD_OF_STREAMS:
                    await provocations.crowd_of_streams(self._neighbour, self._client)

    # --------------------------------------------------------------------------------------------------------- wounds

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _wound_links(self, planned: Planned, links: Sequence[str], event: str) -> None:
        """Those whose orchestrator runs: one that is being killed or ended has its own wound, and this path no end."""
        running = [link for link in links if not self._locks[link.rpartition("-of-")[2]].locked()]
        self.wounds += [Wound(planned.do, link, self._now(), event=event, link=link) for link in running]

    def _wound_database(self, planned: Planned) -> None:
        """The ways of the orchestrators to it; of one that the storm keeps down nothing can come back."""
        self._wound_links(planned, [to_database(name) for name in self._up()], "commit")

    def _up(self) -> list[str]:
        """The orchestrators that no fault keeps down at this moment."""
        return [name for name in ORCHESTRATORS if not self._deployment.held_down[name]]

    async def _wound_path(self, planned: Planned) -> None:
        """What goes through this link now."""
        name = planned.target
        for orchestrator in ORCHESTRATORS:
            if name == to_database(orchestrator):
                await self._wound_owner(planned, orchestrator)
                return
            if name == to_clients(orchestrator):
                return
        for dialling, dialled in permutations(ORCHESTRATORS, 2):
            if name == between(dialling, dialled):
                await self._wound_peers(planned, dialling, dialled)
                return
        await self._wound_workers(planned, [name.rpartition("-")[0]])

    async def _wound_owner(self, planned: Planned, orchestrator: str) -> None:
        """The executions that this orchestrator drives."""
        rows = await self._found(
            """
            SELECT e.execution_id FROM pipeline_executions AS e JOIN replicas AS r ON r.replica_id = e.owner
            WHERE r.url = $1 AND r.epoch = e.owner_epoch AND e.status IN ('queued', 'running')
            """,
            self._deployment.public_url(orchestrator),
        )
        at = self._now()
        self.wounds.append(Wound(planned.do, orchestrator, at, executions=tuple(row["execution_id"] for row in rows)))

    async def _wound_workers(self, planned: Planned, worker_ids: Sequence[str]) -> None:
        """The stages that live at these workers."""
        at = self._now()
        rows = await self._found(
            """
            SELECT execution_id, name, fence FROM stage_executions
            WHERE worker_id = ANY ($1::text[]) AND status IN ('offered', 'running')
            """,
            list(worker_ids),
        )
        stages = tuple((row["execution_id"], row["name"], row["fence"]) for row in rows)
        self.wounds.append(Wound(planned.do, planned.target, at, stages=stages))

    async def _wound_peers(self, planned: Planned, dialling: str, dialled: str) -> None:
        """The stages that the dialled one drives at workers whose home is the one that dials."""
        at = self._now()
        rows = await self._found(
            """
            SELECT s.execution_id, s.name, s.fence
            FROM stage_executions AS s
            JOIN pipeline_executions AS e ON e.execution_id = s.execution_id
            JOIN worker_registry AS w ON w.worker_id = s.worker_id
            JOIN replicas AS home ON home.replica_id = w.home
            JOIN replicas AS driver ON driver.replica_id = e.owner
            WHERE home.url = $1 AND driver.url = $2 AND s.status IN ('offered', 'running')
            """,
            self._deployment.public_url(dialling),
            self._deployment.public_url(dialled),
        )
        stages = tuple((row["execution_id"], row["name"], row["fence"]) for row in rows)
        self.wounds.append(Wound(planned.do, between(dialling, dialled), at, stages=stages))

    async def _found(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """What a wound is about; nothing where PostgreSQL is away as well."""
        try:
            async with asyncio.timeout(1.0):
                connection = await self._deployment.postgres.connect()
                try:
                    return await connection.fetch(statement, *arguments)
                finally:
                    connection.terminate()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return []


def _any(_: About) -> bool:
    return True


def _at_somebody_to_hurt(about: About) -> bool:
    return about["worker"] in TARGETS.workers
