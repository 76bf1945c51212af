"""Heartbeats from a thread of their own, so that a handler which blocks the event loop cannot silence the worker.

A heartbeat claims no more than is true: it lists the attempts whose handlers really run, or whose results are on
their way.
"""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence

import structlog
from pydantic import BaseModel, ValidationError

from protocol.codec import dumps, loads
from protocol.errors import ProtocolError
from protocol.packets import Directive, Heartbeat

log = structlog.get_logger()

SILENT_BEATS = 2
"""So many heartbeats in a row without an answer are silence: three of them make a lease."""
_LONGEST_REQUEST_S = 10.0
_SHORTEST_INTERVAL_S = 0.001
_JOIN_S = 2.0


class _Answer(BaseModel):
    directives: tuple[Directive, ...] = ()


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would take the secret along to wherever it points."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class HeartbeatThread:
    """Posts `state()` every interval. `on_directives`, `on_unknown` and `on_silence` are called in this thread."""

    def __init__(
        self,
        url: Callable[[], str],
        headers: Mapping[str, str],
        *,
        state: Callable[[], Heartbeat],
        on_directives: Callable[[Sequence[Directive]], None],
        on_unknown: Callable[[], None],
        on_silence: Callable[[], None],
    ) -> None:
        self._url = url
        self._headers = {**headers, "Content-Type": "application/json"}
        self._state = state
        self._on_directives = on_directives
        self._on_unknown = on_unknown
        self._on_silence = on_silence
        self._interval_s = 0.0
        self._now = threading.Event()
        self._is_stopped = False
        self._unheard = 0
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        # No proxy from the environment: the link does not use one either.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere())

    def follow(self, interval_ms: int) -> None:
        """Beats at this interval from now on; starts the thread the first time."""
        interval_s = max(_SHORTEST_INTERVAL_S, interval_ms / 1000)
        is_new = interval_s != self._interval_s
        self._interval_s = interval_s
        if self._thread.ident is None:
            self._thread.start()
        elif is_new:
            self._now.set()

    def beat_now(self) -> None:
        """Does not wait for the interval: there is news."""
        self._now.set()

    def stop(self) -> None:
        """Returns when the thread has ended, or is stuck in a request and will end without anyone noticing."""
        self._is_stopped = True
        self._now.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while True:
            self._now.wait(self._interval_s)
            self._now.clear()
            if self._is_stopped:
                return
            self._beat()

    def _beat(self) -> None:
        request = urllib.request.Request(self._url(), dumps(self._state().document()), self._headers, method="POST")
        timeout_s = min(_LONGEST_REQUEST_S, max(1.0, self._interval_s))
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                answer = _Answer.model_validate(loads(response.read()))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.client.NOT_FOUND and not self._is_stopped:
                self._on_unknown()
            self._note_silence(f"answered with {error.code}")
        except (OSError, http.client.HTTPException, ProtocolError, ValidationError) as error:
            self._note_silence(f"{type(error).__name__}: {error}")
        else:
            self._unheard = 0
            if answer.directives and not self._is_stopped:
                self._on_directives(answer.directives)

    def _note_silence(self, reason: str) -> None:
        """One line when it begins; the link has its own lines for the rest."""
        self._unheard += 1
        if self._unheard == 1:
            log.warning("heartbeat.unheard", reason=reason)
        if self._unheard >= SILENT_BEATS and not self._is_stopped:
            self._unheard = 0
            self._on_silence()
