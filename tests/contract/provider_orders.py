"""Orders for the providers' tests, the answers a good model would give to them, and providers that never wait."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.contract.provider_server import KEY, MODEL, ProviderServer
from tests.unit.granulator_texts import BREAD
from workers.granulator.kinds import KINDS
from workers.granulator.providers.anthropic import Anthropic
from workers.granulator.providers.dialect import Dialect
from workers.granulator.providers.endpoint import endpoint_from
from workers.granulator.providers.language_model import LanguageModel
from workers.granulator.providers.openai_compatible import OpenAiCompatible
from workers.granulator.providers.patience import Patience
from workers.granulator.providers.prices import prices_from
from workers.granulator.providers.provider import Order
from workers.granulator.source.outline import outline
from workers.granulator.structure import Brief, Structure
from workers.kit.seams import Seams

OUTLINE = outline(BREAD)
DIALECTS: Mapping[str, Dialect] = {"openai": OpenAiCompatible(), "anthropic": Anthropic()}
WIRES = tuple(DIALECTS)


@dataclass(slots=True)
class PassingClock:
    """A clock whose every sleep is over at once and is remembered."""

    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Longest:
    """Chance that always draws the most."""

    def uniform(self, a: float, b: float, /) -> float:
        return max(a, b)


@dataclass(slots=True)
class Reports:
    """What a provider said while it worked."""

    told: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, share: float, message: str) -> None:
        self.told.append((share, message))


def order(**changed: Any) -> Order:
    """A course from the short text, of which only the relevant is said."""
    return replace(Order("course", None, OUTLINE, Brief()), **changed)


def built(ordered: Order) -> Structure:
    """The structure that the offline builders make of an order: a real one, to be said by a model."""
    kind = KINDS[ordered.type]
    structure: Structure = (
        kind.skeleton(ordered.topic or "", ordered.brief)
        if ordered.outline is None
        else kind.build(ordered.outline, ordered.brief)
    )
    return structure


def said(structure: Structure, **changed: Any) -> str:
    """A structure as the JSON text of a model's answer."""
    return json.dumps({**structure.model_dump(mode="json", by_alias=True), **changed}, ensure_ascii=False)


def model(
    server: ProviderServer,
    wire: str,
    *,
    clock: PassingClock | None = None,
    key: str | None = KEY,
    name: str = MODEL,
    patience: Patience | None = None,
) -> LanguageModel:
    """A language model at the server, in that vendor's format."""
    dialect = DIALECTS[wire]
    return LanguageModel(
        dialect,
        endpoint_from(server.environment(wire, key, name), dialect.vendor),
        prices_from({}),
        patience or Patience(),
        Seams(clock=clock or PassingClock(), chance=Longest()),
    )
