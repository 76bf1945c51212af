"""A real server on loopback that plays the orchestrator for the kit's tests.

It decides nothing: it records what a worker says and says what the test tells it to. Waiting is on conditions, never on
the clock; a wait that does not come true fails the test.
"""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from protocol.codec import decode_worker_frame, encode_frame
from protocol.packets import (
    Accept,
    Ack,
    AttemptKey,
    Cancel,
    Heartbeat,
    Offer,
    Process,
    Registration,
    Reject,
    Result,
    WorkerPacket,
)
from workers.kit import Worker
from workers.kit.backoff import Backoff
from workers.kit.service import Service, Settings
from workers.kit.timing import Timing

SECRET = "a secret of the tests"
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Worker-ID": "the-orchestrator"}
QUICK = Timing(reconnect=Backoff(0.01, 0.02), resend=Backoff(0.04, 0.04), drain_s=5, stop_s=5, flush_s=5)
PATIENT = replace(QUICK, resend=Backoff(600, 600))
"""So patient about acks that no result is sent again for want of one."""
LONGEST_WAIT_S = 10

P = TypeVar("P", bound=WorkerPacket)


class OrchestratorDouble:
    """Registration, heartbeat and link of an orchestrator, scripted by attributes that a test may set."""

    def __init__(self) -> None:
        self.registrations: list[Registration] = []
        self.heartbeats: list[Heartbeat] = []
        self.packets: list[WorkerPacket] = []
        self.frames: list[int] = []
        self.links = 0
        self.refuse_registration: int | None = None
        self.refusals = 0
        self.heartbeat_interval_ms = 60_000
        self.heartbeat_status = 200
        self.array_status = 200
        self.directives: list[dict[str, Any]] = []
        self.orchestrators: list[str] = []
        self.acks = True
        self.port = 0
        self._link: web.WebSocketResponse | None = None
        self._changed = asyncio.Condition()

    @property
    def url(self) -> URL:
        return URL(f"http://127.0.0.1:{self.port}")

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/workers", self._register)
        app.router.add_post("/api/workers/{id}/heartbeat", self._heartbeat)
        app.router.add_post("/api/workers/{id}/packets", self._take_array)
        app.router.add_get("/link", self._serve_link)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop_link()
        await self._runner.cleanup()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something that this server has recorded."""
        async with asyncio.timeout(LONGEST_WAIT_S), self._changed:
            await self._changed.wait_for(holds)

    async def linked(self, times: int = 1) -> None:
        await self.until(lambda: self.links >= times and self._link is not None)

    async def send(self, *packets: Any) -> None:
        """One frame."""
        await self.send_bytes(encode_frame(packets))

    async def send_bytes(self, frame: bytes) -> None:
        assert self._link is not None
        await self._link.send_str(frame.decode())

    async def drop_link(self) -> None:
        if self._link is not None:
            await self._link.close()

    async def next(self, kind: type[P], stage_id: str | None = None) -> P:
        """The earliest packet of this kind that no test has taken yet."""

        def fits(packet: WorkerPacket) -> bool:
            return isinstance(packet, kind) and stage_id in (None, getattr(packet, "stage_id", None))

        await self.until(lambda: any(fits(packet) for packet in self.packets))
        found = next(packet for packet in self.packets if fits(packet))
        self.packets.remove(found)
        assert isinstance(found, kind)
        return found

    async def accepted(self, given: Offer) -> Accept:
        """Offers, and sees the offer accepted."""
        await self.send(given)
        return await self.next(Accept, given.stage_id)

    async def rejected(self, given: Offer) -> Reject:
        await self.send(given)
        return await self.next(Reject, given.stage_id)

    async def started(self, given: Offer) -> None:
        """Offers and starts."""
        await self.accepted(given)
        await self.send(process(given))

    async def result_of(self, given: Offer) -> Result:
        """The whole handshake, to the result."""
        await self.started(given)
        return await self.next(Result, given.stage_id)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _register(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return web.json_response({"error": {"message": "no such secret"}}, status=401)
        if self.refuse_registration is not None:
            self.refusals += 1
            await self._tell()
            return web.json_response({"error": {"message": "not today"}}, status=self.refuse_registration)
        registration = Registration.model_validate(await request.json())
        self.registrations.append(registration)
        await self._tell()
        answer = {
            "workerId": registration.worker_id,
            "instanceId": registration.instance_id,
            "protocol": 1,
            "heartbeatIntervalMs": self.heartbeat_interval_ms,
            "websocketUrl": f"ws://127.0.0.1:{self.port}/link",
            "orchestrators": self.orchestrators,
        }
        return web.json_response(answer, status=201)

    async def _heartbeat(self, request: web.Request) -> web.Response:
        self.heartbeats.append(Heartbeat.model_validate(await request.json()))
        directives, self.directives = self.directives, []
        await self._tell()
        return web.json_response({"directives": directives}, status=self.heartbeat_status)

    async def _take_array(self, request: web.Request) -> web.Response:
        packets = decode_worker_frame(await request.read())
        self.frames.append(len(packets))
        if self.array_status == 200:
            self.packets += packets
        await self._tell()
        results = [packet for packet in packets if isinstance(packet, Result)]
        answer = [ack(result) for result in results] if self.acks else []
        return web.Response(body=encode_frame(answer), status=self.array_status, content_type="application/json")

    async def _serve_link(self, request: web.Request) -> web.StreamResponse:
        link = web.WebSocketResponse(max_msg_size=0, compress=False)
        await link.prepare(request)
        self._link = link
        self.links += 1
        await self._tell()
        async for message in link:
            await self._take(link, message.data)
        self._link = None
        return link

    async def _take(self, link: web.WebSocketResponse, frame: str) -> None:
        packets = decode_worker_frame(frame.encode())
        self.frames.append(len(packets))
        self.packets += packets
        results = [packet for packet in packets if isinstance(packet, Result)]
        if self.acks and results:
            await link.send_str(encode_frame([ack(result) for result in results]).decode())
        await self._tell()


def offer(stage: str = "stage", action: str = "echo", given: Any = None, **changed: Any) -> Offer:
    """An offer of which only the relevant is said."""
    fields = {
        "execution_id": "execution",
        "stage_id": stage,
        "attempt": 1,
        "fence": 1,
        "action": action,
        "input_data": {} if given is None else given,
        "offer_expires_ms": 60_000,
        "lease_ms": 60_000,
    }
    return Offer.model_validate({**fields, **changed})


def process(given: Offer) -> Process:
    return Process(execution_id=given.execution_id, stage_id=given.stage_id, attempt=given.attempt, fence=given.fence)


def ack(result: Result, status: Literal["committed", "stale"] = "committed") -> Ack:
    return Ack(execution_id=result.execution_id, stage_id=result.stage_id, fence=result.fence, status=status)


def cancel(given: Offer, reason: Literal["cancelled", "stale", "timeout"] = "cancelled") -> Cancel:
    return Cancel(execution_id=given.execution_id, stage_id=given.stage_id, fence=given.fence, reason=reason)


def key_of(given: Offer) -> AttemptKey:
    return AttemptKey.model_validate(given.model_dump(include=set(AttemptKey.model_fields)))


def settings_for(double: OrchestratorDouble, worker: Worker, **changed: Any) -> Settings:
    fields = {
        "orchestrator": double.url,
        "secret": SECRET,
        "worker_id": "worker-1",
        "slots": worker.slots,
        "timing": QUICK,
    }
    return Settings(**{**fields, **changed})


@contextlib.asynccontextmanager
async def serving(double: OrchestratorDouble, worker: Worker, **changed: Any) -> AsyncIterator[Service]:
    """The worker at work, in this event loop; stopped without ceremony at the end."""
    async with Service(worker, settings_for(double, worker, **changed)) as service:
        running = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class Http:
    """Calls to a worker's own endpoints."""

    def __init__(self, session: aiohttp.ClientSession, service: Service) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{service.port}"

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self._session.post(self._url + path, data=data, headers=headers or HEADERS) as response:
            return response.status, await response.json()

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self._session.get(self._url + path, headers=headers or HEADERS) as response:
            return response.status, await response.json()


def result_files(data_dir: Path) -> list[str]:
    """Names of the files that hold results of `worker-1`."""
    return sorted(path.name for path in (data_dir / "workers/worker-1/results").glob("*"))
