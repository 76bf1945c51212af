"""All that a storm has left behind: rows, ledgers, diaries and logs, read once, when everything is still."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from orchestrator.store.executions import packets_of
from tests.integration.system import WORKER_SECRET
from tests.torture.deployment import ORCHESTRATORS
from tests.torture.diary import path_of, read_diary
from tests.torture.fleet import FLEET
from tests.torture.ledger import read_ledger
from tests.torture.tenants import TENANTS

Row = Mapping[str, Any]

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
FINAL_STAGE: Final = FINAL | {"skipped"}
_GONE: Final = b'{"value": 0}'
_SECRETS: Final = (WORKER_SECRET.encode(), *(tenant.api_key.encode() for tenant in TENANTS))


@dataclass(frozen=True, slots=True)
class Evidence:
    """`executions` by id, `stages` by execution and name, both with their payloads, wherever those were kept; `changes`
    are the audit's rows, oldest first; `packets` by execution, in order; `ledger` has every intent with its outcome;
    `diary` all workers' entries; `tenants` are names by client id; `gone` are payloads that are not where they should
    be; `logged` is how often the orchestrators logged what, `errors` and `offences` how often with which error, and of
    which offence."""

    executions: Mapping[str, Row]
    stages: Mapping[tuple[str, str], Row]
    execution_changes: Sequence[Row]
    stage_changes: Sequence[Row]
    packets: Mapping[str, Sequence[Row]]
    ledger: Sequence[Row]
    diary: Sequence[Row]
    tenants: Mapping[str, str]
    gone: Sequence[str]
    logged: Counter[str]
    errors: Counter[str]
    offences: Counter[str]
    faults_logged: Sequence[str]

    def entries(self, event: str) -> list[Row]:
        """What workers noted of this kind, oldest first."""
        return [entry for entry in self.diary if entry["event"] == event]

    def intents(self, *operations: str) -> list[Row]:
        return [intent for intent in self.ledger if intent["intent"] in operations]


async def gathered(connection: asyncpg.Connection, folder: Path, artifacts: Path, ledgers: Sequence[Path]) -> Evidence:
    """Read what is in the database, in the folder of the storm and in that of the artifacts."""

    async def rows(statement: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(statement)]

    kept = _Kept(artifacts)
    executions = [kept.whole(row, "input", "result") for row in await rows("SELECT * FROM pipeline_executions")]
    stages = [kept.whole(row, "result") for row in await rows("SELECT * FROM stage_executions")]
    conversations: defaultdict[str, list[Row]] = defaultdict(list)
    for row in await rows("SELECT * FROM handshake_packets"):
        conversations[row["execution_id"]].append(row)
    entries = [entry for worker in FLEET for entry in read_diary(path_of(folder, worker.worker_id))]
    logs = _Logs([folder / f"{name}.log" for name in ORCHESTRATORS])
    return Evidence(
        executions={row["execution_id"]: row for row in executions},
        stages={(row["execution_id"], row["name"]): row for row in stages},
        execution_changes=await rows("SELECT * FROM torture_executions ORDER BY id"),
        stage_changes=await rows("SELECT * FROM torture_stages ORDER BY id"),
        packets={execution_id: packets_of(execution_id, rows) for execution_id, rows in conversations.items()},
        ledger=[intent for path in ledgers for intent in read_ledger(path)],
        diary=sorted(entries, key=lambda entry: entry["at"]),
        tenants={row["client_id"]: row["name"] for row in await rows("SELECT client_id, name FROM clients")},
        gone=kept.gone,
        logged=logs.logged,
        errors=logs.errors,
        offences=logs.offences,
        faults_logged=logs.faults,
    )


class _Kept:
    """The artifacts that rows refer to."""

    def __init__(self, folder: Path) -> None:
        self.gone: list[str] = []
        self._folder = folder

    def whole(self, row: dict[str, Any], *columns: str) -> Row:
        """The row with the payloads that are too large for it; one that is not there, or is another, is noted."""
        for column in columns:
            digest = row[f"{column}_sha256"]
            if digest is None:
                continue
            path = self._folder / row["client_id"] / digest[:2] / digest
            content = path.read_bytes() if path.exists() else _GONE
            if sha256(content).hexdigest() != digest:
                self.gone.append(f"the {column} of {row['execution_id']} is not under {digest}")
            row[column] = content.decode()
        return row


class _Logs:
    """What the orchestrators logged. `faults` are exceptions that nobody expected, and secrets that were told."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.logged: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.offences: Counter[str] = Counter()
        self.faults: list[str] = []
        for path in paths:
            for line in path.read_bytes().splitlines():
                if any(secret in line for secret in _SECRETS):
                    self.faults.append(f"{path.name}: a secret was logged")
                if line.startswith(b"{"):
                    self._take(path.name, orjson.loads(line))
                elif b"never retrieved" in line:
                    # Of a library's own words only what asyncio says of a forgotten task is a fault of ours.
                    self.faults.append(f"{path.name}: {line.decode(errors='replace')}")

    def _take(self, name: str, entry: Row) -> None:
        self.logged[entry["event"]] += 1
        if "exception" in entry:
            self.faults.append(f"{name}: {entry['event']}: {entry['exception'].splitlines()[-1]}")
        if entry["event"] == "replica.took_over" and entry.get("deposed"):
            self.logged["deposed"] += 1
        if entry["event"] == "worker.offended":
            self.offences[entry["offence"]] += 1
        if "error" in entry:
            self.errors[str(entry["error"]).partition("(")[0]] += 1
