"""One client of the storm: it asks for executions, looks after them, and writes down what it is told.

Whatever an answer must never be is a violation here and now; what has to be there in the end is in the ledger.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import aiohttp
import orjson

from orchestrator.core.seams import Clock
from tests.integration.system import API_KEY
from tests.torture.happenings import Happenings
from tests.torture.ledger import Ledger
from tests.torture.link import Link
from tests.torture.workload import POISON, SIGNAL_VALUE, SLOW, Order, drawn

FINAL: Final = ("completed", "failed", "cancelled")
_CALL: Final = aiohttp.ClientTimeout(total=5)
_MOST_OPEN: Final = 10
_REST_S: Final = (0.2, 0.9)
_TRIES: Final = 10
_TRIES_OF_A_STORM: Final = 60
_AGAIN_S: Final = 0.4
_LOOK_S: Final = 0.1
_LONG_MS: Final = 6000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the status is 0 where nothing did and the request may or may not have taken effect."""

    status: int
    document: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        if 200 <= self.status < 300:
            return "ack"
        return "unknown" if self.status == 0 or self.status >= 500 else "fail"


@dataclass(slots=True)
class Known:
    """An execution as this client last saw it."""

    order: Order
    status: str = "queued"
    progress: float = 0.0
    is_paused: bool = False


