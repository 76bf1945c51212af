"""What a client does on purpose, again and again until it has come about: the storm's faults of the lane of clients."""

import asyncio
from collections.abc import Container
from contextlib import AsyncExitStack, suppress
from typing import Final

import aiohttp

from tests.torture.boasting import FRAME_REFUSED, REPORT_REFUSED
from tests.torture.client import FINAL, TortureClient
from tests.torture.happenings import About, Happenings
from tests.torture.link import Link
from tests.torture.workload import BOAST, BRAG, BULK, POISON, SIGNAL, SLOW, Order, drawn

_TRIES: Final = 60
_LOOK_S: Final = 0.1
_LONG_MS: Final = 6000
MOST_STREAMS: Final = 64
"""As many as one client may have open at one replica."""
TOO_MANY: Final = 429


async def poison(client: TortureClient) -> None:
    """Ask for what kills every worker that takes it."""
    await client.insist(Order(POISON, 1, 0), client.fresh_key(), _TRIES)


async def cancel_running(client: TortureClient) -> None:
    """Ask for something slow and cancel it while a worker is at it; again, until that is acknowledged."""
    while True:
        execution_id = await client.insist(Order(SLOW, 1, _LONG_MS), client.fresh_key(), _TRIES)
        if execution_id is None:
            continue
        while client.known[execution_id].status not in FINAL:
            document = await client.read(execution_id)
            if any(stage["status"] == "running" for stage in document.get("stages", ())):
                answer = await client.command("cancel", execution_id)
                if answer.outcome == "ack":
                    return
            await client.clock.sleep(_LOOK_S)


async def race_for_a_key(client: TortureClient) -> None:
    """The same order under the same key to two orchestrators at once."""
    order, key = drawn(client.chance), client.fresh_key()
    first, second = client.chance.sample(client.links, 2)
    await asyncio.gather(client.submit_once(order, key, first), client.submit_once(order, key, second))


async def large_payload(client: TortureClient) -> None:
    """Ask for what does not fit into a row, once, and do not insist."""
    order = Order(BULK, client.chance.randint(0, 10**6), 1)
    await client.submit_once(order, client.fresh_key(), client.chance.choice(client.links))


async def huge_results(client: TortureClient, happenings: Happenings) -> None:
    """Return when a worker was refused a frame and a report for their size, and another one has answered with more."""

    def boasted(form: str, refused: Container[int | None]) -> "asyncio.Task[About]":
        """The first such answer."""

        def fits(about: About) -> bool:
            return about["form"] == form and about["answer"] in refused

        return asyncio.create_task(happenings.nth("boasted", 1, fits))

    awaited = [boasted("frame", FRAME_REFUSED), boasted("report", REPORT_REFUSED), boasted("answer", (None,))]
    try:
        for template in (BOAST, BRAG):
            await client.insist(Order(template, 1, 1), client.fresh_key(), _TRIES)
        await asyncio.gather(*awaited)
    finally:
        for task in awaited:
            task.cancel()


async def crowd_of_streams(client: TortureClient, neighbour: TortureClient) -> None:
    """Open streams at one replica until there are too many of them; the neighbour's are opened all the same."""
    crowded = await client.insist(Order(SIGNAL, 1, 1), client.fresh_key(), _TRIES)
    others = await neighbour.insist(Order(SIGNAL, 1, 1), neighbour.fresh_key(), _TRIES)
    if crowded is None or others is None:
        raise TimeoutError
    while True:
        link = client.chance.choice(client.links)
        with suppress(aiohttp.ClientError, OSError):
            async with AsyncExitStack() as stack:
                streams = [await _opened(stack, client, crowded, link) for _ in range(MOST_STREAMS + 1)]
                beside = await _opened(stack, neighbour, others, link)
                turned_away = sum(stream.status == TOO_MANY for stream in streams)
                if not turned_away and all(_is_open(stream) for stream in streams):
                    client.violations.append(f"{client.name} opened {len(streams)} streams through {link.name}")
                if turned_away and beside.status == 200:
                    await client.note("crowd", link=link.name, turned_away=turned_away)
                    return
        await client.clock.sleep(_LOOK_S)


async def _opened(
    stack: AsyncExitStack, client: TortureClient, execution_id: str, link: Link
) -> aiohttp.ClientResponse:
    url = f"http://127.0.0.1:{link.port}/api/executions/{execution_id}/events"
    return await stack.enter_async_context(client.session.get(url))


def _is_open(stream: aiohttp.ClientResponse) -> bool:
    """Whether the storm has spared it. (What came of it is not read: it may have ended without being at its end.)"""
    return stream.status == 200 and not stream.content.is_eof() and stream.content.exception() is None
