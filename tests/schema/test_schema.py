"""What the schema itself refuses, whoever writes."""

import re

import asyncpg
import pytest

from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.stage import StageStatus
from orchestrator.shipped import shipped
from orchestrator.store.database import Database

EXECUTION = {
    "execution_id": "'exec_1'",
    "client_id": "'client_1'",
    "template_client_id": "''",
    "template": "'t'",
    "version": "1",
    "priority": "50",
    "input": "'{}'",
    "created_at": "now()",
}
STAGE = {
    "execution_id": "'exec_1'",
    "name": "'a'",
    "client_id": "'client_1'",
    "status": "'ready'",
    "attempt": "1",
    "offer_round": "0",
    "progress": "0",
}


async def insert(database: Database, table: str, row: dict[str, str]) -> None:
    async with database.acquire() as connection:
        await connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")


async def test_an_ordinary_execution_and_stage_are_taken(database: Database) -> None:
    await insert(database, "pipeline_executions", EXECUTION)
    await insert(database, "stage_executions", STAGE)


@pytest.mark.parametrize(
    "illegal",
    [
        {"status": "'completed'"},
        {"status": "'completed'", "finished_at": "now()", "progress": "99"},
        {"status": "'running'", "finished_at": "now()"},
        {"status": "'failed'", "finished_at": "now()", "owner": "'r'", "owner_epoch": "1"},
        {"status": "'lost'"},
        {"ending": "'completed'"},
        {"priority": "101"},
        {"progress": "-1"},
        {"owner": "'r'"},
        {"input": "NULL"},
        {"input_sha256": "'abc'"},
    ],
    ids=str,
)
async def test_an_illegal_execution_is_refused(database: Database, illegal: dict[str, str]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(database, "pipeline_executions", EXECUTION | illegal)


@pytest.mark.parametrize(
    "illegal",
    [
        {"status": "'running'"},
        {"status": "'offered'", "fence": "1"},
        {"status": "'completed'"},
        {"status": "'ready'", "finished_at": "now()"},
        {"status": "'timed_out'"},
        {"attempt": "0"},
        {"progress": "100.5"},
    ],
    ids=str,
)
async def test_an_illegal_stage_is_refused(database: Database, illegal: dict[str, str]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(database, "stage_executions", STAGE | illegal)


@pytest.mark.parametrize(
    ("table", "statuses"), [("pipeline_executions", ExecutionStatus), ("stage_executions", StageStatus)]
)
def test_the_schema_knows_exactly_the_states_of_the_core(
    table: str, statuses: type[ExecutionStatus] | type[StageStatus]
) -> None:
    text = shipped("schema.sql").read_text(encoding="utf-8")
    definition = text.split(f"CREATE TABLE {table} (")[1].split("\n)")[0]
    listed = re.search(r"CHECK \(status IN\s*\(([^)]*)\)", definition)

    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed.group(1))) == {status.value for status in statuses}


async def test_every_table_of_a_tenant_names_its_client(database: Database) -> None:
    ours = {
        "artifact_store",
        "housekeeping",
        "replicas",
        "schema_version",
        "user_sessions",
        "worker_registry",
        "worker_secrets",
    }
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT table_name, bool_or(column_name = 'client_id') AS named FROM information_schema.columns"
            " WHERE table_schema = 'public' GROUP BY table_name"
        )

    assert {row["table_name"] for row in rows if not row["named"]} == ours
