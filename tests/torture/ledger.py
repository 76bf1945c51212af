"""What clients meant to do and what they were told, durable before they go on: the evidence against the orchestrator.

An intent is on disk before its request is sent, its outcome before the next one. An intent without an outcome, or with
`unknown`, may be in either state; what was acknowledged has to be there.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from orchestrator.core.seams import Clock


class Ledger:
    """One client's, of the tenant of that name; each entry is a line of JSON, written by fsync."""

    def __init__(self, path: Path, tenant: str, clock: Clock) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._tenant = tenant
        self._clock = clock
        self._number = 0

    async def intend(self, operation: str, **about: Any) -> int:
        """The intent's number."""
        self._number += 1
        number = self._number
        await self._write({"n": number, "intent": operation, "tenant": self._tenant, **about})
        return number

    async def conclude(self, number: int, outcome: str, **about: Any) -> None:
        """`outcome` is `ack`, `fail` or `unknown`."""
        await self._write({"n": number, "outcome": outcome, **about})

    async def _write(self, entry: Mapping[str, Any]) -> None:
        line = orjson.dumps({"at": self._clock.now().timestamp(), **entry}) + b"\n"
        await asyncio.to_thread(self._durably, line)

    def _durably(self, line: bytes) -> None:
        os.write(self._file, line)
        os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """The intents with what came of them: `outcome` is `unknown` where none was written."""
    intents: dict[int, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines():
        entry = orjson.loads(line)
        if "intent" in entry:
            intents[entry["n"]] = {**entry, "outcome": "unknown"}
        else:
            about = {name: value for name, value in entry.items() if name != "at"}
            intents[entry["n"]] |= {**about, "concluded": entry["at"]}
    return list(intents.values())
