"""Many connections from one light process: workers that dial in and add one, or watchers of executions.

`python -m tests.bench.programs.crowd workers NAME COUNT`, or `watchers NAME '[[KEY, EXECUTION, COUNT], ...]'`: prints a
line of JSON with `open` once all connections stand. Workers stay until they are killed; watchers leave when each has
seen its execution end, or after two minutes, and the last line says how many have.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
import uvloop

OPENING_AT_ONCE: Final = 50
KEY: Final = ("executionId", "stageId", "fence")
END: Final = b"event: end\n"
LONGEST_SECONDS: Final = 120


class CrowdWorker:
    """One worker of one slot: accepts each offer, adds one, and sends heartbeats."""

    def __init__(self, session: aiohttp.ClientSession, url: str, worker_id: str, secret: str) -> None:
        self._session = session
        self._url = url
        self._worker_id = worker_id
        self._headers = {"Authorization": f"Bearer {secret}", "X-Worker-ID": worker_id}
        self._inputs: dict[int, int] = {}

    async def join(self) -> "asyncio.Task[None]":
        """Register and dial; the task is the link's life."""
        registration = {"workerId": self._worker_id, "capabilities": ["increment"], "instanceId": self._worker_id}
        async with self._session.post(
            f"{self._url}/api/workers", json=registration, headers=self._headers, raise_for_status=True
        ) as response:
            registered = await response.json()
        socket = await self._session.ws_connect(registered["websocketUrl"], headers=self._headers)
        return asyncio.create_task(self._live(socket, registered["heartbeatIntervalMs"] / 1000))

    async def _live(self, socket: aiohttp.ClientWebSocketResponse, interval_s: float) -> None:
        beats = asyncio.create_task(self._beat(socket, interval_s))
        try:
            async for message in socket:
                answers = [answer for packet in orjson.loads(message.data) for answer in self._answers(packet)]
                if answers:
                    await socket.send_bytes(orjson.dumps(answers))
        finally:
            beats.cancel()

    def _answers(self, packet: dict[str, Any]) -> list[dict[str, Any]]:
        key: dict[str, Any] = {name: packet[name] for name in KEY if name in packet}
        match packet["type"]:
            case "offer":
                self._inputs[packet["fence"]] = packet["inputData"]["value"]
                return [{"type": "accept", **key, "estimatedCompletionMs": 1}]
            case "process":
                value = self._inputs.pop(packet["fence"]) + 1
                return [{"type": "result", **key, "status": "completed", "result": {"value": value}}]
            case _:
                return []

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await socket.send_bytes(orjson.dumps([{"type": "heartbeat"}]))


class Watchers:
    """Event streams over bare sockets: what is read is only looked through for the end."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._headers = f"Host: {address.netloc}\r\nAccept: text/event-stream\r\n"

    async def watch(self, key: str, execution_id: str) -> "asyncio.Task[bool] | None":
        """Open a stream; the task says whether it brought the end. None if the server refused it."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        path = f"/api/executions/{execution_id}/events"
        writer.write(f"GET {path} HTTP/1.1\r\n{self._headers}X-API-Key: {key}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            writer.close()
            return None
        return asyncio.create_task(self._ended(reader, writer))

    async def _ended(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            while line := await reader.readline():
                if line == END:
                    return True
            return False
        finally:
            writer.close()


async def work(name: str, count: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url, secret = os.environ["BATON_URL"], os.environ["WORKER_SECRET"]
        lives: list[asyncio.Task[None]] = []
        for first in range(0, count, OPENING_AT_ONCE):
            numbers = range(first, min(first + OPENING_AT_ONCE, count))
            crowd = [CrowdWorker(session, url, f"{name}-{number}", secret) for number in numbers]
            lives += await asyncio.gather(*(worker.join() for worker in crowd))
        _say(open=len(lives))
        await asyncio.gather(*lives)


async def watch(watched: Sequence[tuple[str, str, int]]) -> None:
    watchers = Watchers(os.environ["BATON_URL"])
    streams: list[asyncio.Task[bool]] = []
    for key, execution_id, count in watched:
        opened = await asyncio.gather(*(watchers.watch(key, execution_id) for _ in range(count)))
        streams += [stream for stream in opened if stream is not None]
    _say(open=len(streams))
    ended, _ = await asyncio.wait(streams, timeout=LONGEST_SECONDS)
    _say(told=sum(stream.result() for stream in ended if stream.exception() is None))


def _say(**fields: int) -> None:
    sys.stdout.write(orjson.dumps(fields).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    kind, crowd_name, wanted = sys.argv[1:]
    uvloop.run(work(crowd_name, int(wanted)) if kind == "workers" else watch(orjson.loads(wanted)))