class TortureClient:
    """Works until it is told to stop; every request goes to one of the orchestrators by chance."""

    def __init__(
        self, name: str, links: tuple[Link, ...], ledger: Ledger, chance: Random, happenings: Happenings, clock: Clock
    ) -> None:
        self.name = name
        self.violations: list[str] = []
        self._links = links
        self._ledger = ledger
        self._chance = chance
        self._happenings = happenings
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._submitted = 0
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "TortureClient":
        self._session = aiohttp.ClientSession(headers={"X-API-Key": API_KEY}, timeout=_CALL)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        self._ledger.close()

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._turn()
            await self._clock.sleep(self._chance.uniform(*_REST_S))

    async def _turn(self) -> None:
        open_ones = [execution_id for execution_id, known in self._known.items() if known.status not in FINAL]
        if len(open_ones) < _MOST_OPEN and self._chance.random() < 0.65:
            await self.submit(drawn(self._chance))
        elif open_ones:
            await self._look_after(self._chance.choice(open_ones))
        elif self._known:
            await self._look_back(self._chance.choice(list(self._known)))

    # ---------------------------------------------------------------------------------------------------- submissions

    async def submit(self, order: Order) -> str | None:
        """Ask until it is acknowledged, under one key; one in twenty gives up, and one in seven asks once more."""
        key = self._fresh_key()
        tries = 1 if self._chance.random() < 0.05 else _TRIES
        execution_id = await self._insist(order, key, tries)
        if execution_id is not None and self._chance.random() < 0.15:
            await self._submit_once(order, key, self._chance.choice(self._links))
        if execution_id is not None and self._chance.random() < 0.1:
            await self._reuse(order, key)
        return execution_id

    async def _insist(self, order: Order, key: str, tries: int) -> str | None:
        for _ in range(tries):
            execution_id = await self._submit_once(order, key, self._chance.choice(self._links))
            if execution_id is not None:
                return execution_id
            await self._clock.sleep(_AGAIN_S)
        return None

    async def poison(self) -> None:
        """Ask for what kills every worker that takes it."""
        await self._insist(Order(POISON, 1, 0), self._fresh_key(), _TRIES_OF_A_STORM)

    async def cancel_running(self) -> None:
        """Ask for something slow and cancel it while a worker is at it; again, until that is acknowledged."""
        while True:
            execution_id = await self._insist(Order(SLOW, 1, _LONG_MS), self._fresh_key(), _TRIES_OF_A_STORM)
            if execution_id is None:
                continue
            while self._known[execution_id].status not in FINAL:
                document = await self._read(execution_id)
                if any(stage["status"] == "running" for stage in document.get("stages", ())):
                    answer = await self.command("cancel", execution_id)
                    if answer.outcome == "ack":
                        return
                await self._clock.sleep(_LOOK_S)

    async def race_for_a_key(self) -> None:
        """The same order under the same key to two orchestrators at once."""
        order, key = drawn(self._chance), self._fresh_key()
        first, second = self._chance.sample(self._links, 2)
        await asyncio.gather(self._submit_once(order, key, first), self._submit_once(order, key, second))

    def _fresh_key(self) -> str:
        self._submitted += 1
        return f"{self.name}-{self._submitted}"

    async def _submit_once(self, order: Order, key: str, link: Link) -> str | None:
        body = order.body(key)
        about = {"key": key, "hash": hashlib.sha256(orjson.dumps(body)).hexdigest(), "value": order.value}
        number = await self._ledger.intend("submit", template=order.template, link=link.name, **about)
        answer = await self._call(link, "POST", "/api/pipelines/execute", body, key)
        execution_id = answer.document.get("executionId") if answer.outcome == "ack" else None
        await self._ledger.conclude(number, answer.outcome, status=answer.status, execution=execution_id)
        if execution_id is not None:
            self._happenings.happened("submitted", {"link": link.name, "execution": execution_id})
            self._known.setdefault(execution_id, Known(order))
        elif answer.outcome == "fail":
            self._violate(f"a submission was answered with {answer.status}: {dict(answer.document)}")
        return execution_id

    async def _reuse(self, order: Order, key: str) -> None:
        """Another body under the key has to be refused."""
        link = self._chance.choice(self._links)
        other = Order(order.template, order.value + 1, order.ms)
        number = await self._ledger.intend("reuse", key=key, link=link.name)
        answer = await self._call(link, "POST", "/api/pipelines/execute", other.body(key), key)
        await self._ledger.conclude(number, answer.outcome, status=answer.status)
        if answer.status not in (0, 422, 503):
            self._violate(f"the key {key} with another body was answered with {answer.status}")

    # ------------------------------------------------------------------------------------------------------- commands

    async def _look_after(self, execution_id: str) -> None:
        document = await self._read(execution_id)
        known = self._known[execution_id]
        draw = self._chance.random()
        if known.is_paused:
            answer = await self.command("resume", execution_id)
            known.is_paused = answer.status not in (200, 202, 409)
        elif document.get("status") == "waiting":
            await self.command("signals/approved", execution_id, SIGNAL_VALUE)
        elif draw < 0.06 and known.status not in FINAL:
            answer = await self.command("pause", execution_id)
            known.is_paused = answer.status in (0, 200, 202) or answer.status >= 500
        elif draw < 0.12 and known.status not in FINAL:
            await self.command("cancel", execution_id)

    async def _look_back(self, execution_id: str) -> None:
        await self._read(execution_id)
        if self._known[execution_id].status in ("failed", "cancelled"):
            await self._retry(execution_id)

    async def _retry(self, execution_id: str) -> None:
        link = self._chance.choice(self._links)
        key = f"retry-of-{execution_id}"
        number = await self._ledger.intend("retry", key=key, link=link.name, of=execution_id)
        answer = await self._call(link, "POST", f"/api/executions/{execution_id}/retry", None, key)
        new = answer.document.get("executionId") if answer.outcome == "ack" else None
        await self._ledger.conclude(number, answer.outcome, status=answer.status, execution=new)
        if new is not None:
            self._known.setdefault(new, Known(self._known[execution_id].order))

    async def command(self, what: str, execution_id: str, body: Any = None) -> Answer:
        """Cancel, pause, resume or signal, through any orchestrator."""
        link = self._chance.choice(self._links)
        number = await self._ledger.intend(what, execution=execution_id, link=link.name)
        answer = await self._call(link, "POST", f"/api/executions/{execution_id}/{what}", body)
        await self._ledger.conclude(number, answer.outcome, status=answer.status, led_to=answer.document.get("status"))
        if answer.status == 404:
            self._violate(f"{execution_id} was acknowledged, and {what} of it is answered with 404")
        return answer

    async def _read(self, execution_id: str) -> Mapping[str, Any]:
        link = self._chance.choice(self._links)
        answer = await self._call(link, "GET", f"/api/executions/{execution_id}")
        if answer.status == 404:
            self._violate(f"{execution_id} was acknowledged, and {link.name} does not know it")
        if answer.status != 200:
            return {}
        known, document = self._known[execution_id], answer.document
        if document["progress"] < known.progress:
            self._violate(f"the progress of {execution_id} fell from {known.progress} to {document['progress']}")
        if known.status in FINAL and document["status"] != known.status:
            self._violate(f"{execution_id} was {known.status} and is {document['status']}")
        known.status, known.progress = document["status"], document["progress"]
        return document

    # ------------------------------------------------------------------------------------------------------- the wire

    async def _call(self, link: Link, method: str, path: str, body: Any = None, key: str | None = None) -> Answer:
        assert self._session is not None
        headers = {} if key is None else {"Idempotency-Key": key}
        data = None if method == "GET" else orjson.dumps(body)
        try:
            url = f"http://127.0.0.1:{link.port}{path}"
            async with self._session.request(method, url, data=data, headers=headers) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return Answer(0, {})
        document = orjson.loads(content) if content else {}
        if response.status >= 500:
            self._unavailable(response, path)
        return Answer(response.status, document)

    def _unavailable(self, response: aiohttp.ClientResponse, path: str) -> None:
        self._happenings.happened("unavailable", {"status": response.status})
        if response.status != 503 or "Retry-After" not in response.headers:
            self._violate(f"{path} was answered with {response.status}, which no client can do anything with")

    def _violate(self, what: str) -> None:
        self.violations.append(f"{self.name}: {what}")
