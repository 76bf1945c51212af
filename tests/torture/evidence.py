"""All that a storm has left behind: rows, ledgers, diaries and logs, read once, when everything is still."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from orchestrator.store.executions import packets_of
from tests.torture.deployment import ORCHESTRATORS
from tests.torture.diary import path_of, read_diary
from tests.torture.fleet import FLEET
from tests.torture.ledger import read_ledger

Row = Mapping[str, Any]

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
FINAL_STAGE: Final = FINAL | {"skipped"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """`executions` by id, `stages` by execution and name; `changes` are the audit's rows, oldest first; `packets` by
    execution, in order; `ledger` has every intent with its outcome; `diary` all workers' entries; `logged` how often
    the orchestrators logged what."""

    executions: Mapping[str, Row]
    stages: Mapping[tuple[str, str], Row]
    execution_changes: Sequence[Row]
    stage_changes: Sequence[Row]
    packets: Mapping[str, Sequence[Row]]
    ledger: Sequence[Row]
    diary: Sequence[Row]
    logged: Counter[str]
    faults_logged: Sequence[str]

    def entries(self, event: str) -> list[Row]:
        """What workers noted of this kind, oldest first."""
        return [entry for entry in self.diary if entry["event"] == event]

    def intents(self, *operations: str) -> list[Row]:
        return [intent for intent in self.ledger if intent["intent"] in operations]


async def gathered(connection: asyncpg.Connection, folder: Path, ledgers: Sequence[Path]) -> Evidence:
    async def rows(statement: str) -> list[Row]:
        return [dict(row) for row in await connection.fetch(statement)]

    executions = await rows("SELECT * FROM pipeline_executions")
    stages = await rows("SELECT * FROM stage_executions")
    conversations: defaultdict[str, list[Row]] = defaultdict(list)
    for row in await rows("SELECT * FROM handshake_packets"):
        conversations[row["execution_id"]].append(row)
    entries = [entry for worker in FLEET for entry in read_diary(path_of(folder, worker.worker_id))]
    logged, faults = _read_logs([folder / f"{name}.log" for name in ORCHESTRATORS])
    return Evidence(
        executions={row["execution_id"]: row for row in executions},
        stages={(row["execution_id"], row["name"]): row for row in stages},
        execution_changes=await rows("SELECT * FROM torture_executions ORDER BY id"),
        stage_changes=await rows("SELECT * FROM torture_stages ORDER BY id"),
        packets={execution_id: packets_of(execution_id, rows) for execution_id, rows in conversations.items()},
        ledger=[intent for path in ledgers for intent in read_ledger(path)],
        diary=sorted(entries, key=lambda entry: entry["at"]),
        logged=logged,
        faults_logged=faults,
    )


def _read_logs(paths: Sequence[Path]) -> tuple[Counter[str], list[str]]:
    """How often what was logged; and the lines that tell of a fault of ours: an exception that nobody expected."""
    logged: Counter[str] = Counter()
    faults = []
    for path in paths:
        for line in path.read_bytes().splitlines():
            if not line.startswith(b"{"):
                # A library's own words. Of these only what asyncio says of a forgotten task is a fault of ours.
                if b"never retrieved" in line:
                    faults.append(f"{path.name}: {line.decode(errors='replace')}")
                continue
            entry = orjson.loads(line)
            logged[entry["event"]] += 1
            if "exception" in entry:
                faults.append(f"{path.name}: {entry['event']}: {entry['exception'].splitlines()[-1]}")
            if entry["event"] == "replica.took_over" and entry.get("deposed"):
                logged["deposed"] += 1
    return logged, faults
