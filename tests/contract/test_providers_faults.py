"""How a language model's server may fail, and what a provider makes of it."""

import asyncio
import socket
from decimal import Decimal

import pytest

from tests.contract.provider_orders import DIALECTS, WIRES, Longest, PassingClock, Reports, built, model, order, said
from tests.contract.provider_server import (
    KEY,
    ProviderServer,
    Reply,
    breaks_off,
    fails_in_stream,
    falls_silent,
    hangs,
    refuses,
    says,
    sends,
)
from workers.granulator.providers.endpoint import endpoint_from
from workers.granulator.providers.failure import ProviderError
from workers.granulator.providers.language_model import LanguageModel
from workers.granulator.providers.patience import Patience
from workers.granulator.providers.prices import prices_from
from workers.granulator.providers.provider import NOTHING, Made, Spent
from workers.kit.backoff import Backoff
from workers.kit.seams import Seams

ANSWER = said(built(order()))
both_wires = pytest.mark.parametrize("wire", WIRES)


async def failure(server: ProviderServer, wire: str, patience: Patience | None = None) -> ProviderError:
    """The error that making the order ends with."""
    with pytest.raises(ProviderError) as caught:
        await model(server, wire, patience=patience).make(order(), Reports())
    return caught.value


@both_wires
@pytest.mark.parametrize(
    "fault",
    [
        refuses(429, "rate_limit_error"),
        refuses(500, "api_error"),
        refuses(503),
        refuses(529, "overloaded_error"),
        sends(b"<html>bad gateway</html>", "text/html", status=502),
        breaks_off(ANSWER),
        fails_in_stream("overloaded_error"),
    ],
    ids=["429", "500", "503", "529", "502 of a proxy", "disconnect", "overloaded in the stream"],
)
async def test_what_may_pass_is_asked_again(wire: str, fault: Reply) -> None:
    clock = PassingClock()
    async with ProviderServer().will(fault, says(ANSWER)) as server:
        made = await model(server, wire, clock=clock).make(order(), Reports())

    assert made.structure == built(order()).model_copy(update={"provider": wire})
    assert clock.slept == [1]


@both_wires
async def test_the_pauses_grow_and_then_the_provider_has_failed_for_now(wire: str) -> None:
    clock, patience = PassingClock(), Patience(attempts=5, backoff=Backoff(first_s=2, cap_s=10))
    async with ProviderServer().will(*[refuses(500)] * 5) as server:
        with pytest.raises(ProviderError) as caught:
            await model(server, wire, clock=clock, patience=patience).make(order(), Reports())

    assert (caught.value.code, caught.value.retryable) == ("provider_unavailable", True)
    assert caught.value.reason == f"{wire} fails (500): try again later, or name another provider"
    assert clock.slept == [2, 4, 8, 10]


@both_wires
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry_After": "17"},
        {"Retry_After": "Wed, 21 Oct 2026 07:28:17 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
    ],
    ids=["in seconds", "as a date"],
)
async def test_a_pause_that_the_server_asks_for_is_kept(wire: str, headers: dict[str, str]) -> None:
    clock, reports = PassingClock(), Reports()
    async with ProviderServer().will(refuses(429, "rate_limit_error", **headers), says(ANSWER)) as server:
        await model(server, wire, clock=clock).make(order(), reports)

    assert clock.slept == [17]
    assert reports.told[0][1].endswith("asking again in 17 s")


@both_wires
async def test_a_pause_longer_than_anybody_would_wait_is_a_failure_at_once(wire: str) -> None:
    clock = PassingClock()
    async with ProviderServer().will(refuses(429, "rate_limit_error", "Slow down.", Retry_After="31")) as server:
        with pytest.raises(ProviderError) as caught:
            await model(server, wire, clock=clock).make(order(), Reports())

    error = caught.value
    assert (error.code, error.retryable, error.retry_after_s) == ("provider_rate_limited", True, 31)
    assert error.reason == (
        f"{wire} limits its rate (429), saying “Slow down.”: try again later, or name another provider"
    )
    assert (clock.slept, len(server.asked)) == ([], 1)


@both_wires
@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (400, "provider_rejected", "change the input, the model or the provider"),
        (401, "provider_unauthorized", "set {}_API_KEY to a key that is valid"),
        (403, "provider_unauthorized", "set {0}_API_KEY to a key that may, or {0}_MODEL to another model"),
        (404, "provider_not_found", "check {0}_MODEL and {0}_BASE_URL"),
        (402, "provider_out_of_credit", "top it up, or name another provider"),
        (413, "provider_rejected", "change the input, the model or the provider"),
    ],
)
async def test_what_stays_as_it_is_is_not_asked_again(wire: str, status: int, code: str, advice: str) -> None:
    async with ProviderServer().will(refuses(status)) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == (code, False, 1)
    assert f"({status})" in error.reason
    assert error.reason.endswith(advice.format(wire.upper()))


@both_wires
async def test_credit_that_is_used_up_does_not_come_back_by_waiting(wire: str) -> None:
    async with ProviderServer().will(refuses(429, "insufficient_quota", "You exceeded your quota.")) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_out_of_credit", False, 1)


@both_wires
async def test_a_wrong_key_is_said_without_what_the_server_says_of_it(wire: str) -> None:
    async with ProviderServer() as server:
        with pytest.raises(ProviderError) as caught:
            await model(server, wire, key="sk-a-wrong-one").make(order(), Reports())

    assert caught.value.code == "provider_unauthorized"
    assert caught.value.reason == f"{wire} refuses the key (401): set {wire.upper()}_API_KEY to a key that is valid"


