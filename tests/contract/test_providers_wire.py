"""What goes to a language model and what comes back, in both vendors' formats, when nothing goes wrong."""

import json
from decimal import Decimal

import pytest

from tests.contract.provider_orders import WIRES, Reports, built, model, order, said
from tests.contract.provider_server import KEY, ProviderServer, cuts_bytes, says, trickles
from workers.granulator.kinds import KINDS
from workers.granulator.providers.dialect import Question
from workers.granulator.providers.endpoint import endpoint_from
from workers.granulator.providers.openai_compatible import OPENAI, OpenAiCompatible
from workers.granulator.providers.prompt import compose
from workers.granulator.providers.provider import Made, Spent
from workers.granulator.providers.schema import answer_schema
from workers.granulator.quality.finding import Finding
from workers.granulator.structure import NOTICE

SPENT = Spent(1_000, 500, Decimal("0.00045"))
both_wires = pytest.mark.parametrize("wire", WIRES)


@both_wires
async def test_a_streamed_answer_becomes_the_structure_with_what_it_cost(wire: str) -> None:
    structure = built(order())
    async with ProviderServer().will(says(said(structure))) as server:
        made = await model(server, wire).make(order(), Reports())

    expected = structure.model_copy(update={"provider": wire})
    assert made == Made(expected, wire, "gpt-4o-mini-2024-07-18", SPENT)


@both_wires
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_structure_can_be_ordered(wire: str, kind: str) -> None:
    ordered = order(type=kind)
    structure = built(ordered)
    async with ProviderServer().will(says(said(structure))) as server:
        made = await model(server, wire).make(ordered, Reports())

    assert made.structure == structure.model_copy(update={"provider": wire})


@both_wires
@pytest.mark.parametrize("size", [1, 7, 4_096])
async def test_it_does_not_matter_where_the_bytes_of_a_stream_are_cut(wire: str, size: int) -> None:
    structure = built(order()).model_copy(update={"title": "Brot – 面包 🥖"})
    async with ProviderServer().will(cuts_bytes(said(structure), size)) as server:
        made = await model(server, wire).make(order(), Reports())

    assert made.structure.title == "Brot – 面包 🥖"


@both_wires
async def test_the_growth_of_an_answer_is_told_while_it_comes(wire: str) -> None:
    reports = Reports()
    async with ProviderServer().will(trickles(said(built(order())))) as server:

        def let_the_next_come(share: float, message: str) -> None:
            reports(share, message)
            server.let_go.set()

        await model(server, wire).make(order(), let_the_next_come)

    shares = [share for share, _ in reports.told]
    assert len(shares) == 5
    assert shares == sorted(set(shares))
    assert 0 < shares[0] < shares[-1] <= 0.95
    assert reports.told[0][1].startswith(f"{wire}/gpt-4o-mini-2024-07-18: ")
    assert reports.told[0][1].endswith(" characters")


async def test_openai_is_asked_for_a_stream_that_keeps_the_schema_and_tells_its_usage() -> None:
    async with ProviderServer().will(says(said(built(order())))) as server:
        await model(server, "openai").make(order(), Reports())

    prompt = compose(order())
    schema = {"name": "course", "strict": True, "schema": answer_schema("course", sourced=True)}
    (asked,) = server.asked
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-4o-mini-2024-07-18",
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.turns[0].text},
        ],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "max_tokens": 16_384,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_openais_own_service_is_told_the_limit_under_its_newer_name() -> None:
    endpoint = endpoint_from({"OPENAI_API_KEY": KEY}, OPENAI)
    body = OpenAiCompatible().body(endpoint, Question("course", compose(order()), {"type": "object"}, 777))

    assert (body.get("max_completion_tokens"), body.get("max_tokens")) == (777, None)


async def test_anthropic_is_asked_to_hand_the_structure_to_a_tool() -> None:
    async with ProviderServer().will(says(said(built(order())))) as server:
        await model(server, "anthropic", name="claude-3-haiku-20240307").make(order(), Reports())

    prompt = compose(order())
    (asked,) = server.asked
    assert (asked.headers["x-api-key"], asked.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert asked.body == {
        "model": "claude-3-haiku-20240307",
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.turns[0].text}],
        "tools": [
            {
                "name": "hand_over",
                "description": "Takes the finished course.",
                "input_schema": answer_schema("course", sourced=True),
            }
        ],
        "tool_choice": {"type": "tool", "name": "hand_over"},
        "max_tokens": 4_096,
        "stream": True,
    }


async def test_a_server_that_keeps_no_schemas_is_given_it_in_words_and_is_not_asked_twice() -> None:
    answer = says(said(built(order())))
    async with ProviderServer(keeps_schemas=False).will(answer, answer) as server:
        provider = model(server, "openai")
        await provider.make(order(), Reports())
        await provider.make(order(), Reports())

    assert [asked.body["response_format"]["type"] for asked in server.asked] == [
        "json_schema",
        "json_object",
        "json_object",
    ]
    schema = json.dumps(answer_schema("course", sourced=True), separators=(",", ":"), ensure_ascii=False)
    assert [schema in asked.turns[0]["content"] for asked in server.asked] == [False, True, True]


@both_wires
async def test_a_server_of_ones_own_needs_no_key(wire: str) -> None:
    async with ProviderServer().will(says(said(built(order())))) as server:
        await model(server, wire, key=None).make(order(), Reports())

    assert not {"Authorization", "x-api-key", "X-Api-Key"} & set(server.asked[0].headers)


@both_wires
async def test_usage_that_is_not_told_is_unknown_and_not_nothing(wire: str) -> None:
    async with ProviderServer().will(says(said(built(order())), tokens=None)) as server:
        made = await model(server, wire).make(order(), Reports())

    assert made.spent == Spent(None, None, None)


@both_wires
async def test_a_model_without_a_price_has_an_unknown_cost(wire: str) -> None:
    async with ProviderServer().will(says(said(built(order())))) as server:
        made = await model(server, wire, name="llama-of-our-own").make(order(), Reports())

    assert made.spent == Spent(1_000, 500, None)


@both_wires
async def test_a_structure_from_a_topic_alone_says_that_it_is_unsourced(wire: str) -> None:
    ordered = order(topic="Bread fermentation", outline=None)
    claims = said(built(ordered), sourced=True, notice=None, provider="the best there is")
    async with ProviderServer().will(says(claims)) as server:
        made = await model(server, wire).make(ordered, Reports())

    structure = made.structure
    assert (structure.provider, structure.sourced, structure.notice) == (wire, False, NOTICE)


@both_wires
async def test_a_correction_shows_the_earlier_version_and_what_is_wrong_with_it(wire: str) -> None:
    earlier = built(order()).model_copy(update={"title": "Brad fermentation"})
    finding = Finding(code="misspelt", severity="error", path="/title", message="The title is misspelt.")
    async with ProviderServer().will(says(said(built(order())))) as server:
        await model(server, wire).make(order(previous=earlier, findings=(finding,)), Reports())

    asked = server.asked[0].turns[0]["content"]
    assert "Brad fermentation" in asked
    assert "- /title: The title is misspelt." in asked
