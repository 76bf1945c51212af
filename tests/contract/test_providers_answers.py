"""What a language model may say instead of the structure that was ordered; nothing of it is taken on trust."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.provider_orders import OUTLINE, WIRES, Reports, built, model, order, said
from tests.contract.provider_server import ProviderServer, never_ends, says
from workers.granulator.providers.failure import ProviderError
from workers.granulator.providers.provider import Spent
from workers.granulator.structure import Brief
from workers.granulator.topic import UnusableTopic

GOOD = built(order())
ANSWER = said(GOOD)
ELEMENTS = ANSWER.count('"type":') - 1
"""In the good answer, its root not counted."""
PROSE = "Certainly! Here is a course on bread, with plenty of lessons."
both_wires = pytest.mark.parametrize("wire", WIRES)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    """The good answer after a change to its JSON."""
    document = json.loads(ANSWER)
    change(document)
    return json.dumps(document)


def nested(depth: int) -> str:
    return '{"type": "course", "children": ' + "[" * depth + "]" * depth + "}"


async def failure(server: ProviderServer, wire: str) -> ProviderError:
    """The error that making the order ends with."""
    with pytest.raises(ProviderError) as caught:
        await model(server, wire).make(order(), Reports())
    return caught.value


@both_wires
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (PROSE, "it is prose, not a JSON object"),
        ("", "it is empty"),
        (ANSWER[: len(ANSWER) // 2], "it is no JSON that can be used: not valid JSON"),
        (f"{ANSWER} I hope this helps!", "it is no JSON that can be used: not valid JSON"),
        (nested(100), "it is no JSON that can be used: nested deeper than 64 levels"),
        ('{"title": "a\\u0000b"}', "it is no JSON that can be used: the character U+0000 is not allowed in text"),
        (changed(lambda it: it.update(type="quiz")), "its type is “quiz”, not “course”"),
        (changed(lambda it: it.update(title=["a", "b"])), "/title: Input should be a valid string"),
        (changed(lambda it: it["children"][1].update(type="chapter")), "/children/1/type: Input should be "),
        (
            changed(lambda it: it["children"][0].update(title="x" * 4_001)),
            "/children/0/title: 4001 characters, and at most 4000 are allowed",
        ),
        (
            changed(lambda it: it["children"][1]["children"].extend([{"type": "lesson"}] * 120)),
            f"it has {ELEMENTS + 120} elements, and at most 100 are wanted",
        ),
    ],
    ids=[
        "prose",
        "nothing",
        "cut JSON",
        "JSON and prose",
        "too deep",
        "NUL",
        "another kind",
        "wrong type",
        "wrong word",
        "long text",
        "too many",
    ],
)
async def test_an_answer_that_is_not_the_structure_is_repaired_once(wire: str, answer: str, fault: str) -> None:
    async with ProviderServer().will(says(answer), says(ANSWER)) as server:
        made = await model(server, wire).make(order(), Reports())

    first, second = server.asked
    assert made.structure == GOOD.model_copy(update={"provider": wire})
    assert made.spent == Spent(2_000, 1_000, Decimal("0.0009"))
    assert second.turns[:1] == first.turns
    assert second.turns[1] == {"role": "assistant", "content": answer or "(nothing)"}
    assert f"- {fault}" in second.turns[2]["content"]


@both_wires
async def test_an_answer_that_is_no_better_the_second_time_is_refused(wire: str) -> None:
    async with ProviderServer().will(says(PROSE), says(PROSE)) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_unusable_answer", False, 2)
    assert error.reason == (
        f"{wire} answers with no usable course, even after its faults were named to it "
        f"(it is prose, not a JSON object): choose another model by {wire.upper()}_MODEL, or name another provider"
    )
    assert error.spent == Spent(2_000, 1_000, Decimal("0.0009"))


@both_wires
async def test_an_answer_cut_off_at_its_limit_is_said_to_be_and_not_asked_for_again(wire: str) -> None:
    async with ProviderServer().will(says(ANSWER[:500], ending="truncated")) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_truncated", False, 1)
    assert error.reason == (
        f"{wire} broke its answer off at the limit of 16384 tokens: "
        f"lower granularityLevel or maxElements, or choose a model with longer answers"
    )


@both_wires
async def test_a_model_that_declines_is_taken_at_its_word(wire: str) -> None:
    async with ProviderServer().will(says("", ending="declined")) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_declined", False, 1)


@both_wires
async def test_an_answer_without_end_is_left_where_no_structure_could_be_so_long(wire: str) -> None:
    async with ProviderServer().will(never_ends()) as server:
        error = await failure(server, wire)

    assert (error.code, error.retryable, len(server.asked)) == ("provider_unusable_answer", False, 1)
    assert "more than 1000000 characters" in error.reason


async def test_json_in_a_markdown_fence_is_taken_out_of_it() -> None:
    async with ProviderServer().will(says(f"```json\n{ANSWER}\n```")) as server:
        made = await model(server, "openai").make(order(), Reports())

    assert made.structure == GOOD.model_copy(update={"provider": "openai"})


@both_wires
async def test_what_the_structure_does_not_know_is_dropped(wire: str) -> None:
    answer = changed(lambda it: (it.update(cost=0), it["children"][0].update(html="<script>")))
    async with ProviderServer().will(says(answer)) as server:
        made = await model(server, wire).make(order(), Reports())

    assert made.structure == GOOD.model_copy(update={"provider": wire})


@both_wires
async def test_who_made_it_and_from_what_is_not_for_the_model_to_say(wire: str) -> None:
    answer = changed(lambda it: it.update(provider="an expert", sourced=False, notice="peer reviewed"))
    async with ProviderServer().will(says(answer)) as server:
        made = await model(server, wire).make(order(), Reports())

    assert (made.structure.provider, made.structure.sourced, made.structure.notice) == (wire, True, None)


@pytest.mark.parametrize(
    ("cited", "kept"),
    [
        ({"section": "Sourdough", "sentences": [20, 22]}, True),
        ({"section": None, "sentences": [1, 1]}, True),
        ({"section": "Pastry", "sentences": [20, 22]}, False),
        ({"section": "Sourdough", "sentences": [22, 20]}, False),
        ({"section": "Sourdough", "sentences": [1, OUTLINE.sentences + 1]}, False),
        ({"section": "Sourdough"}, False),
    ],
)
async def test_a_citation_of_what_the_source_does_not_have_is_taken_out(cited: dict[str, Any], kept: bool) -> None:
    answer = changed(lambda it: it["children"][0].update(source=cited))
    async with ProviderServer().will(says(answer)) as server:
        made = await model(server, "openai").make(order(), Reports())

    source = made.structure.children[0].source
    assert (source and source.model_dump(mode="json")) == (cited if kept else None)


@both_wires
async def test_a_topic_that_nothing_can_be_made_of_is_refused_before_anything_is_paid(wire: str) -> None:
    async with ProviderServer() as server:
        with pytest.raises(UnusableTopic):
            await model(server, wire).make(order(topic=" ", outline=None, brief=Brief()), Reports())

    assert server.asked == []
