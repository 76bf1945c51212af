"""A worker that speaks the protocol over a WebSocket and was written from its specification alone.

`DialledWorker` does what it should; those of `tempers` do not.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

from orchestrator.system import SystemClock
from tests.torture.diary import Diary, KillPoint, die
from tests.torture.workload import made

Packet = dict[str, Any]

_RESEND_S: Final = 2.0
_REDIAL_S: Final = 0.3
_CALL: Final = aiohttp.ClientTimeout(total=5)
NOT_ANSWERED: Final = 0


class DialledWorker:
    """One worker: registers, dials, answers, works, keeps results until they are acked."""

    capabilities: tuple[str, ...] = ("work",)
    slots = 2

    def __init__(
        self, worker_id: str, url: str, secret: str, lease_s: float, diary: Diary, kill_point: KillPoint
    ) -> None:
        self.worker_id = worker_id
        self.diary = diary
        self.lease_s = lease_s
        self.clock = SystemClock()
        self.is_silent = False
        self._url = url
        self._headers = {"Authorization": f"Bearer {secret}", "X-Worker-ID": worker_id}
        self._instance = f"{worker_id}-{os.getpid()}"
        self._kill_point = kill_point
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._offers: dict[int, Packet] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._results: dict[int, Packet] = {}

    async def run(self) -> None:
        """For ever: what breaks is registered and dialled again."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            while True:
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    await self._live(session)
                self.socket = None
                await self.clock.sleep(_REDIAL_S)

    async def _live(self, session: aiohttp.ClientSession) -> None:
        registered = await self._register(session)
        if registered is None:
            return
        interval = registered["heartbeatIntervalMs"] / 1000
        async with session.ws_connect(registered["websocketUrl"], heartbeat=self.lease_s, compress=0) as connection:
            self.socket = connection
            beating = asyncio.create_task(self._beat(interval))
            resending = asyncio.create_task(self._resend())
            try:
                async for message in connection:
                    if message.type is aiohttp.WSMsgType.ERROR:
                        break
                    for packet in orjson.loads(message.data):
                        await self.received(packet)
            finally:
                beating.cancel()
                resending.cancel()

    async def _register(self, session: aiohttp.ClientSession) -> dict[str, Any] | None:
        body = {
            "workerId": self.worker_id,
            "capabilities": self.capabilities,
            "maxConcurrentExecutions": self.slots,
            "instanceId": self._instance,
            "running": self._held(),
        }
        async with session.post(f"{self._url}/api/workers", data=orjson.dumps(body), timeout=_CALL) as response:
            content = await response.read()
        return orjson.loads(content) if response.status == 201 else None

    def _held(self) -> list[Packet]:
        return [_key(self._offers[fence]) for fence in (*self._running, *self._results) if fence in self._offers]

    async def _beat(self, interval: float) -> None:
        while True:
            if not self.is_silent:
                await self.say({"type": "heartbeat", "running": self._held()})
            await self.clock.sleep(interval)

    async def _resend(self) -> None:
        for result in list(self._results.values()):
            await self.say(result)
        while True:
            await self.clock.sleep(_RESEND_S)
            if not self.is_silent:
                await self.say(*self._results.values())

    async def say(self, *packets: Packet) -> None:
        """Send a frame; what cannot be sent now is sent again if it matters."""
        if self.socket is not None and packets:
            with suppress(ConnectionError, aiohttp.ClientError):
                await self.socket.send_bytes(orjson.dumps(packets))

    async def report(self, attempt: Mapping[str, Any], verb: str, body: bytes) -> int:
        """Say it over HTTP, as any worker may; returns the status, or `NOT_ANSWERED`."""
        path = f"{self._url}/api/executions/{attempt['executionId']}/stages/{attempt['stageId']}/{verb}"
        try:
            async with (
                aiohttp.ClientSession(headers=self._headers, timeout=_CALL) as session,
                session.post(path, data=body) as response,
            ):
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return NOT_ANSWERED

    # ------------------------------------------------------------------------------------------------- what comes in

    async def received(self, packet: Packet) -> None:
        match packet["type"]:
            case "offer":
                self.diary.note("offer", **about(packet))
                self._kill_point.reached("offer")
                self._offers[packet["fence"]] = packet
                await self.offered(packet)
            case "process" if packet["fence"] in self._offers and packet["fence"] not in self._running:
                self._begin(self._offers[packet["fence"]])
            case "ack":
                self.diary.note(packet["status"], **about(packet))
                self._results.pop(packet["fence"], None)
                self._offers.pop(packet["fence"], None)
                self.acked(packet)
            case "cancel":
                await self._cancelled(packet)

    async def offered(self, offer: Packet) -> None:
        await self.accept(offer)

    async def accept(self, offer: Packet) -> None:
        self.diary.note("accept", **about(offer))
        estimate = int(offer["inputData"]["ms"])
        await self.say({"type": "accept", **attempt_of(offer), "estimatedCompletionMs": estimate})

    def acked(self, ack: Packet) -> None:
        """Nothing more to do for an honest one."""

    async def _cancelled(self, packet: Packet) -> None:
        fence = packet["fence"]
        task = self._running.pop(fence, None)
        if task is not None:
            task.cancel()
            self.diary.note("stop", reason=packet.get("reason"), **about(packet))
        if packet.get("reason") == "stale":
            self._results.pop(fence, None)
            self._offers.pop(fence, None)
        elif task is not None:
            await self.say({"type": "result", **attempt_of(packet), "status": "cancelled"})

    # ------------------------------------------------------------------------------------------------------- the work

    def _begin(self, offer: Packet) -> None:
        fence = offer["fence"]
        task = self._running[fence] = asyncio.create_task(self._work(offer))
        task.add_done_callback(lambda _: self._running.pop(fence, None))

    async def _work(self, offer: Packet) -> None:
        self.diary.note("begin", **about(offer))
        self._kill_point.reached("begin")
        if offer["action"] == "poison":
            self.diary.note("poisoned", **about(offer))
            die()
        await self.work(offer)

    async def work(self, offer: Packet) -> None:
        seconds = offer["inputData"]["ms"] / 1000
        await self.clock.sleep(seconds / 2)
        self._kill_point.reached("middle")
        await self.clock.sleep(seconds / 2)
        await self.deliver(offer)

    async def deliver(self, offer: Packet) -> None:
        """The honest result, kept until it is acked."""
        result = {
            "type": "result",
            **attempt_of(offer),
            "status": "completed",
            "result": made(offer["inputData"], offer["fence"], self.worker_id),
        }
        self._results[offer["fence"]] = result
        self.diary.note("end", **about(offer))
        await self.say(result)


def about(packet: Mapping[str, Any]) -> dict[str, Any]:
    """Which attempt, as diaries name it."""
    return {"execution": packet["executionId"], "stage": packet["stageId"], "fence": packet["fence"]}


def attempt_of(packet: Mapping[str, Any]) -> Packet:
    return {name: packet[name] for name in ("executionId", "stageId", "fence")}


def _key(offer: Mapping[str, Any]) -> Packet:
    return {**attempt_of(offer), "attempt": offer["attempt"]}
