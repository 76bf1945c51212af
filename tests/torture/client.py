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
from tests.torture.happenings import Happenings
from tests.torture.ledger import Ledger
from tests.torture.link import Link
from tests.torture.tenants import Tenant
from tests.torture.watching import Followed, follow, settled
from tests.torture.workload import SIGNAL_VALUE, Order, drawn

FINAL: Final = ("completed", "failed", "cancelled")
_CALL: Final = aiohttp.ClientTimeout(total=5)
_MOST_OPEN: Final = 10
_REST_S: Final = (0.2, 0.9)
_TRIES: Final = 10
_AGAIN_S: Final = 0.4
_WATCHED: Final = 0.3
_MOST_WATCHED: Final = 4
_PRIED: Final = 0.06
_PRYING: Final = (
    ("GET", ""),
    ("GET", "/packets"),
    ("GET", "/explain"),
    ("GET", "/events"),
    ("POST", "/cancel"),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/retry"),
    ("POST", "/signals/approved"),
)
"""What another tenant might try on an execution."""


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
    """Works until it is told to stop; every request goes to one of the orchestrators by chance.

    `acknowledged` are the executions of every tenant, shared by all clients: each leaves its own there, and pries into
    the others'.
    """

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        links: tuple[Link, ...],
        ledger: Ledger,
        chance: Random,
        happenings: Happenings,
        clock: Clock,
        acknowledged: list[tuple[Tenant, str]],
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.links = links
        self.chance = chance
        self.clock = clock
        self.violations: list[str] = []
        self.known: dict[str, Known] = {}
        self._ledger = ledger
        self._happenings = happenings
        self._acknowledged = acknowledged
        self._submitted = 0
        self._watches: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "TortureClient":
        self._session = aiohttp.ClientSession(headers={"X-API-Key": self.tenant.api_key}, timeout=_CALL)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.settled(0.0)
        await self.session.close()
        self._ledger.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def settled(self, seconds: float) -> None:
        """Give the streams that it watches so long to end."""
        await settled(self._watches, seconds)

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._turn()
            await self.clock.sleep(self.chance.uniform(*_REST_S))

    async def _turn(self) -> None:
        open_ones = [execution_id for execution_id, known in self.known.items() if known.status not in FINAL]
        if self.chance.random() < _PRIED:
            await self._pry()
        elif len(open_ones) < _MOST_OPEN and self.chance.random() < 0.65:
            await self.submit(drawn(self.chance))
        elif open_ones:
            await self._look_after(self.chance.choice(open_ones))
        elif self.known:
            await self._look_back(self.chance.choice(list(self.known)))

    async def note(self, operation: str, **about: Any) -> None:
        """Write down something that was done and seen."""
        await self._ledger.conclude(await self._ledger.intend(operation), "ack", **about)

    # ---------------------------------------------------------------------------------------------------- submissions

    async def submit(self, order: Order) -> str | None:
        """Ask until it is acknowledged, under one key; one in twenty gives up, and one in seven asks once more."""
        key = self.fresh_key()
        tries = 1 if self.chance.random() < 0.05 else _TRIES
        execution_id = await self.insist(order, key, tries)
        if execution_id is not None and self.chance.random() < _WATCHED:
            self._watch(execution_id)
        if execution_id is not None and self.chance.random() < 0.15:
            await self.submit_once(order, key, self.chance.choice(self.links))
        if execution_id is not None and self.chance.random() < 0.1:
            await self._reuse(order, key)
        return execution_id

    async def insist(self, order: Order, key: str, tries: int) -> str | None:
        """Ask so many times at most, under one key; the execution's id once that is acknowledged."""
        for _ in range(tries):
            execution_id = await self.submit_once(order, key, self.chance.choice(self.links))
            if execution_id is not None:
                return execution_id
            await self.clock.sleep(_AGAIN_S)
        return None

    def fresh_key(self) -> str:
        """Clients of different tenants bear the same names, and so use the same keys."""
        self._submitted += 1
        return f"{self.name}-{self._submitted}"

    async def submit_once(self, order: Order, key: str, link: Link) -> str | None:
        """One request; the execution's id if it was acknowledged."""
        body = order.body(key)
        about = {"key": key, "hash": hashlib.sha256(orjson.dumps(body)).hexdigest(), "value": order.value}
        number = await self._ledger.intend("submit", template=order.template, link=link.name, **about)
        answer = await self._call(link, "POST", "/api/pipelines/execute", body, key)
        execution_id = answer.document.get("executionId") if answer.outcome == "ack" else None
        await self._ledger.conclude(number, answer.outcome, status=answer.status, execution=execution_id)
        if execution_id is not None:
            self._happenings.happened("submitted", {"link": link.name, "execution": execution_id})
            self._learn(execution_id, Known(order))
        elif answer.outcome == "fail":
            self._violate(f"a submission was answered with {answer.status}: {dict(answer.document)}")
        return execution_id

    async def _reuse(self, order: Order, key: str) -> None:
        """Another body under the key has to be refused."""
        link = self.chance.choice(self.links)
        other = Order(order.template, order.value + 1, order.ms)
        number = await self._ledger.intend("reuse", key=key, link=link.name)
        answer = await self._call(link, "POST", "/api/pipelines/execute", other.body(key), key)
        await self._ledger.conclude(number, answer.outcome, status=answer.status)
        if answer.status not in (0, 422, 503):
            self._violate(f"the key {key} with another body was answered with {answer.status}")

    # ------------------------------------------------------------------------------------------------------- commands

    async def _look_after(self, execution_id: str) -> None:
        document = await self.read(execution_id)
        known = self.known[execution_id]
        draw = self.chance.random()
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
        await self.read(execution_id)
        if self.known[execution_id].status in ("failed", "cancelled"):
            await self._retry(execution_id)

    async def _retry(self, execution_id: str) -> None:
        link = self.chance.choice(self.links)
        key = f"retry-of-{execution_id}"
        number = await self._ledger.intend("retry", key=key, link=link.name, of=execution_id)
        answer = await self._call(link, "POST", f"/api/executions/{execution_id}/retry", None, key)
        new = answer.document.get("executionId") if answer.outcome == "ack" else None
        await self._ledger.conclude(number, answer.outcome, status=answer.status, execution=new)
        if new is not None:
            self._learn(new, Known(self.known[execution_id].order))

    async def command(self, what: str, execution_id: str, body: Any = None) -> Answer:
        """Cancel, pause, resume or signal, through any orchestrator."""
        link = self.chance.choice(self.links)
        number = await self._ledger.intend(what, execution=execution_id, link=link.name)
        answer = await self._call(link, "POST", f"/api/executions/{execution_id}/{what}", body)
        await self._ledger.conclude(number, answer.outcome, status=answer.status, led_to=answer.document.get("status"))
        if answer.status == 404:
            self._violate(f"{execution_id} was acknowledged, and {what} of it is answered with 404")
        return answer

    async def read(self, execution_id: str) -> Mapping[str, Any]:
        """The execution's document; empty where nobody answers."""
        link = self.chance.choice(self.links)
        answer = await self._call(link, "GET", f"/api/executions/{execution_id}")
        if answer.status == 404:
            self._violate(f"{execution_id} was acknowledged, and {link.name} does not know it")
        if answer.status != 200:
            return {}
        known, document = self.known[execution_id], answer.document
        if document["progress"] < known.progress:
            self._violate(f"the progress of {execution_id} fell from {known.progress} to {document['progress']}")
        if known.status in FINAL and document["status"] != known.status:
            self._violate(f"{execution_id} was {known.status} and is {document['status']}")
        known.status, known.progress = document["status"], document["progress"]
        return document

    def _learn(self, execution_id: str, known: Known) -> None:
        if execution_id not in self.known:
            self.known[execution_id] = known
            self._acknowledged.append((self.tenant, execution_id))

    # ------------------------------------------------------------------------------------------- streams, other tenants

    def _watch(self, execution_id: str) -> None:
        if len(self._watches) < _MOST_WATCHED:
            watch = asyncio.create_task(self._followed(execution_id))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)

    async def _followed(self, execution_id: str) -> None:
        number = await self._ledger.intend("watch", execution=execution_id)
        followed = Followed(execution_id)
        await follow(followed, execution_id, self.session, self.links, self.chance, self.clock)
        self.violations += [f"{self.name}: {what}" for what in followed.violations]
        await self._ledger.conclude(number, "ack", resumed=followed.resumed, ended=followed.end)

    async def _pry(self) -> None:
        """What is another tenant's is not there; a list has one's own and nothing else."""
        foreign = [execution_id for tenant, execution_id in self._acknowledged if tenant is not self.tenant]
        if not foreign or self.chance.random() < 0.2:
            await self._list()
            return
        execution_id, link = self.chance.choice(foreign), self.chance.choice(self.links)
        method, path = self.chance.choice(_PRYING)
        number = await self._ledger.intend("pry", execution=execution_id, link=link.name, path=path)
        body = SIGNAL_VALUE if path.startswith("/signals") else None
        answer = await self._call(link, method, f"/api/executions/{execution_id}{path}", body)
        await self._ledger.conclude(number, answer.outcome, status=answer.status)
        if answer.status not in (0, 404, 503):
            self._violate(f"{method} {path} of {execution_id}, another tenant's, was answered with {answer.status}")

    async def _list(self) -> None:
        answer = await self._call(self.chance.choice(self.links), "GET", "/api/executions?limit=100")
        others = {execution_id for tenant, execution_id in self._acknowledged if tenant is not self.tenant}
        seen = others & {listed["executionId"] for listed in answer.document.get("executions", ())}
        if seen:
            self._violate(f"the list of {self.tenant.name} has another tenant's {sorted(seen)}")

    # ------------------------------------------------------------------------------------------------------- the wire

    async def _call(self, link: Link, method: str, path: str, body: Any = None, key: str | None = None) -> Answer:
        headers = {} if key is None else {"Idempotency-Key": key}
        data = None if method == "GET" else orjson.dumps(body)
        try:
            url = f"http://127.0.0.1:{link.port}{path}"
            async with self.session.request(method, url, data=data, headers=headers) as response:
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
