"""A worker that knows the original wire format alone: `POST /api/handshake` and `POST /api/process`, a packet a call.

It stands on aiohttp and nothing of Baton's: no stage is echoed, nothing is acknowledged, nobody can ask what it holds.
"""

import asyncio
import os
from typing import Any, Final

import aiohttp
import orjson
import uvloop
from aiohttp import web

SLOTS: Final = 128


class Increment:
    """Adds one. An input is kept from its offer to its process, by execution, since this worker knows no stages."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id
        self._inputs: dict[str, int] = {}

    async def handshake(self, request: web.Request) -> web.Response:
        offer = orjson.loads(await request.read())
        self._inputs[offer["executionId"]] = offer["inputData"]["value"]
        return self._answer(offer["executionId"], accepted=True, estimatedCompletionMs=1)

    async def process(self, request: web.Request) -> web.Response:
        call = orjson.loads(await request.read())
        value = self._inputs.pop(call["executionId"])
        return self._answer(call["executionId"], status="completed", result={"value": value + 1})

    def _answer(self, execution_id: str, **fields: Any) -> web.Response:
        body = orjson.dumps({"executionId": execution_id, "workerId": self._worker_id, **fields})
        return web.Response(body=body, content_type="application/json")


async def serve() -> None:
    """Serve first, then register: the orchestrator looks whether the URL answers."""
    worker_id = os.environ["WORKER_ID"]
    increment = Increment(worker_id)
    application = web.Application()
    application.add_routes(
        [web.post("/api/handshake", increment.handshake), web.post("/api/process", increment.process)]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    registration = {
        "workerId": worker_id,
        "url": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "capabilities": ["increment"],
        "maxConcurrentExecutions": SLOTS,
    }
    headers = {"Authorization": f"Bearer {os.environ['WORKER_SECRET']}", "X-Worker-ID": worker_id}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
        await session.post(f"{os.environ['BATON_URL']}/api/workers", json=registration)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
