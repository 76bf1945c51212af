"""Workers that are called over HTTP: one that knows the original calls and nothing else, one that reports later.

They count no slots of their own: how many attempts they ever had at once is the orchestrator's doing.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web

from orchestrator.system import SystemClock
from tests.torture.dialling import about
from tests.torture.diary import Diary, KillPoint
from tests.torture.workload import made

_AGAIN_S: Final = 0.4
_CALL: Final = aiohttp.ClientTimeout(total=5)


class SeedWorker:
    """Answers the handshake and `process`, tells its progress, and that is all."""

    capabilities: tuple[str, ...] = ("work",)
    slots = 2

    def __init__(
        self, worker_id: str, url: str, secret: str, own_url: str, diary: Diary, kill_point: KillPoint
    ) -> None:
        self.worker_id = worker_id
        self.diary = diary
        self.clock = SystemClock()
        self.kill_point = kill_point
        self.url = url
        self.headers = {"Authorization": f"Bearer {secret}", "X-Worker-ID": worker_id}
        self.offers: dict[tuple[str, Any], dict[str, Any]] = {}
        self._own_url = own_url

    async def run(self, port: int) -> None:
        """For ever: serves, then registers, until that is through."""
        app = web.Application()
        app.router.add_post("/api/handshake", self._handshake)
        app.router.add_post("/api/process", self._process)
        app.router.add_get("/api/progress/{execution_id}", self._progress)
        # A call that is given up ends its work: it is offered again at the same moment.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        while not await self._registered():
            await self.clock.sleep(_AGAIN_S)
        await asyncio.Event().wait()

    async def _registered(self) -> bool:
        body = {
            "workerId": self.worker_id,
            "url": self._own_url,
            "capabilities": self.capabilities,
            "maxConcurrentExecutions": self.slots,
        }
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with (
                aiohttp.ClientSession(headers=self.headers, timeout=_CALL) as session,
                session.post(f"{self.url}/api/workers", data=orjson.dumps(body)) as response,
            ):
                return response.status == 201
        return False

    async def _handshake(self, request: web.Request) -> web.Response:
        offer = orjson.loads(await request.read())
        self.diary.note("offer", **about(offer))
        self.kill_point.reached("offer")
        self.offers[offer["executionId"], offer["fence"]] = offer
        self.diary.note("accept", **about(offer))
        return _answer(
            {"executionId": offer["executionId"], "workerId": self.worker_id, "accepted": True, **self.more(offer)}
        )

    def more(self, offer: dict[str, Any]) -> dict[str, Any]:
        """What the answer to a handshake says beyond the original fields."""
        return {"estimatedCompletionMs": offer["inputData"]["ms"]}

    async def _process(self, request: web.Request) -> web.Response:
        call = orjson.loads(await request.read())
        offer = self.offers.get((call["executionId"], call["fence"]))
        if offer is None:
            return web.Response(status=503)
        return await self.process(offer)

    async def process(self, offer: dict[str, Any]) -> web.Response:
        try:
            result = await self.work(offer)
        except asyncio.CancelledError:
            self.diary.note("stop", **about(offer))
            raise
        return _answer({"executionId": offer["executionId"], "status": "completed", "result": result})

    async def work(self, offer: dict[str, Any]) -> dict[str, Any]:
        self.diary.note("begin", **about(offer))
        self.kill_point.reached("begin")
        seconds = offer["inputData"]["ms"] / 1000
        await self.clock.sleep(seconds / 2)
        self.kill_point.reached("middle")
        await self.clock.sleep(seconds / 2)
        self.diary.note("end", **about(offer))
        return made(offer["inputData"], offer["fence"], self.worker_id)

    async def _progress(self, request: web.Request) -> web.Response:
        return _answer({"executionId": request.match_info["execution_id"], "progress": 50})


class LateWorker(SeedWorker):
    """Answers `process` with 202 and reports by itself, as often as it takes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._reports: dict[int, asyncio.Task[None]] = {}

    def more(self, offer: dict[str, Any]) -> dict[str, Any]:
        return {**super().more(offer), "stageId": offer["stageId"]}

    async def process(self, offer: dict[str, Any]) -> web.Response:
        fence = offer["fence"]
        if fence not in self._reports:
            self._reports[fence] = asyncio.create_task(self._report(offer))
        return web.Response(status=202)

    async def _report(self, offer: dict[str, Any]) -> None:
        result = await self.work(offer)
        path = f"{self.url}/api/executions/{offer['executionId']}/stages/{offer['stageId']}/complete"
        body = orjson.dumps({"fence": offer["fence"], "result": result})
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with (
                    aiohttp.ClientSession(headers=self.headers, timeout=_CALL) as session,
                    session.post(path, data=body) as response,
                ):
                    if response.status in (200, 409):
                        self.diary.note("committed" if response.status == 200 else "stale", **about(offer))
                        return
                    self.diary.note("unanswered", status=response.status, **about(offer))
            await self.clock.sleep(_AGAIN_S)


def _answer(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
