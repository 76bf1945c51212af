"""Keeps the worker registered: registers, stays for as long as the transport holds, and registers again.

A refusal before the worker was ever registered is an error for its operator to read. Once it was, the worker never
gives up by itself: it may hold results that somebody waits for.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp
import structlog
from pydantic import ValidationError
from yarl import URL

from protocol.codec import dumps, loads
from protocol.errors import ProtocolError
from protocol.packets import Registered, Registration
from workers.kit.orchestrators import Orchestrators
from workers.kit.race import first_to_end
from workers.kit.seams import Seams
from workers.kit.timing import Timing

log = structlog.get_logger()

_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})
_LONGEST_AFTER_S = 60.0


class RegistrationRefused(Exception):
    """The orchestrator answered, and the answer is no."""


class TryLater(aiohttp.ClientError):
    """The orchestrator cannot register anybody just now; `after_s` is how long it wants to be left alone, or 0."""

    def __init__(self, status: int, after_s: float) -> None:
        super().__init__(f"registration was answered with {status}")
        self.after_s = after_s


class Transport(Protocol):
    """How packets reach the worker while it is registered."""

    async def stay(self, registered: Registered) -> None:
        """Returns, or raises a connection's error, when the transport no longer holds."""


async def register(session: aiohttp.ClientSession, orchestrator: URL, registration: Registration) -> Registered:
    """`POST /api/workers`; raises `RegistrationRefused`, or a connection's error where trying again makes sense."""
    document = dumps(registration.document())
    async with session.post(orchestrator / "api/workers", data=document, allow_redirects=False) as response:
        body = await response.read()
        status, after = response.status, response.headers.get("Retry-After", "")
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        raise TryLater(status, min(float(after), _LONGEST_AFTER_S) if after.isascii() and after.isdigit() else 0.0)
    if status >= 300:
        raise RegistrationRefused(_refusal(orchestrator, status, body))
    try:
        return Registered.model_validate(loads(body))
    except (ProtocolError, ValidationError) as error:
        raise RegistrationRefused(f"{orchestrator} does not answer as an orchestrator does: {error}") from None


class Membership:
    """The loop around registration and transport, with one replica of the orchestrator after the other.

    `is_unknown` is set when the one at hand has lost this worker, or has been lost itself.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        orchestrators: Orchestrators,
        transport: Transport,
        *,
        registration: Callable[[], Registration],
        on_registered: Callable[[Registered], None],
        is_unknown: asyncio.Event,
        seams: Seams,
        timing: Timing,
    ) -> None:
        self._session = session
        self._orchestrators = orchestrators
        self._transport = transport
        self._registration = registration
        self._on_registered = on_registered
        self._seams = seams
        self._timing = timing
        self._is_unknown = is_unknown
        self._was_registered = False

    async def run(self) -> None:
        """Runs until it is cancelled; raises `RegistrationRefused` if the very first registration is refused."""
        failures = 0
        while True:
            after_s = 0.0
            began_at = self._seams.clock.monotonic()
            try:
                await self._register_and_stay()
                reason = (
                    "the orchestrator knows this worker no longer, or does not answer"
                    if self._is_unknown.is_set()
                    else "the link was closed"
                )
            except RegistrationRefused as refused:
                if not self._was_registered:
                    raise
                reason = str(refused)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
                after_s = error.after_s if isinstance(error, TryLater) else 0.0
            self._orchestrators.turn()
            has_held = self._seams.clock.monotonic() - began_at > self._timing.reconnect.cap_s
            failures = 1 if has_held else failures + 1
            delay_s = self._rest_s(failures, after_s, has_held=has_held)
            next_one = str(self._orchestrators.current)
            log.warning("worker.unlinked", reason=reason, retry_in_ms=round(delay_s * 1000), orchestrator=next_one)
            await self._seams.clock.sleep(delay_s)

    def _rest_s(self, failures: int, after_s: float, *, has_held: bool) -> float:
        """Seconds until the next try. A fleet that lost its orchestrator in one moment does not come back in one."""
        chance = self._seams.chance
        delay_s = self._timing.reconnect.delay_s(failures, chance)
        if has_held:
            delay_s += chance.uniform(0.0, self._timing.return_spread_s)
        return max(delay_s, after_s * chance.uniform(1.0, 1.5))

    async def _register_and_stay(self) -> None:
        self._is_unknown.clear()
        registered = await register(self._session, self._orchestrators.current, self._registration())
        self._was_registered = True
        self._orchestrators.learn(registered.orchestrators or ())
        self._on_registered(registered)
        await first_to_end(self._transport.stay(registered), self._until_unknown())

    async def _until_unknown(self) -> None:
        await self._is_unknown.wait()


def _refusal(orchestrator: URL, status: int, body: bytes) -> str:
    try:
        message = loads(body)["error"]["message"]
    except (ProtocolError, KeyError, TypeError):
        message = "no further explanation"
    cause = "the worker secret is not accepted" if status in (401, 403) else "the registration is refused"
    return f"{cause} by {orchestrator} ({status}: {message})"
