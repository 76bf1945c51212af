"""A model whose structure falls short is shown it with its faults, and asked once more."""

from pathlib import Path

from tests.contract.provider_orders import Longest, PassingClock, built, order, said
from tests.contract.provider_server import ProviderServer, says
from tests.unit.granulator_attempt import Attempt
from tests.unit.granulator_texts import BREAD
from workers.granulator.granulating import Granulator
from workers.granulator.granulations.book import Book
from workers.granulator.inputs import GranulateInput
from workers.granulator.providers.configured import configured
from workers.kit.seams import Seams, SystemClock

WHOLE = built(order())
SCANTY = said(WHOLE.model_copy(update={"title": "Only yeast", "children": WHOLE.children[:2]}))
ASKED = GranulateInput.model_validate({"text": BREAD, "providers": ["openai"]})


async def test_the_second_prompt_holds_the_first_version_and_what_was_found_and_the_better_answer_is_given(
    tmp_path: Path,
) -> None:
    async with ProviderServer().will(says(SCANTY), says(said(WHOLE))) as server, Book(tmp_path) as book:
        chain = configured(server.environment("openai"), seams=Seams(clock=PassingClock(), chance=Longest()))
        result = await Granulator(chain, book, SystemClock()).granulate(ASKED, Attempt(tmp_path))

    first, second = (request.turns[-1]["content"] for request in server.asked)
    assert "What is wrong with the earlier version" not in first
    assert "An earlier version, to be corrected and otherwise kept:" in second
    assert '"title":"Only yeast"' in second
    assert "- the whole: The source's term " in second
    assert result["correction"]["changed"] is True
    assert result["correction"]["before"] < 70 < result["correction"]["after"] == result["qualityScore"]
    assert (result["provider"], result["structure"]["title"]) == ("openai", WHOLE.title)


async def test_a_second_answer_that_cannot_be_used_leaves_the_first(tmp_path: Path) -> None:
    async with ProviderServer().will(says(SCANTY), says("No."), says("No!")) as server, Book(tmp_path) as book:
        chain = configured(server.environment("openai"), seams=Seams(clock=PassingClock(), chance=Longest()))
        result = await Granulator(chain, book, SystemClock()).granulate(ASKED, Attempt(tmp_path))

    assert len(server.asked) == 3
    assert result["structure"]["title"] == "Only yeast"
    assert (result["correction"]["changed"], result["correction"]["after"]) == (False, None)
    assert result["correction"]["reason"].startswith("openai answers with no usable course")
    assert result["validation"]["passed"] is False


async def test_rules_mend_what_a_model_made_where_it_makes_no_other_and_they_may_be_asked(tmp_path: Path) -> None:
    asked = ASKED.model_copy(update={"providers": ("openai", "offline")})
    async with ProviderServer().will(says(SCANTY), says("No."), says("No!")) as server, Book(tmp_path) as book:
        chain = configured(server.environment("openai"), seams=Seams(clock=PassingClock(), chance=Longest()))
        result = await Granulator(chain, book, SystemClock()).granulate(asked, Attempt(tmp_path))

    assert result["structure"]["title"] == "Only yeast"
    assert len(result["structure"]["children"]) > 2
    assert (result["correction"]["changed"], result["correction"]["provider"]) == (True, "offline")
    assert result["validation"]["passed"] is True
