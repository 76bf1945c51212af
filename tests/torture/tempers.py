"""Workers that dial in and do what workers should not: they lie, go silent, refuse, repeat themselves, die of poison.

A lie always holds the value `LIE`, which no honest result has: if it is ever committed, it is found.
"""

from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any, Final

import orjson

from tests.torture.dialling import DialledWorker, Packet, about, attempt_of

LIE: Final = -1_000_000_000
_LATE_LEASES: Final = 1.4


class Victim(DialledWorker):
    """Honest, and offers the action that kills it."""

    capabilities = ("work", "poison")


class Liar(DialledWorker):
    """Does its work, and tells one lie about each attempt before or after."""

    capabilities = ("work", "lie")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        lies: list[tuple[str, Callable[[Packet], Awaitable[None]]]] = [
            ("resultBeforeAccept", self._result_before_accept),
            ("otherExecution", self._other_execution),
            ("wrongFence", self._wrong_fence),
            ("fallingProgress", self._falling_progress),
            ("secondResult", self._second_result),
            ("forgedAccept", self._forged_accept),
            ("brokenFrame", self._broken_frame),
            ("reportOfOther", self._report_of_other),
            ("reportUnderWrongFence", self._report_under_wrong_fence),
            ("reportOfFallingProgress", self._report_of_falling_progress),
            ("secondReport", self._second_report),
        ]
        self._lies = cycle(lies)
        self._foreign: Packet | None = None

    async def offered(self, offer: Packet) -> None:
        if offer["offerExpiresMs"] and self._foreign is None:
            self._foreign = offer
        if offer["fence"] % 5 == 0:
            self.diary.note("lie", kind="resultBeforeAccept", **about(offer))
            await self._result_before_accept(offer)
        elif offer["fence"] % 5 == 1:
            self.diary.note("lie", kind="reportBeforeAccept", **about(offer))
            await self._report(offer, "complete", {"result": _false(offer)["result"]})
        await self.accept(offer)

    async def work(self, offer: Packet) -> None:
        kind, lie = next(self._lies)
        self.diary.note("lie", kind=kind, **about(offer))
        await self.clock.sleep(offer["inputData"]["ms"] / 1000)
        if kind in ("secondResult", "secondReport"):
            await self.deliver(offer)
            await lie(offer)
        else:
            await lie(offer)
            await self.deliver(offer)
        self._foreign = offer

    async def _result_before_accept(self, offer: Packet) -> None:
        if offer["fence"] not in self._running:
            await self.say(_false(offer))

    async def _other_execution(self, offer: Packet) -> None:
        foreign = self._foreign or offer
        if foreign["executionId"] != offer["executionId"]:
            key = {"executionId": foreign["executionId"], "stageId": foreign["stageId"]}
            await self.say({**_false(offer), **key})

    async def _wrong_fence(self, offer: Packet) -> None:
        await self.say(*({**_false(offer), "fence": offer["fence"] + step} for step in (1, 2, 1 << 32)))

    async def _falling_progress(self, offer: Packet) -> None:
        for percent in (80, 10, 0):
            await self.say({"type": "progress", **attempt_of(offer), "progress": percent})

    async def _second_result(self, offer: Packet) -> None:
        await self.say(_false(offer))

    async def _forged_accept(self, offer: Packet) -> None:
        await self.say({"type": "accept", **attempt_of(offer), "fence": offer["fence"] + 1})

    async def _broken_frame(self, offer: Packet) -> None:
        await self.say({"type": "result", **attempt_of(offer), "status": "perhaps"})

    async def _report_of_other(self, offer: Packet) -> None:
        foreign = self._foreign or offer
        if foreign["executionId"] != offer["executionId"]:
            key = {"executionId": foreign["executionId"], "stageId": foreign["stageId"]}
            await self._report({**offer, **key}, "complete", {"result": _false(offer)["result"]})

    async def _report_under_wrong_fence(self, offer: Packet) -> None:
        await self._report({**offer, "fence": offer["fence"] + 1}, "complete", {"result": _false(offer)["result"]})

    async def _report_of_falling_progress(self, offer: Packet) -> None:
        await self.say({"type": "progress", **attempt_of(offer), "progress": 80})
        await self._report(offer, "progress", {"progress": 10})

    async def _second_report(self, offer: Packet) -> None:
        await self._report(offer, "complete", {"result": _false(offer)["result"]})

    async def _report(self, attempt: Packet, verb: str, said: Packet) -> None:
        """Lie over HTTP, and write down what that was answered with."""
        status = await self.report(attempt, verb, orjson.dumps({"fence": attempt["fence"], **said}))
        self.diary.note("lieAnswered", verb=verb, status=status, **about(attempt))


class Zombie(DialledWorker):
    """Falls silent for longer than its lease, and then reports as if nothing had been."""

    slots = 1

    async def received(self, packet: Packet) -> None:
        if packet["type"] != "cancel":
            await super().received(packet)

    async def work(self, offer: Packet) -> None:
        self.is_silent = True
        await self.clock.sleep(self.lease_s * _LATE_LEASES)
        self.is_silent = False
        await self.deliver(offer)


class Refuser(DialledWorker):
    """Always has a reason to say no."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._reasons = cycle(("busy", "policy", "too_large", "over_budget"))

    async def offered(self, offer: Packet) -> None:
        code = next(self._reasons)
        self._offers.pop(offer["fence"], None)
        self.diary.note("refuse", code=code, **about(offer))
        refusal = {"code": code, "reason": "of the mood it is in", "retryAfterMs": 1500}
        await self.say({"type": "reject", **attempt_of(offer), **refusal})


class Repeater(DialledWorker):
    """Says everything twice."""

    async def say(self, *packets: Packet) -> None:
        await super().say(*packets, *packets)


def _false(offer: Packet) -> Packet:
    lie = {"value": LIE, "fence": offer["fence"], "by": "a liar"}
    return {"type": "result", **attempt_of(offer), "status": "completed", "result": lie}