@both_wires
@pytest.mark.parametrize("fault", [hangs(), falls_silent(ANSWER)], ids=["before the status", "in the stream"])
async def test_a_silent_server_is_left_after_the_idle_time(wire: str, fault: Reply) -> None:
    clock = PassingClock()
    async with ProviderServer().will(fault) as server:
        with pytest.raises(ProviderError) as caught:
            await model(server, wire, clock=clock, patience=Patience(idle_s=0.05)).make(order(), Reports())

    error = caught.value
    assert (error.code, error.retryable, clock.slept) == ("provider_timeout", True, [])
    assert error.reason == (
        f"{wire} was silent for 0.05 s: ask for less, choose a quicker model, or name another provider"
    )


@both_wires
async def test_an_answer_that_takes_too_long_in_all_is_given_up(wire: str) -> None:
    clock = PassingClock()
    async with ProviderServer().will(falls_silent(ANSWER)) as server:
        with pytest.raises(ProviderError) as caught:
            await model(server, wire, clock=clock, patience=Patience(total_s=0.05)).make(order(), Reports())

    error = caught.value
    assert (error.code, error.retryable, clock.slept) == ("provider_timeout", True, [])
    assert error.reason == (
        f"{wire} had not finished after 0.05 s: ask for less, choose a quicker model, or name another provider"
    )


@both_wires
async def test_a_cancel_closes_the_call(wire: str) -> None:
    async with ProviderServer().will(falls_silent(ANSWER)) as server:
        making = asyncio.create_task(model(server, wire).make(order(), Reports()))
        await server.arrived.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

        await server.left.wait()


@both_wires
async def test_a_cancel_ends_a_pause_between_two_calls(wire: str) -> None:
    class StandingClock(PassingClock):
        async def sleep(self, seconds: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

    asleep = asyncio.Event()
    async with ProviderServer().will(refuses(500)) as server:
        making = asyncio.create_task(model(server, wire, clock=StandingClock()).make(order(), Reports()))
        await asleep.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    assert len(server.asked) == 1


@both_wires
async def test_a_server_that_is_not_there_says_so(wire: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        prefix, dialect = wire.upper(), DIALECTS[wire]
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        endpoint = endpoint_from({f"{prefix}_BASE_URL": address}, dialect.vendor)
        seams = Seams(clock=PassingClock(), chance=Longest())
        with pytest.raises(ProviderError) as caught:
            await LanguageModel(dialect, endpoint, prices_from({}), seams=seams).make(order(), Reports())

    assert caught.value.code == "provider_unavailable"
    assert caught.value.reason == (
        f"{wire} at 127.0.0.1 cannot be reached (connection refused): try again later, or name another provider"
    )


@both_wires
@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"data: {\xff\xfe}\n\n", "text/event-stream", "the text is not UTF-8"),
        (b"data: {not json}\n\n", "text/event-stream", "an event of the stream is not of the format"),
        (b'data: {"type": 1, "choices": 2}\n\n', "text/event-stream", "an event of the stream is not of the format"),
        (b"data: " + b"x" * 1_100_000, "text/event-stream", "a line has more than 1048576 bytes"),
        (b"<html>Log in</html>", "text/html", "the answer comes as text/html, not as an event stream"),
    ],
    ids=["not UTF-8", "not JSON", "another format", "no end of line", "a web page"],
)
async def test_what_is_no_stream_of_the_format_is_called_so(
    wire: str, body: bytes, content_type: str, why: str
) -> None:
    async with ProviderServer().will(sends(body, content_type)) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_malformed", True, 1)
    assert error.reason == f"{wire} does not speak its format ({why}): check {wire.upper()}_BASE_URL"


@both_wires
async def test_a_redirect_is_not_followed_for_the_key_is_not_for_others(wire: str) -> None:
    async with ProviderServer() as elsewhere, ProviderServer() as server:
        server.will(sends(b"", "text/plain", status=307, Location=f"{elsewhere.url}/v1/messages"))
        error = await failure(server, wire)

    assert (error.code, elsewhere.asked) == ("provider_rejected", [])


@both_wires
async def test_what_a_server_says_is_quoted_short_and_on_one_line(wire: str) -> None:
    async with ProviderServer().will(refuses(400, "invalid_request_error", "No.\n" * 500)) as server:
        error = await failure(server, wire)

    assert "\n" not in error.reason
    assert len(error.reason) < 450


async def test_what_a_broken_answer_had_told_of_its_usage_is_counted() -> None:
    async with ProviderServer().will(breaks_off(ANSWER), says(ANSWER)) as server:
        made = await model(server, "anthropic", name="claude-3-haiku-20240307").make(order(), Reports())

    expected = built(order()).model_copy(update={"provider": "anthropic"})
    cost = Decimal("0.25") * 2_000 / 1_000_000 + Decimal("1.25") * 501 / 1_000_000
    assert made == Made(expected, "anthropic", "claude-3-haiku-20240307", Spent(2_000, 501, cost))


@both_wires
async def test_a_refused_call_costs_nothing(wire: str) -> None:
    async with ProviderServer().will(refuses(400)) as server:
        error = await failure(server, wire)

    assert error.spent == NOTHING
    assert KEY not in error.reason
