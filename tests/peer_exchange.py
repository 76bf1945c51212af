"""Connections between replicas in the test's own loop, which a test can cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.dispatch.peer_link import Dial, PeerSocket
from orchestrator.dispatch.replica import Replica


class Pipe:
    """One end of a connection."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.other: Pipe | None = None
        self.is_cut = False

    async def send(self, frame: bytes) -> None:
        if self.is_cut or self.other is None:
            raise ConnectionResetError("the connection was cut")
        self.other._incoming.put_nowait(frame)

    async def frames(self) -> AsyncIterator[bytes]:
        while not self.is_cut and (frame := await self._incoming.get()) is not None:
            yield frame

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        for end in (self, self.other):
            if end is not None:
                end.is_cut = True
                end._incoming.put_nowait(None)


class Exchange:
    """The network between replicas. A replica that is not in it is not reached."""

    def __init__(self) -> None:
        self._replicas: dict[str, Replica] = {}
        self._pipes: dict[str, set[Pipe]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def add(self, replica: Replica) -> None:
        self._replicas[replica.replica_id] = replica

    def remove(self, replica_id: str) -> None:
        """The replica is gone, and its connections with it."""
        self._replicas.pop(replica_id, None)
        for pipe in list(self._pipes.pop(replica_id, ())):
            pipe.cut()

    def dialler(self, home: str) -> Dial:
        return lambda url, owner: self._dial(home, owner)

    @asynccontextmanager
    async def _dial(self, home: str, owner: str) -> AsyncIterator[PeerSocket]:
        """`home` dials `owner`."""
        replica = self._replicas.get(owner)
        if replica is None or home not in self._replicas:
            raise ConnectionRefusedError(owner)
        near, far = Pipe(), Pipe()
        near.other, far.other = far, near
        for name in (home, owner):
            self._pipes.setdefault(name, set()).add(near)
        serving = asyncio.create_task(replica.guests.serve(home, far))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        try:
            yield near
        finally:
            near.cut()
            for name in (home, owner):
                self._pipes.get(name, set()).discard(near)
