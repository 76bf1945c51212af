"""Server-sent events of a model's stream: bytes in, events out, however the bytes are cut (WHATWG HTML, section 9.2).

Pure and strict: what is not UTF-8, or a line beyond every measure, is refused. Lines end with LF or CRLF.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_LINE_BYTES: Final = 1024 * 1024
_BYTE_ORDER_MARK: Final = "\ufeff"


class MalformedStream(ValueError):
    """The bytes are no event stream; the message says why."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name (`message` where the stream gives none) and its data, still text."""

    name: str
    data: str


class EventReader:
    """What has come of one stream and is not yet a whole event."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that `chunk` completes; raises MalformedStream."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            raise MalformedStream(f"a line has more than {LONGEST_LINE_BYTES} bytes")
        for line in lines:
            if event := self._line(line):
                yield event

    def _line(self, line: bytes) -> ServerEvent | None:
        try:
            text = line.removesuffix(b"\r").decode().removeprefix(_BYTE_ORDER_MARK)
        except UnicodeDecodeError:
            raise MalformedStream("the text is not UTF-8") from None
        if not text:
            return self._dispatch()
        field, _, value = text.partition(":")
        if field == "event":
            self._name = value.removeprefix(" ")
        elif field == "data":
            self._data.append(value.removeprefix(" "))
        return None

    def _dispatch(self) -> ServerEvent | None:
        event = ServerEvent(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return event
