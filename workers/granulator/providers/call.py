"""One question to a model over HTTP, answered as a stream; what may pass by itself is tried again.

Every wait is bounded, a cancel closes the connection at once, and no more is read than a structure can have.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from protocol.codec import dumps
from protocol.errors import ProtocolError
from workers.granulator.providers.answer import LONGEST_ANSWER_CHARACTERS
from workers.granulator.providers.dialect import Dialect, Draft, Question, StreamError
from workers.granulator.providers.endpoint import Endpoint
from workers.granulator.providers.events import EventReader, MalformedStream
from workers.granulator.providers.failure import ProviderError, ProviderFault
from workers.granulator.providers.patience import Patience
from workers.granulator.providers.refusal import error_document, refusal, refusal_in_stream, unavailable
from workers.kit.seams import Seams

LONGEST_STREAM_BYTES: Final = 128 * 1024 * 1024
"""A stream wraps each few characters of the answer into an event of some hundred bytes."""
LONGEST_ERROR_BYTES: Final = 64 * 1024
LONGEST_TYPE_CHARACTERS: Final = 60

Follow = Callable[[int], None]
"""Takes how many characters of the answer have come."""


class Caller:
    """Asks one endpoint in its dialect. `drafts` are all the answers that were begun, the broken ones too."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        dialect: Dialect,
        endpoint: Endpoint,
        patience: Patience,
        seams: Seams,
        waiting: Callable[[str], None],
    ) -> None:
        self._session = session
        self._dialect = dialect
        self._endpoint = endpoint
        self._patience = patience
        self._seams = seams
        self._waiting = waiting
        self.drafts: list[Draft] = []

    async def ask(self, question: Question, follow: Follow) -> Draft:
        """The whole answer; raises ProviderError."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._may_pass),
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait_s,
            before_sleep=self._tell,
            sleep=self._seams.clock.sleep,
            reraise=True,
        )
        return await retrying(self._once, question, follow)

    async def _once(self, question: Question, follow: Follow) -> Draft:
        draft = Draft()
        self.drafts.append(draft)
        async with self._posted(question) as response:
            if response.status != 200:
                document = error_document(await _beginning(response))
                raise refusal(self._endpoint, response.status, document, response.headers)
            if response.content_type != "text/event-stream":
                kind = self._endpoint.redacted(response.content_type)[:LONGEST_TYPE_CHARACTERS]
                raise self._malformed(f"the answer comes as {kind}, not as an event stream")
            await self._read(response, draft, follow)
        if draft.ending is None:
            raise unavailable(self._endpoint, "broke off in the middle of its answer")
        return draft

    @asynccontextmanager
    async def _posted(self, question: Question) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, its connection closed at the end; what goes wrong with it is a ProviderError."""
        endpoint, dialect = self._endpoint, self._dialect
        headers = {
            **dialect.headers(endpoint.key),
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        try:
            # A redirect is not followed: the key is for this server alone.
            async with self._session.post(
                dialect.url(endpoint.base),
                data=dumps(dialect.body(endpoint, question)),
                headers=headers,
                allow_redirects=False,
            ) as response:
                yield response
        except aiohttp.ConnectionTimeoutError:
            raise unavailable(endpoint, f"at {endpoint.base.host} takes no connection") from None
        except aiohttp.SocketTimeoutError:
            raise self._late(f"was silent for {self._patience.idle_s:g} s") from None
        except TimeoutError:
            raise self._late(f"had not finished after {self._patience.total_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise unavailable(endpoint, f"at {endpoint.base.host} cannot be reached ({_cause(error)})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise unavailable(endpoint, f"broke the connection ({type(error).__name__})") from None

    async def _read(self, response: aiohttp.ClientResponse, draft: Draft, follow: Follow) -> None:
        reader, received = EventReader(), 0
        try:
            async for chunk in response.content.iter_any():
                received += len(chunk)
                for event in reader.feed(chunk):
                    self._dialect.take(draft, event)
                if draft.characters > LONGEST_ANSWER_CHARACTERS or received > LONGEST_STREAM_BYTES:
                    raise self._endless()
                follow(draft.characters)
                if draft.finished:
                    return
        except StreamError as error:
            raise refusal_in_stream(self._endpoint, error.document) from None
        except MalformedStream as error:
            raise self._malformed(str(error)) from None
        except (ProtocolError, ValidationError):
            raise self._malformed("an event of the stream is not of the format") from None

    def _may_pass(self, error: BaseException) -> bool:
        """Whether the same call may fare better after a wait that somebody would sit through."""
        match error:
            case ProviderError(code=ProviderFault.RATE_LIMITED | ProviderFault.UNAVAILABLE, retry_after_s=asked):
                return (asked or 0.0) <= self._patience.longest_wait_s
            case _:
                return False

    def _wait_s(self, state: RetryCallState) -> float:
        return max(
            self._patience.backoff.delay_s(state.attempt_number, self._seams.chance), _failure(state).retry_after_s or 0
        )

    def _tell(self, state: RetryCallState) -> None:
        pause_s = state.next_action.sleep if state.next_action else 0
        self._waiting(f"{_failure(state).reason}; asking again in {pause_s:.0f} s")

    def _late(self, what: str) -> ProviderError:
        reason = f"{self._endpoint.name} {what}: ask for less, choose a quicker model, or name another provider"
        return ProviderError(ProviderFault.TIMEOUT, reason)

    def _malformed(self, what: str) -> ProviderError:
        endpoint = self._endpoint
        reason = f"{endpoint.name} does not speak its format ({what}): check {endpoint.vendor.base_variable}"
        return ProviderError(ProviderFault.MALFORMED, reason)

    def _endless(self) -> ProviderError:
        reason = (
            f"{self._endpoint.name} answers more than {LONGEST_ANSWER_CHARACTERS} characters, which no structure has: "
            f"choose another model or provider"
        )
        return ProviderError(ProviderFault.UNUSABLE_ANSWER, reason)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """As much of an error's body as anybody will look at."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_ERROR_BYTES:
            break
    return bytes(body[:LONGEST_ERROR_BYTES])


def _failure(state: RetryCallState) -> ProviderError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ProviderError), "nothing else is tried again"
    return error


def _cause(error: aiohttp.ClientConnectorError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if number > 0:
            return os.strerror(number).lower()
        case _:
            return (error.os_error.strerror or type(error.os_error).__name__).lower()
