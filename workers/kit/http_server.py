"""The worker's own HTTP endpoints: the handshake as one request and one response each.

They work for an orchestrator that calls workers, and for a person with curl: a call without a fence is numbered here
and its result is remembered for a while, but nobody else is told of it.
"""

import asyncio
import itertools
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from protocol.attempt import FINAL, AttemptState
from protocol.codec import MAX_RESULT_BYTES
from protocol.errors import ProtocolError, RefusalCode
from protocol.packets import Offer, Reject
from workers.kit import http_bodies
from workers.kit.attempts import Attempt, Origin, StopReason
from workers.kit.engine import Engine
from workers.kit.http_bodies import AcknowledgeBody, HandshakeBody, NamesAttempt
from workers.kit.http_gate import (
    DESCRIBE,
    Refused,
    answer,
    read_body,
    read_bytes,
    refused,
    require_secret,
    shape_errors,
)
from workers.kit.outgoing import joined
from workers.kit.posts import receive
from workers.kit.seams import Seams
from workers.kit.worker import Routes

_CLOSE_S: Final = 2


def add_routes(router: web.UrlDispatcher, routes: Iterable[Routes]) -> None:
    """Adds an author's routes; raises ValueError where one would stand behind a call of the protocol, never reached."""
    taken = {(route.method, resource.canonical) for resource in router.resources() for route in resource}
    for definitions in routes:
        for route in router.add_routes(definitions()):
            if route.resource is not None and (route.method, route.resource.canonical) in taken:
                raise ValueError(f"{route.method} {route.resource.canonical} is the kit's own")


