"""What the granulator's README lists is what there is."""

import json
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from aiohttp import web

import workers.granulator
from workers.granulator.endpoints import Endpoints
from workers.granulator.granulations.templates import THRESHOLDS
from workers.granulator.inputs import GranulateInput
from workers.granulator.intake import bounds
from workers.granulator.kinds import check, parse
from workers.granulator.providers import configured, prices
from workers.granulator.providers.anthropic import ANTHROPIC
from workers.granulator.providers.openai_compatible import OPENAI
from workers.granulator.structure import STRUCTURE_TYPES
from workers.granulator.worker import declared

README = Path(workers.granulator.__path__[0], "README.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = re.split(r"^## ", README, flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(f"{heading}\n")]
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def names(heading: str) -> list[str]:
    """What stands in code in the first column of that table."""
    return [name for row in rows(heading) for name in re.findall(r"`([^`]+)`", row[0])]


def test_every_action_is_listed() -> None:
    assert sorted(names("Actions")) == sorted(declared().actions)


def test_every_field_that_granulate_takes_is_listed() -> None:
    fields = {field.alias for field in GranulateInput.model_fields.values()}

    assert set(names("granulate")) == fields


def test_every_structure_type_is_listed_with_its_threshold() -> None:
    assert {row[0].strip("`"): float(row[2]) for row in rows("Structure types")} == THRESHOLDS


def test_every_structure_type_has_an_example_that_breaks_no_rule() -> None:
    assert [example["type"] for example in EXAMPLES] == list(STRUCTURE_TYPES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_an_example_is_a_whole_structure_and_none_of_its_fields_is_unknown(example: dict[str, object]) -> None:
    structure = parse(example)

    assert [finding for finding in check(structure) if finding.severity == "error"] == []
    assert example.keys() <= {field.alias for field in type(structure).model_fields.values()}


def test_every_variable_that_is_read_is_listed_with_what_holds_without_it() -> None:
    told = {name: row[1] for row in rows("Providers") for name in re.findall(r"`([^`]+)`", row[0])}
    defaults = {
        getattr(vendor, f"{name}_variable"): getattr(vendor, name)
        for vendor in (OPENAI, ANTHROPIC)
        for name in ("base", "model")
    }
    keys = [name for vendor in (OPENAI, ANTHROPIC) for name in (vendor.key_variable, f"{vendor.key_variable}_FILE")]

    assert set(told) == {configured.VARIABLE, prices.VARIABLE, *defaults, *keys}
    assert {name: told[name].startswith(f"`{value}`") for name, value in defaults.items()} == dict.fromkeys(
        defaults, True
    )


def test_every_endpoint_is_listed() -> None:
    routes = [route for route in Endpoints(Mock()).routes() if isinstance(route, web.RouteDef)]

    assert names("Endpoints") == [f"{route.method} {route.path}" for route in routes]


def test_the_limits_are_those_that_hold() -> None:
    text, pdf, documents, reading = (row[1] for row in rows("Limits"))

    assert text == bounds.megabytes(bounds.MOST_TEXT_BYTES)
    assert pdf == f"{bounds.megabytes(bounds.MOST_PDF_BYTES)}, {bounds.MOST_PDF_PAGES:,} pages"
    assert documents == str(bounds.MOST_DOCUMENTS)
    assert reading.startswith(f"{bounds.READING_SECONDS} seconds")
    assert reading.endswith(bounds.megabytes(bounds.READING_MEMORY))
