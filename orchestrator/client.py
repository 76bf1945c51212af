"""The HTTP API as an async client: one method a call, answers as the JSON documents of the contract.

A call is repeated only where that changes nothing, so a GET or a POST with an idempotency key; every wait is bounded.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
import orjson
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from orchestrator.artifact_files import QUIET_SECONDS, Outgoing, WrongHash, receive
from orchestrator.call_faults import (
    LONGEST_WAIT_S,
    ApiError,
    StreamUnavailable,
    Unreachable,
    asked_wait,
    may_pass,
    reason_of,
    refusal,
)
from orchestrator.core.seams import Clock
from orchestrator.event_stream import Event, EventParser
from orchestrator.system import SystemClock

Document = dict[str, Any]

TERMINAL_STATUSES: Final = frozenset({"completed", "failed", "cancelled"})

# A result may be large: what counts is that the answer begins, and goes on.
_CALL_TIMEOUT: Final = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=15)
_TRANSFER_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=QUIET_SECONDS)
# A stream that is silent for this long is opened again: a proxy may have let go of it without a word.
_STREAM_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=45)
_ATTEMPTS: Final = 4
_BACKOFF: Final = wait_random_exponential(multiplier=0.25, max=2)
_BARREN_STREAMS: Final = 6
_POLL_INTERVAL_S: Final = 1.0
_NO_STREAM_HERE: Final = frozenset({204, 404, 405, 406, 501})


class BatonClient:
    """A session with one orchestrator; `async with` opens and closes it.

    `url` is where the server listens, `api_key` goes out as X-API-Key. Calls return the answer's JSON document and
    raise `ApiError` or `Unreachable`. `clock` is what waits between attempts.
    """

    def __init__(self, url: str, api_key: str | None = None, *, clock: Clock | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"X-API-Key": api_key} if api_key else {})
        self._clock = clock or SystemClock()
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._opened = aiohttp.ClientSession(headers=self._headers, timeout=_CALL_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def execute(
        self,
        template: str,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        priority: str | int | None = None,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Document:
        """Submit an execution; returns what the server accepted, once that is durable."""
        fields = {"input": input, "version": version, "priority": priority, "requestId": request_id}
        body = {"template": template} | {name: value for name, value in fields.items() if value is not None}
        return await self._post("/api/pipelines/execute", body, idempotency_key)

    async def execute_batch(
        self, executions: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Document:
        """Submit many; `executions` of the answer holds an id or an error for each, in order."""
        return await self._post("/api/pipelines/execute/batch", {"executions": list(executions)}, idempotency_key)

    async def execution(self, execution_id: str) -> Document:
        return await self._get(_execution(execution_id))

    async def executions(
        self,
        *,
        status: str | None = None,
        template: str | None = None,
        client_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Document:
        """One page of executions; `nextCursor` of the answer is the `cursor` of the page after it."""
        query = {"status": status, "template": template, "clientId": client_id, "limit": limit, "cursor": cursor}
        return await self._get("/api/executions", query)

    async def cancel(self, execution_id: str) -> Document:
        return await self._post(_execution(execution_id, "cancel"))

    async def pause(self, execution_id: str) -> Document:
        return await self._post(_execution(execution_id, "pause"))

    async def resume(self, execution_id: str) -> Document:
        return await self._post(_execution(execution_id, "resume"))

    async def signal(
        self, execution_id: str, name: str, value: Any = None, *, idempotency_key: str | None = None
    ) -> Document:
        """Give a waiting stage the signal it needs; `value` is any JSON value."""
        return await self._post(_execution(execution_id, "signals", name), value, idempotency_key)

    async def retry(self, execution_id: str, *, idempotency_key: str | None = None) -> Document:
        """A new execution in place of a failed or cancelled one; completed stages are kept."""
        return await self._post(_execution(execution_id, "retry"), None, idempotency_key)

    async def packets(self, execution_id: str) -> Document:
        return await self._get(_execution(execution_id, "packets"))

    async def explain(self, execution_id: str) -> Document:
        return await self._get(_execution(execution_id, "explain"))

    async def queue(self) -> Document:
        return await self._get("/api/queue")

    async def workers(self) -> Document:
        return await self._get("/api/workers")

    async def templates(self) -> Document:
        return await self._get("/api/templates")

    async def template(self, name: str, version: int | None = None) -> Document:
        return await self._get(_path("templates", name), {"version": version})

    async def publish_template(
        self, source: bytes, *, media_type: str = "application/yaml", idempotency_key: str | None = None
    ) -> Document:
        """Publish a master template as it is written, in YAML or (with its media type) JSON."""
        return await self._call("POST", "/api/templates", None, source, media_type, idempotency_key)

    async def upload_artifact(self, source: Path | bytes, content_type: str = "application/octet-stream") -> Document:
        """Have bytes, or a file's content, kept; returns the reference. The same bytes again are the same artifact."""
        return await self._attempts(repeatable=True)(self._upload, source, content_type)

    async def download_artifact(self, sha256: str, to: Path) -> Path:
        """Fetch an artifact into the file `to`, in place of what was there; its hash is checked."""
        await self._attempts(repeatable=True)(self._download, sha256, to)
        return to

    async def events(self, execution_id: str, last_event_id: str | None = None) -> AsyncGenerator[Event, None]:
        """What happens to an execution, up to and with its `end` event; a stream that breaks is resumed.

        Raises `StreamUnavailable` where the server has no stream or several in a row brought nothing.
        """
        barren = 0
        while True:
            parser = EventParser()
            fault: Unreachable | ApiError | None = None
            try:
                async with aclosing(self._stream(execution_id, last_event_id, parser)) as stream:
                    async for event in stream:
                        barren = 0
                        last_event_id = event.id if event.id is not None else last_event_id
                        yield event
                        if event.name == "end":
                            return
            except (Unreachable, ApiError) as error:
                if not may_pass(error):
                    raise
                fault = error
            barren += 1
            if barren == _BARREN_STREAMS:
                raise fault or StreamUnavailable("the event stream ends again and again without an event")
            wait_s = asked_wait(fault) or parser.reconnect_s or 2.0 ** (barren - 1)
            await self._clock.sleep(min(wait_s, LONGEST_WAIT_S))

    async def polled(self, execution_id: str) -> AsyncGenerator[Document, None]:
        """The execution's document each time it changed, up to and with the terminal one."""
        seen: Document | None = None
        while True:
            document = await self.execution(execution_id)
            if document != seen:
                yield document
            if document.get("status") in TERMINAL_STATUSES:
                return
            seen = document
            await self._clock.sleep(_POLL_INTERVAL_S)

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            raise RuntimeError("BatonClient is used inside `async with`")
        return self._opened

    async def _get(self, path: str, query: Mapping[str, str | int | None] | None = None) -> Document:
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return await self._call("GET", path, given)

    async def _post(self, path: str, body: Any = None, idempotency_key: str | None = None) -> Document:
        return await self._call("POST", path, None, orjson.dumps(body), "application/json", idempotency_key)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> Document:
        given = {"Content-Type": media_type, "Idempotency-Key": idempotency_key}
        headers = {name: value for name, value in given.items() if value is not None}
        attempts = self._attempts(repeatable=method == "GET" or idempotency_key is not None)
        return await attempts(self._once, method, path, query, body, headers)

    def _attempts(self, *, repeatable: bool) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(_ATTEMPTS if repeatable else 1),
            wait=_wait,
            sleep=self._clock.sleep,
            reraise=True,
        )

    async def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, headers: Mapping[str, str]
    ) -> Document:
        try:
            # A redirect is not followed: the key is for this server, and a POST would come out as a GET.
            async with self._session.request(
                method, self.url + path, params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error, writes=method != "GET") from error
        return self._document(response, content)

    async def _upload(self, source: Path | bytes, content_type: str) -> Document:
        try:
            async with Outgoing(source) as outgoing:
                headers = {"Content-Type": content_type, "Content-Length": str(outgoing.size)}
                async with self._session.post(
                    self.url + _path("artifacts"),
                    data=outgoing.pieces(),
                    headers=headers,
                    timeout=_TRANSFER_TIMEOUT,
                    allow_redirects=False,
                ) as response:
                    content = await response.read()
            reference = self._document(response, content)
            outgoing.check(reference.get("sha256", ""))
        except (aiohttp.ClientError, TimeoutError, WrongHash) as error:
            raise self._unreachable(error, writes=True) from error
        return reference

    async def _download(self, sha256: str, to: Path) -> None:
        url = self.url + _path("artifacts", sha256)
        try:
            async with self._session.get(url, timeout=_TRANSFER_TIMEOUT, allow_redirects=False) as response:
                if response.status != 200:
                    raise refusal(response.status, response.reason or "", response.headers, await response.read())
                await receive(response, sha256, to)
        except (aiohttp.ClientError, TimeoutError, WrongHash) as error:
            raise self._unreachable(error, writes=False) from error

    def _document(self, response: aiohttp.ClientResponse, content: bytes) -> Document:
        if not 200 <= response.status < 300:
            raise refusal(response.status, response.reason or "", response.headers, content)
        try:
            document = orjson.loads(content or b"{}")
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise Unreachable(self.url, "what answers there is not a Baton server")
        return document

    def _unreachable(self, error: aiohttp.ClientError | TimeoutError | WrongHash, *, writes: bool) -> Unreachable:
        unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        return Unreachable(self.url, reason_of(error), maybe_done=writes and not unsent)

    async def _stream(
        self, execution_id: str, last_event_id: str | None, parser: EventParser
    ) -> AsyncGenerator[Event, None]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        url = self.url + _execution(execution_id, "events")
        try:
            async with self._session.get(
                url, headers=headers, timeout=_STREAM_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status in _NO_STREAM_HERE:
                    raise StreamUnavailable(f"the server has no event stream ({response.status})")
                if response.status != 200:
                    raise refusal(response.status, response.reason or "", response.headers, await response.read())
                if response.content_type != "text/event-stream":
                    raise StreamUnavailable(f"the event stream comes as {response.content_type}")
                async for chunk in response.content.iter_any():
                    for event in parser.feed(chunk):
                        yield event
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error, writes=False) from error
        except ValueError as error:
            raise StreamUnavailable("the event stream carries data that is not JSON") from error


def _path(*segments: str) -> str:
    return "/".join(("/api", *(quote(segment, safe="") for segment in segments)))


def _execution(execution_id: str, *rest: str) -> str:
    return _path("executions", execution_id, *rest)


def _wait(state: RetryCallState) -> float:
    asked = asked_wait(state.outcome.exception() if state.outcome else None)
    return asked if asked is not None else _BACKOFF(state)
