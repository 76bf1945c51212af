"""What an execution costs, in counts that are the same on every machine: rows, commits, packets, frames, plans.

Time stands still for the replica, so nothing is flushed but what somebody waits for, and no count depends on how fast
anything is. A number that grows here is a cost that every execution pays from then on.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from orchestrator.dispatch.replica import Replica
from orchestrator.dispatch.socket_link import SocketLink
from orchestrator.store.database import Database
from orchestrator.store.low_water import RANKS
from orchestrator.store.record import Accepted
from orchestrator.store.statements import statements
from protocol.packets import Ack, Drain, Offer, Process
from tests.driven_clock import DrivenClock
from tests.replicas import CLIENT, ScriptedWorker, a_record, a_replica, a_request, final, honest, published
from tests.store.test_journal import a_desk, plan_nodes, take_up

TABLES = ("pipeline_executions", "stage_executions", "handshake_packets", "execution_queue")
# Each row that is written leaves a line, with the transaction that wrote it.
COUNT_ROWS = """
CREATE TABLE written (relation text, operation text, xact text DEFAULT pg_current_xact_id()::text);
CREATE FUNCTION count_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO written (relation, operation) VALUES (TG_TABLE_NAME, TG_OP);
    RETURN NULL;
END $$;
"""
COUNT_ROWS_OF = (
    "CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION count_row()"
)


class NoTimer:
    """A call that never comes."""

    def cancel(self) -> None:
        return None


class StandingClock(DrivenClock):
    """Time stands: what was put off does not come, and who sleeps does not wake."""

    def call_later(self, seconds: float, callback: object) -> NoTimer:
        return NoTimer()

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Written:
    """Rows by table and operation, and the transactions that wrote them."""

    rows: Counter[tuple[str, str]]
    commits: int


async def begin_to_count(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(COUNT_ROWS)
        for table in TABLES:
            await connection.execute(COUNT_ROWS_OF.format(table))


async def counted(database: Database) -> Written:
    """What was written since the last time."""
    async with database.acquire() as connection:
        rows = await connection.fetch("DELETE FROM written RETURNING relation, operation, xact")
    found = Counter((row["relation"], row["operation"]) for row in rows)
    return Written(found, len({row["xact"] for row in rows}))


async def chains_run(replica: Replica, database: Database, executions: int) -> ScriptedWorker:
    """That many two-stage executions, submitted at once and run to their end; returns the worker that ran them."""
    worker = await ScriptedWorker(replica, honest, slots=2 * executions).join()
    request = a_request(await published(database))
    queued = await asyncio.gather(*(replica.commands.execute(request) for _ in range(executions)))
    for each in queued:
        await final(replica, each.execution_id)
    await worker.got(Ack, 2 * executions)
    return worker


@pytest.mark.parametrize("executions", [1, 20])
async def test_an_execution_of_two_stages_writes_a_row_for_each_thing_and_one_more_for_each_result(
    database: Database, tmp_path: Path, executions: int
) -> None:
    await begin_to_count(database)

    async with a_replica(database, tmp_path, clock=StandingClock()) as replica:
        await chains_run(replica, database, executions)

    assert {key: rows / executions for key, rows in (await counted(database)).rows.items()} == {
        ("pipeline_executions", "INSERT"): 1,
        ("pipeline_executions", "UPDATE"): 2,
        ("stage_executions", "INSERT"): 2,
        ("handshake_packets", "INSERT"): 2,
    }


async def test_an_execution_that_is_alone_costs_a_commit_to_submit_and_one_for_each_result(
    database: Database, tmp_path: Path
) -> None:
    await begin_to_count(database)

    async with a_replica(database, tmp_path, clock=StandingClock()) as replica:
        await chains_run(replica, database, 1)

    assert (await counted(database)).commits == 3


async def test_two_hundred_submissions_at_once_cost_one_commit_of_each_partition_and_so_do_their_changes(
    database: Database, tmp_path: Path
) -> None:
    template = await published(database)
    await begin_to_count(database)
    async with a_desk(database, tmp_path) as desk:
        records = [a_record(template) for _ in range(200)]
        outcomes = await asyncio.gather(*(desk.submit(record) for record in records))
        submitting = await counted(database)
        for record in records:
            take_up(record)
        await asyncio.gather(*(desk.changed(record, "one") for record in records))
        changing = await counted(database)

    assert outcomes == [Accepted(record.execution.execution_id) for record in records]
    assert submitting == Written(Counter({("pipeline_executions", "INSERT"): 200}), commits=2)
    assert changing == Written(
        Counter({("pipeline_executions", "UPDATE"): 200, ("stage_executions", "INSERT"): 200}), commits=2
    )


async def test_a_stage_is_three_packets_to_its_worker_and_no_more(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, clock=StandingClock()) as replica:
        worker = await chains_run(replica, database, 10)

    assert Counter(type(packet) for packet in worker.received) == {Offer: 20, Process: 20, Ack: 20}


async def test_whatever_is_sent_in_one_turn_leaves_in_one_frame() -> None:
    frames: list[bytes] = []
    sent = asyncio.Event()

    class Socket:
        async def send_frame(self, frame: bytes, kind: Any) -> None:
            frames.append(frame)
            sent.set()

    link = SocketLink("w", Socket())  # type: ignore[arg-type]
    writing = asyncio.create_task(link.write())
    for _ in range(100):
        link.send(Drain(), Drain().encoded())
    await asyncio.wait_for(sent.wait(), 10)
    writing.cancel()

    assert [orjson.loads(frame) for frame in frames] == [[{"type": "drain"}] * 100]


# The statements that run again and again while nothing else happens, with arguments of the right kinds.
HOT = {
    ("ownership", "claim"): ("replica_1", 1, "work", [""] * RANKS, 10),
    ("ownership", "claim_one"): ("replica_1", 1, "exec_1"),
    ("ownership", "adopt"): ("replica_1", 1, 10),
    ("ownership", "stages"): (["exec_1", "exec_2"],),
    ("ownership", "conversations"): (["exec_1", "exec_2"],),
    ("ownership", "inbox"): ("replica_1", 1, 10),
    ("ownership", "send"): ("exec_1", CLIENT, "{}"),
    ("journal", "standings"): (["exec_1", "exec_2"],),
    ("journal", "winners"): ([CLIENT], ["key"]),
    ("executions", "find"): ("exec_1", CLIENT),
    ("executions", "stages"): ("exec_1",),
    ("executions", "packets"): ("exec_1", CLIENT),
    ("executions", "list"): (CLIENT, None, None, None, 50),
    ("executions", "ahead"): ("work", "exec_1", [""] * 102),
    ("executions", "waiting"): (),
    ("executions", "counts"): (),
    ("retention", "executions"): (timedelta(days=1), "exec_1", 100),
    ("retention", "references"): (timedelta(days=1), 100),
    ("retention", "sessions"): (100,),
}
GROWING = (*TABLES, "execution_inbox", "idempotency_keys", "data_references", "artifact_uses", "user_sessions")


@pytest.mark.parametrize(("noun", "name"), HOT, ids=[".".join(key) for key in HOT])
async def test_a_hot_statement_reads_no_table_that_grows_from_end_to_end(
    database: Database, noun: str, name: str
) -> None:
    nodes = await planned(database, noun, name)

    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert scanned.isdisjoint(GROWING)


async def test_a_claim_takes_the_order_of_work_from_its_index_and_sorts_nothing(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO execution_queue (execution_id, client_id, action, priority, started)"
            " SELECT 'exec_' || n, 'client_1', 'work', 50, false FROM generate_series(1, 10000) AS n"
        )
        await connection.execute("ANALYZE execution_queue")

    nodes = await planned(database, "ownership", "claim")

    assert "queue_order" in {node.get("Index Name") for node in nodes}
    assert "Sort" not in {node["Node Type"] for node in nodes}


async def planned(database: Database, noun: str, name: str) -> list[dict[str, Any]]:
    """The nodes of the statement's plan on a connection that avoids reading whole tables where there is any other way.

    Where one is read all the same, there is no index that would do.
    """
    connection: asyncpg.Connection = await database.connect()
    try:
        rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {statements(noun)[name]}", *HOT[noun, name])
    finally:
        await connection.close()
    return list(plan_nodes(orjson.loads(rows[0][0])[0]["Plan"]))
