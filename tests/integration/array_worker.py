"""A worker that takes arrays of packets over HTTP: JSON and a web server, and nothing of Baton's."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

Packet = dict[str, Any]
Says = Callable[["ArrayWorker", list[Packet]], list[Packet]]

HEADERS = {"Authorization": "Bearer secret-of-workers", "X-Worker-ID": "arrays"}


def key_of(packet: Packet) -> Packet:
    return {name: packet[name] for name in ("executionId", "stageId", "fence")}


def accept(offer: Packet) -> Packet:
    return {"type": "accept", **key_of(offer), "estimatedCompletionMs": 5}


def completed(packet: Packet, result: Any = None) -> Packet:
    return {"type": "result", **key_of(packet), "status": "completed", "result": {"done": True, "value": result}}


def at_once(worker: "ArrayWorker", packets: list[Packet]) -> list[Packet]:
    """Accepts everything, and has its results as soon as they are asked for."""
    return accepting(worker, packets) + [completed(packet, 1) for packet in packets if packet["type"] == "process"]


def accepting(worker: "ArrayWorker", packets: list[Packet]) -> list[Packet]:
    """Accepts everything, and says nothing of how it goes on."""
    return [accept(packet) for packet in packets if packet["type"] == "offer"]


class ArrayWorker:
    """What it `says` in answer to an array is a function of that array. It keeps what it was sent.

    While `is_cut`, it takes an array and then closes the connection; while `open` is not set, it lets it wait.
    """

    def __init__(self, says: Says = at_once) -> None:
        self.says = says
        self.arrays: list[list[Packet]] = []
        self.held: list[Packet] = []
        self.asked = 0
        self.is_cut: Callable[[list[Packet]], bool] = lambda packets: False
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Condition()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/packets", self._take)
        app.router.add_get("/api/held", self._held)
        return app

    @property
    def packets(self) -> list[Packet]:
        return [packet for array in self.arrays for packet in array]

    def sent(self, kind: str) -> list[Packet]:
        """The packets of this kind that came so far."""
        return [packet for packet in self.packets if packet["type"] == kind]

    async def got(self, kind: str, count: int = 1) -> Packet:
        """The n-th packet of this kind."""
        await self.until(lambda: len(self.sent(kind)) >= count)
        return self.sent(kind)[count - 1]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something that this worker has recorded."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(holds)

    async def post(self, api_url: str, packets: Any) -> tuple[int, Any]:
        """An array of the worker's own: the status and the document of the answer."""
        url = f"{api_url}/api/workers/arrays/packets"
        async with aiohttp.ClientSession(headers=HEADERS) as session, session.post(url, json=packets) as response:
            return response.status, await response.json()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        packets = await request.json()
        self.arrays.append(packets)
        await self._tell()
        await self.open.wait()
        answer = self.says(self, packets)
        if self.is_cut(packets):
            assert request.transport is not None
            request.transport.close()
        return web.json_response(answer)

    async def _held(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        await self._tell()
        return web.json_response({"attempts": self.held})

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