class HttpServer:
    """`default_action` is what a handshake without one means; `is_asked`: the orchestrator offers over HTTP.

    `routes` are the author's own.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        secret: str,
        version: str,
        default_action: str | None,
        is_asked: bool,
        routes: Iterable[Routes],
        seams: Seams,
    ) -> None:
        self._engine = engine
        self._version = version
        self._default_action = default_action
        self._is_asked = is_asked
        self._clock = seams.clock
        self._bare_fences = itertools.count(1)
        app = web.Application(
            middlewares=[shape_errors(seams.fresh_id), require_secret(secret)], client_max_size=MAX_RESULT_BYTES
        )
        app.router.add_post("/api/handshake", self.handshake)
        app.router.add_post("/api/process", self.process)
        app.router.add_post("/api/cancel", self.cancel)
        app.router.add_post("/api/acknowledge", self.acknowledge)
        app.router.add_get("/api/progress/{id}", self.progress)
        app.router.add_get("/api/held", self.held)
        app.router.add_get("/health", self.health)
        if is_asked:
            app.router.add_post("/api/packets", self.packets)
        add_routes(app.router, routes)
        # After the author's, so that theirs counts. The pattern is the default one, but written as nobody writes it:
        # aiohttp takes a path that is spelt the same for the same resource, which has one handler a method.
        app.router.add_get("/api/jobs/{id:[^{}/]+}", self.describe)
        app[DESCRIBE] = self.describe
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port, which matters where 0 was asked for; raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def packets(self, request: web.Request) -> web.Response:
        """Takes an array of the orchestrator's packets, and answers with what there is to say at once."""
        try:
            await receive(self._engine, await read_bytes(request))
        except ProtocolError as error:
            raise refused(error) from None
        said = self._engine.outgoing.take()
        # The first steps of what was begun come before this goes on: who ends in its first one has its result here.
        await self._clock.sleep(0)
        said += self._engine.outgoing.take()
        return web.Response(body=joined(said), content_type="application/json")

    async def handshake(self, request: web.Request) -> web.Response:
        body = await read_body(request, HandshakeBody, MAX_RESULT_BYTES)
        decided = self._decide(body)
        if isinstance(decided, Reject):
            document = http_bodies.rejected(body, decided, self._engine.worker_id)
            return answer(document, 400 if decided.code is RefusalCode.INVALID_INPUT else 200)
        return answer(http_bodies.accepted(body, decided, self._engine.worker_id))

    async def process(self, request: web.Request) -> web.Response:
        """Answers with the result when there is one. Asked again, it waits for the same result or repeats it.

        An orchestrator, which names a fence, is told 503 of an attempt that is not known: not begun, offer it again.
        Whoever asks by hand, as the original calls have it, did not shake hands before: 400.
        """
        body = await read_body(request, NamesAttempt)
        attempt = self._engine.attempts.latest(body.matches)
        if attempt is None:
            status = 400 if body.fence is None else 503
            raise Refused(status, "no_handshake", f"no accepted handshake of execution {body.execution_id} is known")
        self._engine.start(attempt)
        if attempt.handler is not None and attempt.state not in FINAL:
            await asyncio.wait([attempt.handler])
        return answer(http_bodies.processed(attempt))

    async def cancel(self, request: web.Request) -> web.Response:
        """Stops an attempt; one that is not held is no error, for it has ended or never began."""
        body = await read_body(request, NamesAttempt)
        attempt = self._engine.attempts.latest(body.matches)
        if attempt is None:
            return answer({"executionId": body.execution_id, "held": False})
        self._engine.stop(attempt, StopReason.CANCELLED)
        return answer(http_bodies.held(attempt))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Forgets an ended attempt. One that still runs is left alone, and one that is not held is no error."""
        body = await read_body(request, AcknowledgeBody)
        attempt = self._engine.attempts.latest(body.matches)
        is_forgotten = attempt is not None and self._engine.acknowledge(
            attempt.identity, is_committed=body.status != "failed"
        )
        return answer({"executionId": body.execution_id, "acknowledged": is_forgotten})

    async def progress(self, request: web.Request) -> web.Response:
        execution_id = request.match_info["id"]
        attempt = self._engine.attempts.latest(lambda key: key.execution_id == execution_id)
        if attempt is None:
            raise Refused(404, "not_found", f"no attempt of execution {execution_id} is held here")
        return answer(http_bodies.progressed(attempt, self._engine.now()))

    async def describe(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        attempt = self._engine.attempts.latest(lambda key: wanted in (key.execution_id, key.stage_id))
        if attempt is None:
            raise Refused(404, "not_found", f"no attempt with {wanted} as its execution or stage is held here")
        return answer(http_bodies.described(attempt))

    async def held(self, request: web.Request) -> web.Response:
        """What is held for the orchestrator, which asks it; of calls by hand nobody else knows anything."""
        held = [attempt for attempt in self._engine.attempts.held() if not (self._is_asked and attempt.is_local)]
        return answer({"attempts": [http_bodies.held(attempt) for attempt in held]})

    async def health(self, request: web.Request) -> web.Response:
        engine = self._engine
        return answer(
            {
                "status": "draining" if engine.is_draining else "ok",
                "workerId": engine.worker_id,
                "version": self._version,
                "slots": {"total": engine.attempts.slots, "free": engine.attempts.free(engine.now())},
            }
        )

    def _decide(self, body: HandshakeBody) -> Attempt | Reject:
        action = body.action or self._default_action
        if action is None:
            raise Refused(400, "malformed_body", "this worker has several actions and no default one", path="action")
        fence = body.fence
        if fence is None:
            before = self._engine.attempts.latest(body.matches)
            if before is not None and before.state is AttemptState.RUNNING:
                return before
            if before is not None and before.is_local and before.state is AttemptState.ACCEPTED:
                self._engine.attempts.withdraw(before)  # said again, perhaps with another input; one slot is enough
            fence = next(self._bare_fences)
        offer = Offer(
            execution_id=body.execution_id,
            stage_id=body.stage_id or body.execution_id,
            attempt=body.attempt or 1,
            fence=fence,
            action=action,
            input_data=body.input_data,
            resource_requirements=body.resource_requirements,
            offer_expires_ms=body.offer_expires_ms,
            lease_ms=body.lease_ms,
            deadline_at=body.deadline_at,
            limits=body.limits,
            traceparent=body.traceparent,
        )
        return self._engine.offer(offer, Origin.HTTP, is_local=body.fence is None or not self._is_asked)
