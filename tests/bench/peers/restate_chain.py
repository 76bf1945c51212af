"""The chain on Restate: a service's handler with three journalled steps, called through the ingress.

Settings: one server with its defaults (its own log, synced to disk), telemetry off; the endpoint under hypercorn with a
process a core, on uvloop; 128 calls under way, each answered with the result when that is durable.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator,unused-ignore"

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import BinaryIO

import httpx
import restate

from tests.bench.peers.roles import POLL_SECONDS, STAGES, Outcome, Roles, say, take_role

AT_ONCE = 128
PORTS = ("node", "ingress", "admin", "endpoint")

chain = restate.Service("Chain")


@chain.handler()
async def run(context: restate.Context, value: int) -> int:
    for _ in range(STAGES):
        value = await context.run_typed("increment", increment, value=value)
    return value


def increment(value: int) -> int:
    return value + 1


endpoint = restate.app([chain])


async def prepare(place: str) -> None:
    choose_ports(Path(place))


def choose_ports(folder: Path) -> None:
    """Free ports for the server and the endpoint, for all rounds."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = {name: found.getsockname()[1] for name, found in zip(PORTS, sockets, strict=True)}
    for found in sockets:
        found.close()
    (folder / "ports.json").write_text(json.dumps(ports))


def ports_of(place: str) -> dict[str, int]:
    ports: dict[str, int] = json.loads(Path(place, "ports.json").read_text())
    return ports


async def work(place: str) -> None:
    """The server and the endpoint as processes; they end with this one."""
    ports = ports_of(place)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    with processes_log(place) as log:
        server = await asyncio.create_subprocess_exec(
            os.environ["RESTATE_SERVER"], "--no-logo", stdout=log, stderr=log, env=server_environment(place, ports)
        )
        serving = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hypercorn", "--workers", str(os.cpu_count()), "--worker-class", "uvloop",
            "--bind", f"127.0.0.1:{ports['endpoint']}", "tests.bench.peers.restate_chain:endpoint",
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            await register(ports)
            say("ready")
            await stopping.wait()
        finally:
            for process in (server, serving):
                process.terminate()
                await process.wait()


def processes_log(place: str) -> BinaryIO:
    """Where the server and the endpoint say what is wrong."""
    return Path(place, "processes.log").open("ab")


def server_environment(place: str, ports: dict[str, int]) -> dict[str, str]:
    return {
        **os.environ,
        "RESTATE_BASE_DIR": str(Path(place, "restate")),
        "RESTATE_NODE_NAME": "bench",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_ADVERTISED_HOST": "127.0.0.1",
        "RESTATE_BIND_PORT": str(ports["node"]),
        "RESTATE_INGRESS__BIND_PORT": str(ports["ingress"]),
        "RESTATE_ADMIN__BIND_PORT": str(ports["admin"]),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RUST_LOG": "warn",
    }


async def register(ports: dict[str, int]) -> None:
    """Tell the server of the endpoint, once both are there."""
    async with httpx.AsyncClient() as client, asyncio.timeout(60):
        while True:
            try:
                answer = await client.post(
                    f"http://127.0.0.1:{ports['admin']}/deployments",
                    json={"uri": f"http://127.0.0.1:{ports['endpoint']}"},
                )
                if answer.is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(POLL_SECONDS)


async def drive(place: str, executions: int) -> Outcome:
    url = f"http://127.0.0.1:{ports_of(place)['ingress']}/Chain/run"
    remaining = iter(range(executions))
    right = 0

    async def call(client: httpx.AsyncClient) -> None:
        nonlocal right
        for number in remaining:
            answer = await client.post(url, json=number)
            right += answer.is_success and answer.json() == number + STAGES

    # One connection with many streams: the client must not be what is measured.
    async with httpx.AsyncClient(http1=False, http2=True, timeout=60) as client:
        began = time.perf_counter()
        await asyncio.gather(*(call(client) for _ in range(AT_ONCE)))
        return Outcome(time.perf_counter() - began, right)


if __name__ == "__main__":
    take_role(Roles(prepare, work, drive))
