"""What reads along on the links: commits, answers to submissions, and where a worker is told to dial."""

from collections.abc import Callable, Iterable

from tests.torture.link import Cutter
from tests.torture.postgres_wire import Conversation

_ACCEPTED = b"HTTP/1.1 202"


class DatabaseTap:
    """On the way to PostgreSQL: tells of every commit's reply, or cuts it off."""

    def __init__(self, cutter: Cutter, on_commit: Callable[[], None]) -> None:
        self._conversation = Conversation()
        self._cutter = cutter
        self._on_commit = on_commit

    def asked(self, data: bytes) -> bytes:
        self._conversation.asked(data)
        return data

    def told(self, data: bytes) -> bytes:
        for commit in self._conversation.told(data):
            self._cutter.cut_at(commit)
            self._on_commit()
        return data


class ClientTap:
    """Between clients and an orchestrator: may cut an answer off after which a submission is durable."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter

    def asked(self, data: bytes) -> bytes:
        return data

    def told(self, data: bytes) -> bytes:
        if data.startswith(_ACCEPTED):
            self._cutter.cut_at("answer")
        return data


class WorkerTap:
    """Between a worker and the orchestrators: the addresses that it is told to turn to become the link's own.

    All are of the same length, for all ports here have five digits.
    """

    def __init__(self, replicas: Iterable[int], own: int) -> None:
        self._replicas = tuple(f"//127.0.0.1:{port}".encode() for port in replicas)
        self._own = f"//127.0.0.1:{own}".encode()

    def asked(self, data: bytes) -> bytes:
        return data

    def told(self, data: bytes) -> bytes:
        for replica in self._replicas:
            data = data.replace(replica, self._own)
        return data
