"""A real server on loopback that plays two vendors of language models for the providers' tests.

It speaks both wire formats as their vendors do, streams included, and refuses what they would refuse; a test scripts
its replies, one for each call. It never sleeps: a reply that is to take long waits to be let go.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Literal, Self

from aiohttp import web

from tests.contract.provider_wires import WIRES, Fault, Tokens, Wire, events, is_prose

KEY: Final = "sk-canary-7f3a9c51e2"
MODEL: Final = "gpt-4o-mini-2024-07-18"

Json = dict[str, Any]
Ending = Literal["complete", "truncated", "declined"]
Reply = Callable[["Call"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Json

    @property
    def turns(self) -> list[Json]:
        """The talk without the system's part, which the two formats keep in different places."""
        return [turn for turn in self.body["messages"] if turn["role"] != "system"]


@dataclass(frozen=True, slots=True)
class Call:
    """What a reply may use: the request, its wire format, and the server."""

    request: web.Request
    wire: Wire
    server: "ProviderServer"

    async def stream(self) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(self.request)
        return response


class ProviderServer:
    """Both vendors at one port: `{url}/v1` is OpenAI's base, `{url}` Anthropic's."""

    def __init__(self, *, keeps_schemas: bool = True) -> None:
        self.keeps_schemas = keeps_schemas
        self.asked: list[Asked] = []
        self.left = asyncio.Event()
        """Set when a client has gone in the middle of a reply."""
        self.arrived = asyncio.Event()
        self.let_go = asyncio.Event()
        self.port = 0
        self._replies: deque[Reply] = deque()

    def will(self, *replies: Reply) -> Self:
        """Adds to the script; a call that it has no reply for fails the test with a 418."""
        self._replies += replies
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, wire: str, key: str | None = KEY, model: str = MODEL) -> dict[str, str]:
        """The settings of a worker that uses this server as that vendor."""
        prefix = wire.upper()
        settings = {
            f"{prefix}_BASE_URL": self.url + WIRES[wire].base,
            f"{prefix}_MODEL": model,
        }
        return settings if key is None else {**settings, f"{prefix}_API_KEY": key}

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        for wire in WIRES.values():
            app.router.add_post(wire.path, self._handler(wire))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _handler(self, wire: Wire) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = json.loads(await request.read())
            self.asked.append(Asked(request.path, dict(request.headers), body))
            self.arrived.set()
            if fault := wire.fault(request.headers, body, KEY, self.keeps_schemas):
                return _error(wire, fault)
            if not self._replies:
                return web.json_response({"error": {"message": "no reply is left in the script"}}, status=418)
            try:
                return await self._replies.popleft()(Call(request, wire, self))
            except asyncio.CancelledError:
                self.left.set()
                raise

        return handle


USED: Final = (1_000, 500)


def says(text: str, tokens: Tokens = USED, ending: Ending = "complete") -> Reply:
    """An answer streamed in many pieces, with its usage."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        for event in events(call.wire, text, tokens, ending):
            await response.write(event)
        return response

    return reply


def trickles(text: str) -> Reply:
    """The answer in five pieces, each after the first only when the test lets it go."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        await response.write(b"".join(call.wire.opening(text, USED)))
        size = ceil(len(text) / 5)
        for start in range(0, len(text), size):
            await response.write(call.wire.part(text[start : start + size], is_prose(text)))
            await call.server.let_go.wait()
            call.server.let_go.clear()
        await response.write(b"".join(call.wire.closing(text, USED, "complete")))
        return response

    return reply


def cuts_bytes(text: str, size: int) -> Reply:
    """The answer, its bytes cut without regard to events, lines or characters."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        whole = b"".join(events(call.wire, text, USED))
        for start in range(0, len(whole), size):
            await response.write(whole[start : start + size])
        return response

    return reply


def refuses(status: int, kind: str = "", message: str = "", **headers: str) -> Reply:
    """An error as the vendor sends it; `Retry_After` is written `Retry-After`."""

    async def reply(call: Call) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return _error(call.wire, Fault(status, kind, message), named)

    return reply


def sends(body: bytes, content_type: str = "text/event-stream", status: int = 200, **headers: str) -> Reply:
    """Bytes as they are."""

    async def reply(call: Call) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={**named, "Content-Type": content_type})

    return reply


def breaks_off(text: str) -> Reply:
    """Half of the answer, and then the connection is gone."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        whole = list(events(call.wire, text, USED))
        await response.write(b"".join(whole[: len(whole) // 2]))
        assert call.request.transport is not None
        call.request.transport.close()
        return response

    return reply


def fails_in_stream(kind: str) -> Reply:
    """The beginning of an answer, and then an error event."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        await response.write(b"".join(call.wire.opening("{", USED)) + call.wire.error_event(kind))
        return response

    return reply


def hangs() -> Reply:
    """Nothing, not even a status, until the client leaves."""

    async def reply(call: Call) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")

    return reply


def falls_silent(text: str) -> Reply:
    """The beginning of an answer, and then nothing until the client leaves."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        await response.write(b"".join(call.wire.opening(text, USED)))
        await asyncio.Event().wait()
        return response

    return reply


def never_ends() -> Reply:
    """Text without end."""

    async def reply(call: Call) -> web.StreamResponse:
        response = await call.stream()
        while True:
            await response.write(call.wire.part("x" * 50_000, prose=True))

    return reply


def _error(wire: Wire, fault: Fault, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(wire.error(fault), status=fault.status, headers=headers)
