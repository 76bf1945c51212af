"""The HTTP client against a server that answers by the contract, falls silent, or refuses."""

import re
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from io import StringIO

import pytest
from aiohttp import web
from rich.console import Console

from orchestrator.call_faults import ApiError, StreamUnavailable, Unreachable
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watch import watch
from orchestrator.client import BatonClient, Document
from orchestrator.core.seams import Timer
from orchestrator.event_stream import Event
from tests.contract.api_double import API_KEY, ApiDouble, Play, a_stage, an_execution, refusal, serving

RUNNING = an_execution(stages=[a_stage("hello", "running")])
COMPLETED = an_execution("completed", stages=[a_stage("hello", "completed")], result={"text": "hello"})
PROGRESS = {"executionId": "exec_1", "stageId": "hello-1", "progress": 50, "message": None}
PLAY = (("snapshot", RUNNING), ("progress", PROGRESS), ("end", COMPLETED))
HEARD = [Event(name, data, str(number)) for number, (name, data) in enumerate(PLAY, 1)]


class StillClock:
    """Time that stands: every sleep is over at once, and written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    with serving() as double:
        yield double


@pytest.fixture
def gone() -> str:
    """Where a server was."""
    with serving() as double:
        return double.url


def client_of(api: ApiDouble, clock: StillClock) -> BatonClient:
    return BatonClient(api.url, API_KEY, clock=clock)


async def test_a_get_is_repeated_while_the_server_is_away_for_as_long_as_it_asks(
    api: ApiDouble, clock: StillClock
) -> None:
    api.answers["queue"] = {"queue": []}
    api.faults.extend([refusal(503, "away", "not now", Retry_After="2"), refusal(503, "away", "not now")])

    async with client_of(api, clock) as client:
        answer = await client.queue()

    assert (answer, len(api.asked), clock.slept[0], len(clock.slept)) == ({"queue": []}, 3, 2.0, 2)


async def test_what_stays_away_is_told_after_a_bounded_number_of_attempts(api: ApiDouble, clock: StillClock) -> None:
    api.faults.extend(refusal(503, "away", "not now") for _ in range(9))

    async with client_of(api, clock) as client:
        with pytest.raises(ApiError, match="503 away: not now"):
            await client.queue()

    assert len(api.asked) == 4


async def test_a_server_that_asks_for_a_long_silence_is_not_asked_again(api: ApiDouble, clock: StillClock) -> None:
    api.faults.append(refusal(503, "away", "not now", Retry_After="3600"))

    async with client_of(api, clock) as client:
        with pytest.raises(ApiError, match="away"):
            await client.queue()

    assert (len(api.asked), clock.slept) == (1, [])


async def test_a_refusal_is_not_repeated(api: ApiDouble, clock: StillClock) -> None:
    async with client_of(api, clock) as client:
        with pytest.raises(ApiError) as refused:
            await client.execution("exec_7")

    assert (refused.value.status, refused.value.code, len(api.asked)) == (404, "unknown_execution", 1)


async def test_a_post_is_not_repeated_without_an_idempotency_key(api: ApiDouble, clock: StillClock) -> None:
    api.faults.append(refusal(503, "away", "not now"))

    async with client_of(api, clock) as client:
        with pytest.raises(ApiError, match="away"):
            await client.execute("greet_twice")

    assert len(api.asked) == 1


async def test_a_post_with_an_idempotency_key_is_repeated_as_it_was(api: ApiDouble, clock: StillClock) -> None:
    api.plays["greet_twice"] = Play(PLAY)
    api.faults.append(refusal(503, "away", "not now"))

    async with client_of(api, clock) as client:
        accepted = await client.execute("greet_twice", {"name": "Ada"}, priority=75, idempotency_key="k")

    assert accepted["executionId"] == "exec_1"
    assert [(asked.headers["Idempotency-Key"], asked.json) for asked in api.asked] == [
        ("k", {"template": "greet_twice", "input": {"name": "Ada"}, "priority": 75})
    ] * 2


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1]"])
async def test_what_answers_without_being_a_baton_server_counts_as_out_of_reach(
    api: ApiDouble, clock: StillClock, body: bytes
) -> None:
    api.faults.extend([web.Response(body=body) for _ in range(4)])

    async with client_of(api, clock) as client:
        with pytest.raises(Unreachable, match="not a Baton server"):
            await client.queue()


async def test_a_server_that_is_not_there_has_certainly_not_taken_the_request(gone: str, clock: StillClock) -> None:
    async with BatonClient(gone, clock=clock) as client:
        with pytest.raises(Unreachable) as unreachable:
            await client.execute("greet_twice")

    assert (unreachable.value.url, unreachable.value.reason, unreachable.value.maybe_done) == (
        gone,
        "connection refused",
        False,
    )


async def test_a_redirect_is_not_followed_with_the_key(api: ApiDouble, clock: StillClock) -> None:
    api.faults.append(web.Response(status=302, headers={"Location": f"{api.url}/elsewhere"}))

    async with client_of(api, clock) as client:
        with pytest.raises(ApiError, match="http_302"):
            await client.queue()

    assert [asked.path for asked in api.asked] == ["/api/queue"]


async def test_a_name_cannot_reach_into_another_path(api: ApiDouble, clock: StillClock) -> None:
    async with client_of(api, clock) as client:
        with pytest.raises(ApiError, match=re.escape("there is no template ../queue?x")):
            await client.template("../queue?x")


async def test_a_page_of_executions_is_asked_for_by_its_cursor(api: ApiDouble, clock: StillClock) -> None:
    api.answers["executions"] = {"executions": [], "nextCursor": None}

    async with client_of(api, clock) as client:
        await client.executions(status="failed", limit=5, cursor="c")

    assert api.asked[0].query == {"status": "failed", "limit": "5", "cursor": "c"}


async def test_a_signal_carries_its_value_as_the_body(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY), RUNNING)

    async with client_of(api, clock) as client:
        await client.signal("exec_1", "approval", {"approved": True})

    assert (api.asked[0].path, api.asked[0].json) == ("/api/executions/exec_1/signals/approval", {"approved": True})


async def heard(client: BatonClient, execution_id: str) -> list[Event]:
    async with aclosing(client.events(execution_id)) as events:
        return [event async for event in events]


async def test_the_events_of_an_execution_end_with_its_end(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY, held=True), RUNNING)

    async with client_of(api, clock) as client:
        assert await heard(client, "exec_1") == HEARD


async def test_a_stream_that_breaks_is_resumed_after_the_last_event(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY, cuts=(1, 1, 2)), RUNNING)

    async with client_of(api, clock) as client:
        events = await heard(client, "exec_1")

    resumed = [asked.headers.get("Last-Event-ID") for asked in api.asked]
    # The server asked for a millisecond between connections.
    assert (events, resumed, clock.slept) == (HEARD, [None, "1", "1", "2"], [0.001] * 3)


async def test_a_stream_may_break_as_often_as_it_likes_while_it_brings_something(
    api: ApiDouble, clock: StillClock
) -> None:
    events = (("progress", PROGRESS),) * 9 + (("end", COMPLETED),)
    api.begin(Play(events, cuts=tuple(range(1, 10))), RUNNING)

    async with client_of(api, clock) as client:
        assert len(await heard(client, "exec_1")) == 10


async def test_a_stream_is_tried_again_while_the_server_is_away(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY), RUNNING)
    api.faults.extend([refusal(503, "away", "not now"), refusal(503, "away", "not now")])

    async with client_of(api, clock) as client:
        events = await heard(client, "exec_1")

    assert (events, clock.slept) == (HEARD, [1.0, 2.0])


async def test_a_stream_that_brings_nothing_time_after_time_is_given_up(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY, cuts=(0,) * 9), RUNNING)

    async with client_of(api, clock) as client:
        with pytest.raises(StreamUnavailable):
            await heard(client, "exec_1")

    assert len(api.asked) == 6


async def test_an_execution_that_is_refused_has_no_events(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(PLAY), RUNNING)

    async with BatonClient(api.url, "another key", clock=clock) as client:
        with pytest.raises(ApiError, match="401"):
            await heard(client, "exec_1")


@pytest.mark.parametrize(
    "answer",
    [web.Response(status=404), web.Response(status=200, text="{}", content_type="application/json")],
    ids=["absent", "of another kind"],
)
async def test_where_there_is_no_stream_that_is_said(api: ApiDouble, clock: StillClock, answer: web.Response) -> None:
    api.begin(Play(PLAY), RUNNING)
    api.faults.append(answer)

    async with client_of(api, clock) as client:
        with pytest.raises(StreamUnavailable):
            await heard(client, "exec_1")


def lines_terminal(clock: StillClock) -> tuple[Terminal, StringIO]:
    out = StringIO()
    return Terminal(as_json=False, out=Console(file=out, width=100), clock=clock), out


async def test_an_execution_without_a_stream_is_watched_by_asking_again(api: ApiDouble, clock: StillClock) -> None:
    documents: list[tuple[str, Document]] = [("execution", RUNNING), ("execution", RUNNING), ("execution", COMPLETED)]
    api.begin(Play(tuple(documents), streamed=False), an_execution("queued"))
    terminal, out = lines_terminal(clock)

    async with client_of(api, clock) as client:
        assert await watch(client, "exec_1", terminal) == COMPLETED

    assert out.getvalue().splitlines() == [
        "hello: running",
        "execution: running",
        "hello: completed",
        "execution: completed",
    ]


async def test_an_execution_that_is_over_is_not_watched_any_more(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play(()), COMPLETED)

    async with client_of(api, clock) as client:
        assert await watch(client, "exec_1", lines_terminal(clock)[0]) == COMPLETED

    assert [asked.path for asked in api.asked] == ["/api/executions/exec_1"]


async def test_an_end_that_does_not_carry_the_whole_document_is_asked_for(api: ApiDouble, clock: StillClock) -> None:
    api.begin(Play((("execution", COMPLETED | {"stages": []}), ("end", {"executionId": "exec_1"}))), RUNNING)
    staged = api.executions["exec_1"]
    staged.document = RUNNING

    async with client_of(api, clock) as client:
        document = await watch(client, "exec_1", lines_terminal(clock)[0])

    assert document["status"] == "completed"
