"""Workers whose results are larger than any that is taken: each way to send one has to be refused with its code."""

from collections.abc import Container
from typing import Any, Final

import orjson
from aiohttp import web

from tests.torture.called import SeedWorker
from tests.torture.dialling import DialledWorker, Packet, about, attempt_of

HUGE_BYTES: Final = 100_000_000
FRAME_REFUSED: Final = (1009, 1006)
"""Who is still sending when the connection is closed for the size may find it broken, and not be told why."""
REPORT_REFUSED: Final = (413,)
_TRIES: Final = 5
_CLOSED_S: Final = 5.0
_LOOK_S: Final = 0.05


class Boaster(DialledWorker):
    """Sends too large a frame and too large a report of each stage that it takes, and then what is right."""

    capabilities = ("boast",)
    slots = 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._boasted_of: set[str] = set()

    async def work(self, offer: Packet) -> None:
        if offer["stageId"] not in self._boasted_of:
            self._boasted_of.add(offer["stageId"])
            await self._boast(offer, "frame", FRAME_REFUSED)
            await self._boast(offer, "report", REPORT_REFUSED)
        await self.deliver(offer)

    async def _boast(self, offer: Packet, form: str, refused: Container[int | None]) -> None:
        """Until it is refused for its size: the storm may cut any one off."""
        for _ in range(_TRIES):
            answer = await (self._frame(offer) if form == "frame" else self._report(offer))
            self.diary.note("boasted", form=form, answer=answer, **about(offer))
            if answer in refused:
                return
            await self.clock.sleep(self.lease_s / _TRIES)

    async def _frame(self, offer: Packet) -> int | None:
        """The code with which the connection was closed."""
        socket = self.socket
        if socket is None:
            return None
        await self.say({"type": "result", **attempt_of(offer), "status": "completed", "result": "x" * HUGE_BYTES})
        for _ in range(round(_CLOSED_S / _LOOK_S)):
            if socket.closed:
                break
            await self.clock.sleep(_LOOK_S)
        return socket.close_code

    async def _report(self, offer: Packet) -> int:
        return await self.report(offer, "complete", b'{"fence":%d,"result":"%b"}' % (offer["fence"], b"x" * HUGE_BYTES))


class Braggart(SeedWorker):
    """Answers `process` with more than is taken."""

    capabilities = ("brag",)
    slots = 1

    async def process(self, offer: dict[str, Any]) -> web.Response:
        await self.work(offer)
        self.diary.note("boasted", form="answer", answer=None, **about(offer))
        told = {"executionId": offer["executionId"], "status": "completed", "result": "x" * HUGE_BYTES}
        return web.Response(body=orjson.dumps(told), content_type="application/json")
