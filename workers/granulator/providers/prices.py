"""What models charge and how long their answers may be: a dated table of list prices, in USD per million tokens.

A model that is not in the table has no price: its cost is unknown, never guessed. `GRANULATOR_PRICES` names a file of
the same form that stands over the shipped one, for models it lacks and prices that have changed since.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from workers.granulator.wire import WireValue

VARIABLE: Final = "GRANULATOR_PRICES"
_MILLION: Final = 1_000_000
_EDITION = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
"""What a vendor puts after a model's name to tell its editions apart; they share the price."""

Price = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class UnusablePrices(ValueError):
    """A price table cannot be read; the message says which and why."""


class Model(WireValue):
    """A model's list price on a day, and the most tokens it puts into one answer."""

    as_of: date
    in_usd: Price
    out_usd: Price
    longest_answer_tokens: Annotated[int, Field(gt=0)]

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """US dollars for so many tokens."""
        return (self.in_usd * tokens_in + self.out_usd * tokens_out) / _MILLION


class _Table(WireValue):
    models: dict[str, Model]


@dataclass(frozen=True, slots=True)
class Prices:
    """The models that are known, by name."""

    models: Mapping[str, Model]

    def of(self, model: str) -> Model | None:
        """The entry of a model or, where only its edition is unknown, of the model it is an edition of."""
        return self.models.get(model) or self.models.get(_EDITION.sub("", model))

    def cost(self, model: str, tokens_in: int | None, tokens_out: int | None) -> Decimal | None:
        """US dollars; None where the model has no known price or an amount was not told."""
        entry = self.of(model)
        return None if entry is None or tokens_in is None or tokens_out is None else entry.cost(tokens_in, tokens_out)


def prices_from(environment: Mapping[str, str]) -> Prices:
    """The shipped table, under the one that the environment names; raises UnusablePrices."""
    shipped = _parse(files(__package__).joinpath("prices.json").read_bytes(), "prices.json")
    file = environment.get(VARIABLE)
    return Prices({**shipped, **_read(Path(file))} if file else shipped)


def _read(path: Path) -> dict[str, Model]:
    try:
        document = path.read_bytes()
    except OSError as error:
        raise UnusablePrices(f"the price table {path} that {VARIABLE} names cannot be read: {error.strerror}") from None
    return _parse(document, str(path))


def _parse(document: bytes, source: str) -> dict[str, Model]:
    try:
        return _Table.model_validate_json(document).models
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "the document"
        raise UnusablePrices(f"the price table {source} is wrong at {place}: {fault['msg']}") from None
