"""One storm from its seed to its verdict: warm, rage, heal, be still, check."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from orchestrator.client import BatonClient
from orchestrator.core.seams import Clock
from orchestrator.store.accounts import AccountTables
from orchestrator.store.database import Database
from orchestrator.system import SystemClock, TimeOrderedIds
from tests.torture.chance import stream
from tests.torture.checks import Finding, findings_in
from tests.torture.client import TortureClient
from tests.torture.deployment import ORCHESTRATORS, TARGETS, Death, Deployment, to_clients
from tests.torture.diary import EAR
from tests.torture.evidence import Evidence, gathered
from tests.torture.faults import PROVOKED_BY, UNHURRIED, UNHURRIED_S, Sometimes
from tests.torture.happenings import Happenings
from tests.torture.ledger import Ledger
from tests.torture.rarities import seen_in
from tests.torture.recovery import Recovery, recoveries
from tests.torture.schedule import Schedule, make_schedule
from tests.torture.storm import Storm
from tests.torture.tenants import FIRST, SECOND, TENANTS, Tenant, enrol
from tests.torture.workload import SIGNAL_VALUE, templates_of

LEASE_S: Final = 3.0
CLIENTS: Final[dict[Tenant, int]] = {FIRST: 6, SECOND: 2}
_WARM: Final = 8
"""Results that have been acknowledged before the first fault."""
_WARM_S: Final = 120.0
_STILL_S: Final = 120.0
_STREAMS_END_S: Final = 30.0
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a storm."""

    schedule: Schedule
    storm: Storm
    evidence: Evidence
    findings: Sequence[Finding]
    sometimes: dict[Sometimes, int]
    recoveries: Sequence[Recovery]
    deaths: Sequence[Death]
    happened: dict[str, int]

    @property
    def unfired(self) -> dict[str, int]:
        """By kind: how many planned faults did not happen."""
        return {fault.value: number for fault, number in (self.schedule.planned() - self.storm.fired).items()}

    @property
    def unseen(self) -> list[str]:
        """What had to be seen, and was not."""
        return [rarity.value for rarity, times in self.sometimes.items() if not times and self._has_to_show(rarity)]

    def _has_to_show(self, rarity: Sometimes) -> bool:
        """Under the faults that were planned, in the time that there was."""
        if rarity in PROVOKED_BY:
            return self.schedule.planned()[PROVOKED_BY[rarity]] > 0
        return rarity not in UNHURRIED or self.schedule.storm_s >= UNHURRIED_S

    @property
    def holds(self) -> bool:
        """Nothing broke, and the storm was one."""
        return not (self.findings or self.unfired or self.unseen)


