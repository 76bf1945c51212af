"""A front knows which two replicas a connection is between, and hands it to the link of these two and no other."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestrator.system import SystemClock
from tests.torture.front import Front, Names
from tests.torture.link import Address, Link

SOON = 30.0


class Replicas:
    """Two replicas that say which of them was reached, and by which request."""

    def __init__(self) -> None:
        self.fronts: dict[str, Front] = {}
        self.links: dict[str, Link] = {}
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        names: Names = {}
        for dialled, dialling in (("one", "two"), ("two", "one")):
            server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
            self.links[dialling] = Link(f"{dialling}-to-{dialled}", [Address(port)], SystemClock())
            self.fronts[dialled] = Front(dialled, {dialling: self.links[dialling]}, names)
            await self.fronts[dialled].open()

    async def close(self) -> None:
        for front in self.fronts.values():
            await front.close()
        for server in self._servers:
            server.close()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"got " + head.splitlines()[0] + b"\n")
        await reader.read()
        writer.close()

    async def dial(self, dialled: str, dialling: str) -> bytes:
        """What comes back; nothing if the connection was broken off."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.fronts[dialled].port)
        writer.write(f"GET /api/replicas/id-{dialled}/link HTTP/1.1\r\nX-Worker-ID: id-{dialling}\r\n\r\n".encode())
        try:
            return (await asyncio.wait_for(reader.readline(), SOON)).strip()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    replicas = Replicas()
    await replicas.open()
    yield replicas
    await replicas.close()


async def test_one_that_nobody_has_dialled_yet_has_to_dial_again(replicas: Replicas) -> None:
    assert await replicas.dial("one", "two") == b""
    assert await replicas.dial("two", "one") == b"got GET /api/replicas/id-two/link HTTP/1.1"
    assert await replicas.dial("one", "two") == b"got GET /api/replicas/id-one/link HTTP/1.1"


async def test_what_is_done_to_the_link_of_two_replicas_is_done_to_one_direction_alone(replicas: Replicas) -> None:
    await replicas.dial("one", "two")
    await replicas.dial("two", "one")
    replicas.links["two"].is_refusing = True

    assert await replicas.dial("one", "two") == b""
    assert await replicas.dial("two", "one") == b"got GET /api/replicas/id-two/link HTTP/1.1"
