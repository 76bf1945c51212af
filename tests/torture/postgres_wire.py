"""Reads along on a connection to PostgreSQL, to know the moment in which the reply to a commit goes by.

The messages of the protocol 3.0: a type of one byte, then a length of four that counts itself; the client's first
message has no type. Only what tells writes from reads is looked at.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

_WRITES: Final = re.compile(rb"\b(INSERT INTO|UPDATE|DELETE FROM)\b")
_FLUSH: Final = b"INSERT INTO idempotency_keys"
_LENGTH: Final = struct.Struct("!I")


class _Messages:
    """Bytes as they come, messages as they are whole."""

    def __init__(self, *, typed: bool) -> None:
        self._buffer = bytearray()
        self._typed = typed

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Type and body of every message that is complete now."""
        self._buffer += data
        while True:
            head = 5 if self._typed else 4
            if len(self._buffer) < head:
                return
            (length,) = _LENGTH.unpack_from(self._buffer, head - 4)
            end = head - 4 + length
            if len(self._buffer) < end:
                return
            kind, body = bytes(self._buffer[: head - 4]), bytes(self._buffer[head:end])
            del self._buffer[:end]
            self._typed = True
            yield kind, body


class Conversation:
    """One connection: which of its replies tell that something was committed."""

    def __init__(self) -> None:
        self._asked = _Messages(typed=False)
        self._told = _Messages(typed=True)
        self._statements: dict[bytes, bytes] = {}
        self._current = b""
        self._written: str | None = None

    def asked(self, data: bytes) -> None:
        """Bytes of the client."""
        for kind, body in self._asked.feed(data):
            if kind == b"P":
                name, query, *_ = body.split(b"\0", 2)
                self._statements[name] = query
            elif kind == b"B":
                name = body.split(b"\0", 2)[1]
                self._current = self._statements.get(name, b"")
            elif kind == b"Q":
                self._current = body.rstrip(b"\0")

    def told(self, data: bytes) -> list[str]:
        """Bytes of the server; returns `flush` or `other` for each commit that they tell of.

        What was written is committed when the server is ready again outside of a transaction. (That a statement is
        through may be told by `C`, or by `s` where only some of its rows were asked for.)
        """
        commits = []
        for kind, body in self._told.feed(data):
            if kind in (b"C", b"s") and _WRITES.search(self._current):
                self._written = "flush" if _FLUSH in self._current else self._written or "other"
            elif kind == b"E" or (kind == b"C" and body.startswith(b"ROLLBACK")):
                self._written = None
            elif kind == b"Z" and body == b"I" and self._written is not None:
                commits.append(self._written)
                self._written = None
        return commits
