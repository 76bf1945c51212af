"""Which provider is asked, which is asked next, and what a stage says when none is left."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.contract.provider_orders import OUTLINE, Longest, PassingClock, Reports, built, order, said
from tests.contract.provider_server import KEY, MODEL, ProviderServer, refuses, says
from workers.granulator.estimates import estimate_ms
from workers.granulator.providers.chain import Chain, FailedProvider, NoProviderLeft, Outcome, UnknownProvider
from workers.granulator.providers.configured import configured
from workers.granulator.providers.prices import UnusablePrices
from workers.granulator.providers.provider import NOTHING, Expectation, Made, Spent
from workers.granulator.topic import UnusableTopic
from workers.kit.seams import Seams

ANSWER = said(built(order()))
OFFLINE = Made(built(order()), "offline", None, NOTHING)
NO_KEY = FailedProvider(
    provider="openai",
    code="provider_unconfigured",
    reason="openai has no key: set OPENAI_API_KEY or OPENAI_API_KEY_FILE for the worker",
)


def chain_at(server: ProviderServer, *wires: str, **environment: str) -> Chain:
    """The chain of a worker that uses the server as these vendors."""
    settings = {name: value for wire in wires for name, value in server.environment(wire).items()}
    return configured({**settings, **environment}, seams=Seams(clock=PassingClock(), chance=Longest()))


async def test_nothing_leaves_the_machine_unless_somebody_says_so() -> None:
    async with ProviderServer() as server:
        outcome = await chain_at(server, "openai", "anthropic").make(order(), Reports())

    assert outcome == Outcome(OFFLINE, (), NOTHING)
    assert server.asked == []


async def test_the_worker_or_the_request_says_who_is_asked_and_the_request_comes_first() -> None:
    async with ProviderServer().will(says(ANSWER), says(ANSWER)) as server:
        chain = chain_at(server, "openai", "anthropic", GRANULATOR_PROVIDERS="openai, offline")
        by_the_worker = await chain.make(order(), Reports())
        by_the_request = await chain.make(order(), Reports(), ["Claude", "anthropic"])

    assert (by_the_worker.made.provider, by_the_request.made.provider) == ("openai", "anthropic")


async def test_the_next_is_asked_where_one_fails_and_the_failures_are_kept() -> None:
    async with ProviderServer().will(says("No."), says("No!")) as server:
        outcome = await chain_at(server, "anthropic").make(order(), Reports(), ["openai", "anthropic", "offline"])

    prose = FailedProvider(
        provider="anthropic",
        code="provider_unusable_answer",
        reason=(
            "anthropic answers with no usable course, even after its faults were named to it "
            "(it is prose, not a JSON object): choose another model by ANTHROPIC_MODEL, or name another provider"
        ),
    )
    assert outcome == Outcome(OFFLINE, (NO_KEY, prose), Spent(2_000, 1_000, Decimal("0.0009")))


async def test_where_none_is_left_one_sentence_says_of_each_what_to_do() -> None:
    async with ProviderServer().will(refuses(401)) as server:
        with pytest.raises(NoProviderLeft) as caught:
            await chain_at(server, "anthropic").make(order(), Reports(), ["openai", "anthropic"])

    failure = caught.value.failure
    assert (failure.code, failure.retryable) == ("providers_exhausted", False)
    assert failure.message == (
        "no provider made the course: openai has no key: set OPENAI_API_KEY or OPENAI_API_KEY_FILE for the worker; "
        "anthropic refuses the key (401): set ANTHROPIC_API_KEY to a key that is valid"
    )
    assert [attempt.provider for attempt in caught.value.attempts] == ["openai", "anthropic"]


async def test_a_stage_may_try_again_where_one_failure_may_pass() -> None:
    async with ProviderServer().will(refuses(429, Retry_After="3600")) as server:
        with pytest.raises(NoProviderLeft) as caught:
            await chain_at(server, "anthropic").make(order(), Reports(), ["openai", "anthropic"])

    assert caught.value.failure.retryable


async def test_one_provider_alone_fails_under_its_own_code() -> None:
    with pytest.raises(NoProviderLeft) as caught:
        await configured({}).make(order(), Reports(), ["openai"])

    failure = caught.value.failure
    assert (failure.code, failure.message, failure.retryable) == (NO_KEY.code, NO_KEY.reason, False)


async def test_an_order_at_fault_is_not_passed_on() -> None:
    async with ProviderServer() as server:
        with pytest.raises(UnusableTopic):
            await chain_at(server, "openai").make(order(topic="…", outline=None), Reports(), ["openai", "offline"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [("opena1", "did you mean “openai”?"), ("cloudflare", "there are offline, openai, anthropic.")],
)
async def test_a_provider_that_does_not_exist_is_named_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UnknownProvider, match=f"There is no provider “{name}”; "):
        await configured({}).make(order(), Reports(), [name, "offline"])
    with pytest.raises(UnknownProvider) as caught:
        configured({"GRANULATOR_PROVIDERS": name})

    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("base", ["api.example", "ftp://api.example", f"https://{KEY}@api.example", "https://[", "/v1"])
async def test_an_address_that_cannot_be_used_or_that_holds_a_key_is_refused_unsaid(base: str) -> None:
    with pytest.raises(NoProviderLeft) as caught:
        await configured({"OPENAI_BASE_URL": base}).make(order(), Reports(), ["openai"])

    assert caught.value.failure.message == (
        "openai has no usable address: set OPENAI_BASE_URL to a plain URL, such as https://api.openai.com/v1"
    )


def test_the_offline_provider_expects_time_and_no_money() -> None:
    expected = configured({}).expect(order())

    assert expected == Expectation("offline", estimate_ms("granulate", OUTLINE.word_count), 0, Decimal(0))


def test_the_expectation_is_the_first_ones_that_can_be_asked() -> None:
    chain = configured({"ANTHROPIC_API_KEY": KEY})

    assert chain.expect(order(), ["openai", "anthropic", "offline"]).key == "anthropic/claude-haiku-4-5"
    with pytest.raises(NoProviderLeft, match="set OPENAI_API_KEY"):
        chain.expect(order(), ["openai"])


def test_what_is_expected_grows_with_the_order_and_is_priced_by_the_table() -> None:
    chain = configured({"OPENAI_API_KEY": KEY})
    coarse, fine = (
        chain.expect(order(brief=order().brief.model_copy(update={"granularity_level": level})), ["openai"])
        for level in (1, 5)
    )
    unread, long, longer = (
        chain.expect(order(topic="Bread", outline=None), ["openai"], unread_words=words)
        for words in (0, 100_000, 1_000_000)
    )

    assert (coarse.tokens, coarse.ms) < (fine.tokens, fine.ms)
    assert unread.tokens < long.tokens == longer.tokens
    assert long.cost_usd is not None
    assert Decimal("0.001") < long.cost_usd < Decimal("0.01")
    assert configured({"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "x"}).expect(order(), ["openai"]).cost_usd is None


async def test_a_price_table_of_ones_own_stands_over_the_shipped_one(tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    entry = '{"asOf": "2026-06-01", "inUsd": "1", "outUsd": "2", "longestAnswerTokens": 777}'
    table.write_text(f'{{"models": {{"{MODEL}": {entry}}}}}')
    async with ProviderServer().will(says(ANSWER)) as server:
        chain = chain_at(server, "openai", GRANULATOR_PRICES=str(table))
        outcome = await chain.make(order(), Reports(), ["openai"])

    assert outcome.spent.cost_usd == Decimal("0.002")
    assert server.asked[0].body["max_tokens"] == 777


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ('{"models": {"m": {"asOf": "2026-06-01", "inUsd": "-1"}}}', "is wrong at models.m.inUsd: "),
        ("{", "is wrong at the document: "),
    ],
)
def test_a_price_table_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, content: str | None, why: str
) -> None:
    table = tmp_path / "prices.json"
    if content is not None:
        table.write_text(content)

    with pytest.raises(UnusablePrices) as caught:
        configured({"GRANULATOR_PRICES": str(table)})

    assert why in str(caught.value)
