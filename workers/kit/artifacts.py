"""Artifacts between a worker and the orchestrator: streamed, hashed on the way, and tried again when the line breaks.

What arrives is whole: a download has its hash under its final name, or there is no file of that name.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import wait
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, ParamSpec, Self, TypeVar

import aiohttp
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from yarl import URL

from protocol.codec import loads
from protocol.errors import ProtocolError
from protocol.packets import Artifact, AttemptKey
from workers.kit.answers import ActionError, describe
from workers.kit.orchestrators import Orchestrators
from workers.kit.seams import Seams
from workers.kit.timing import Timing

PIECE_BYTES: Final = 256 * 1024
_LOOK_AGAIN_S: Final = 0.25
_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})
_CODES: Final = {404: "artifact_not_found", 409: "stale_fence", 413: "artifact_too_large"}

P = ParamSpec("P")
T = TypeVar("T")


class _Broken(Exception):
    """A transfer that another try may bring to its end."""


_MAY_PASS: Final = (_Broken, aiohttp.ClientError, TimeoutError, ConnectionError)


class Transfers:
    """Uploads and downloads of one worker, on the event loop that enters it.

    Whatever is final about a failed transfer is raised as an `ActionError`, so that a handler need not catch it: what
    the orchestrator refuses, and what did not succeed after many tries, which is retryable.
    """

    def __init__(self, orchestrators: Orchestrators, headers: Mapping[str, str], seams: Seams, timing: Timing) -> None:
        self._orchestrators = orchestrators
        self._headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        self._seams = seams
        self._timing = timing
        self._session: aiohttp.ClientSession
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        # No limit on the whole: a transfer takes as long as it takes, as long as something moves.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timing.request_s)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, read_bufsize=PIECE_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def upload(self, key: AttemptKey, source: Path | bytes, content_type: str) -> Artifact:
        """The reference to the bytes, or to the file's content, once they are durable at the orchestrator."""
        path = f"api/executions/{key.execution_id}/stages/{key.stage_id}/artifacts"
        return await self._tried("upload", self._upload_once, f"{path}?fence={key.fence}", source, content_type)

    async def download(self, execution_id: str, digest: str, to: Path) -> Path:
        """`to`, once the artifact's whole content is there; a file that was there before is replaced."""
        path = f"api/executions/{execution_id}/artifacts/{digest}"
        await self._tried("download", self._download_once, path, digest, to)
        return to

    def wait_for(self, transfer: Coroutine[Any, Any, T], cancelled: threading.Event) -> T:
        """The outcome of a transfer, for a thread that blocks until it is there or the attempt is told to stop."""
        try:
            is_on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_on_loop = False
        if is_on_loop:
            transfer.close()
            raise RuntimeError("an async action awaits context.upload or context.download: to block would stop both")
        future = asyncio.run_coroutine_threadsafe(transfer, self._loop)
        while not wait([future], timeout=_LOOK_AGAIN_S).done:
            if cancelled.is_set():
                future.cancel()
                raise ActionError("cancelled", "the attempt was told to stop in the middle of a transfer")
        return future.result()

    async def _tried(
        self, verb: str, once: Callable[P, Coroutine[Any, Any, T]], *given: P.args, **named: P.kwargs
    ) -> T:
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(_MAY_PASS),
            stop=stop_after_attempt(self._timing.transfer_tries),
            wait=self._wait,
            sleep=self._seams.clock.sleep,
            reraise=True,
        )
        try:
            return await attempts(once, *given, **named)
        except _MAY_PASS as error:
            message = f"the {verb} did not succeed in {self._timing.transfer_tries} tries: {describe(error)}"
            raise ActionError("artifact_unavailable", message, retryable=True) from error

    def _wait(self, state: RetryCallState) -> float:
        return self._timing.transfer.delay_s(state.attempt_number, self._seams.chance)

    def _url(self, path: str) -> URL:
        """At the replica that this worker turns to now: another one, perhaps, than at the try before."""
        return URL(f"{str(self._orchestrators.current).rstrip('/')}/{path}")

    async def _upload_once(self, path: str, source: Path | bytes, content_type: str) -> Artifact:
        with await asyncio.to_thread(_opened, source) as file:
            size = await asyncio.to_thread(_size, file)
            digest = sha256()
            async with asyncio.timeout(self._timing.transfer_idle_s) as bound:
                async with self._session.put(
                    self._url(path),
                    data=self._pieces(file, digest.update, bound),
                    headers={"Content-Type": content_type, "Content-Length": str(size)},
                    allow_redirects=False,
                ) as response:
                    answer = await response.read()
        if response.status != 201:
            raise _refusal(response.status, answer)
        try:
            artifact = Artifact.model_validate(loads(answer))
        except (ProtocolError, ValidationError) as error:
            raise _Broken(f"the answer cannot be understood: {error}") from None
        if artifact.sha256 != digest.hexdigest():
            raise _Broken("what arrived is not what was sent")
        return artifact

    async def _pieces(
        self, file: BinaryIO, seen: Callable[[bytes], None], bound: asyncio.Timeout
    ) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            seen(piece)
            yield piece
            # Asked for more: the piece is on its way, and the time for the next one begins.
            bound.reschedule(self._loop.time() + self._timing.transfer_idle_s)

    async def _download_once(self, path: str, digest: str, to: Path) -> None:
        partial = to.with_name(f"{to.name}.{self._seams.fresh_id()}.partial")
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timing.request_s, sock_read=self._timing.transfer_idle_s
        )
        arrived = sha256()
        try:
            async with self._session.get(self._url(path), timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise _refusal(response.status, await response.read())
                with await asyncio.to_thread(open, partial, "xb") as file:
                    async for piece in response.content.iter_any():
                        arrived.update(piece)
                        await asyncio.to_thread(file.write, piece)
            if arrived.hexdigest() != digest:
                raise _Broken("what arrived does not have the hash that was asked for")
            await asyncio.to_thread(partial.replace, to)
        finally:
            partial.unlink(missing_ok=True)


def _opened(source: Path | bytes) -> BinaryIO:
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _refusal(status: int, body: bytes) -> Exception:
    """What an answer outside of the wanted one stands for."""
    try:
        message = str(loads(body)["error"]["message"])
    except (ProtocolError, KeyError, TypeError):
        message = "no further explanation"
    text = f"the orchestrator answered {status}: {message}"
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        return _Broken(text)
    return ActionError(_CODES.get(status, "artifact_refused"), text)