class Torture:
    """One run in a folder of its own, which afterwards holds the schedule, the ledgers, diaries and logs."""

    def __init__(self, folder: Path, schedule: Schedule) -> None:
        self._folder = folder
        self._schedule = schedule
        self._clock: Clock = SystemClock()
        self._happenings = Happenings(self._clock)
        self._deployment = Deployment(folder, schedule.seed, schedule.lease_s, self._happenings, self._clock)
        self._ledgers: list[Path] = []
        self._acknowledged: list[tuple[Tenant, str]] = []

    async def run(self) -> Verdict:
        (self._folder / "schedule.json").write_bytes(self._schedule.encoded())
        async with AsyncExitStack() as stack:
            stack.enter_context(self._happenings.heard_at(self._folder / EAR))
            stack.push_async_callback(self._deployment.stop)
            await self._deployment.start()
            await self._prepare()
            clients = [
                await stack.enter_async_context(self._client(tenant, number))
                for tenant, most in CLIENTS.items()
                for number in range(most)
            ]
            stormy = {tenant: await stack.enter_async_context(self._client(tenant, "storm")) for tenant in TENANTS}
            storm = Storm(self._deployment, stormy[FIRST], stormy[SECOND])
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(client.run(over))
                await self._warmed()
                await storm.rage(self._schedule)
                await self._clock.sleep(_LOOK_S)
                over.set()
            await self._be_still(stormy)
            await asyncio.gather(*(client.settled(_STREAMS_END_S) for client in clients))
            return await self._judge(storm, [*clients, *stormy.values()])

    async def _prepare(self) -> None:
        """The triggers in the database, the second tenant, each tenant's templates in the orchestrator."""
        connection = await self._deployment.postgres.connect()
        for source in ("audit.sql", "storage.sql"):
            await _execute(connection, files("tests.torture").joinpath(source).read_text(encoding="utf-8"))
        await connection.close()
        database = Database(self._deployment.postgres.dsn)
        await database.open()
        await enrol(SECOND, AccountTables(database), TimeOrderedIds())
        await database.close()
        url = f"http://127.0.0.1:{self._deployment.ports[ORCHESTRATORS[0]]}"
        for tenant in TENANTS:
            async with BatonClient(url, tenant.api_key) as client:
                for template in templates_of(tenant.adds):
                    await client.publish_template(template.encode())

    def _client(self, tenant: Tenant, number: int | str) -> TortureClient:
        name = f"client-{number}"
        path = self._folder / f"{tenant.name}-{name}.ledger.jsonl"
        self._ledgers.append(path)
        return TortureClient(
            name,
            tenant,
            tuple(self._deployment.links[to_clients(orchestrator)] for orchestrator in ORCHESTRATORS),
            Ledger(path, tenant.name, self._clock),
            stream(self._schedule.seed, tenant.name, name),
            self._happenings,
            self._clock,
            self._acknowledged,
        )

    async def _warmed(self) -> None:
        async with asyncio.timeout(_WARM_S):
            await self._happenings.nth("committed", _WARM)

    async def _be_still(self, stormy: Mapping[Tenant, TortureClient]) -> None:
        """Nothing more is hurt or asked for; what waits for a client gets it. Ends when all have, or in good time."""
        clients = {tenant.name: client for tenant, client in stormy.items()}
        connection = await self._deployment.postgres.connect()
        try:
            async with asyncio.timeout(_STILL_S):
                while rows := await connection.fetch(_UNFINISHED):
                    for row in rows:
                        client = clients[row["tenant"]]
                        if row["status"] == "paused":
                            await client.command("resume", row["execution_id"])
                        elif row["status"] == "waiting":
                            await client.command("signals/approved", row["execution_id"], SIGNAL_VALUE)
                    await self._clock.sleep(_LOOK_S)
        except TimeoutError:
            return
        finally:
            await connection.close()

    async def _judge(self, storm: Storm, clients: Sequence[TortureClient]) -> Verdict:
        connection: asyncpg.Connection = await self._deployment.postgres.connect()
        try:
            artifacts = self._deployment.data_folder / "artifacts"
            evidence = await gathered(connection, self._folder, artifacts, self._ledgers)
        finally:
            await connection.close()
        (self._folder / "storm.log").write_text("\n".join(storm.journal) + "\n")
        seen = [Finding("client", what) for client in clients for what in client.violations]
        fallen = [Finding("fell", f"{name} ended by itself") for name in self._deployment.fell_by_itself]
        return Verdict(
            schedule=self._schedule,
            storm=storm,
            evidence=evidence,
            findings=[*findings_in(evidence), *seen, *fallen],
            sometimes=dict(seen_in(evidence)),
            recoveries=recoveries(storm.wounds, evidence, self._happenings.times),
            deaths=self._deployment.deaths,
            happened=dict(self._happenings.counts),
        )


_UNFINISHED: Final = """
SELECT e.execution_id, e.status, c.name AS tenant FROM pipeline_executions AS e JOIN clients AS c USING (client_id)
WHERE e.status NOT IN ('completed', 'failed', 'cancelled')
"""


@retry(retry=retry_if_exception_type(asyncpg.DeadlockDetectedError), stop=stop_after_attempt(10), reraise=True)
async def _execute(connection: asyncpg.Connection, script: str) -> None:
    """Carry out a script in one transaction. The orchestrators are at work, and lock tables in another order."""
    await connection.execute(script)


def planned_storm(seed: int, seconds: float) -> Schedule:
    """The schedule of a storm of so many seconds."""
    return make_schedule(seed, seconds, LEASE_S, TARGETS)
