"""Server-sent events: bytes of a stream in, events out, however the bytes are cut (WHATWG HTML, section 9.2).

Pure: the parser holds what is unfinished and nothing else.
"""

import codecs
import io
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its name, its JSON value, and the id from which a stream can be resumed."""

    name: str
    data: Any
    id: str | None = None


class EventParser:
    """What has come of one stream so far; `reconnect_s` is the delay that the server asked for, if it did."""

    def __init__(self) -> None:
        utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._lines = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._partial: list[str] = []
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None
        self.reconnect_s: float | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes; raises ValueError for data that is not JSON."""
        *lines, rest = self._lines.decode(chunk).split("\n")
        if lines:
            lines[0] = "".join((*self._partial, lines[0]))
            self._partial.clear()
        self._partial.append(rest)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.reconnect_s = int(value) / 1000
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._name or "message", "\n".join(self._data)
        self._name = ""
        self._data.clear()
        return Event(name, orjson.loads(data), self._id) if data else None
