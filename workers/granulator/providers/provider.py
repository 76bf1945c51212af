"""What a provider is asked for, what it gives back, and what it says in between.

An order is complete in itself: the same order may be given to one provider after another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from workers.granulator.quality.finding import Finding
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Structure, StructureType

Number = TypeVar("Number", int, Decimal)

Report = Callable[[float, str], object]
"""Takes how far the making is, 0..1, and a line about it; called from the event loop, and must not block."""


@dataclass(frozen=True, slots=True)
class Order:
    """One structure to be made, from an outline or, where there is none, from a topic alone.

    In a correction round `previous` is the structure to be bettered and `findings` are what is wrong with it.
    """

    type: StructureType
    topic: str | None
    outline: Outline | None
    brief: Brief
    findings: tuple[Finding, ...] = ()
    previous: Structure | None = None

    def __post_init__(self) -> None:
        if self.outline is None and self.topic is None:
            raise ValueError("there is neither an outline nor a topic to make a structure from")


@dataclass(frozen=True, slots=True)
class Spent:
    """What was consumed, by the answers' own accounts; None is an amount that nobody told or that has no known price.

    A call that broke off before it told its usage is not in it.
    """

    tokens_in: int | None
    tokens_out: int | None
    cost_usd: Decimal | None

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            _sum(self.tokens_in, other.tokens_in),
            _sum(self.tokens_out, other.tokens_out),
            _sum(self.cost_usd, other.cost_usd),
        )

    @property
    def tokens(self) -> int | None:
        return _sum(self.tokens_in, self.tokens_out)


NOTHING = Spent(0, 0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Made:
    """A structure, the provider and the model that made it (None: no model), and what the making consumed."""

    structure: Structure
    provider: str
    model: str | None
    spent: Spent


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an order will probably take. `key` names who would do it, so that experience can be kept apart by it."""

    key: str
    ms: float
    tokens: int
    cost_usd: Decimal | None


class Provider(Protocol):
    """Makes structures. `make` raises ProviderError, or ValueError where the order's source itself is unusable."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str | None: ...

    async def make(self, order: Order, report: Report) -> Made: ...

    def expect(self, order: Order, unread_words: int = 0) -> Expectation:
        """`unread_words` is about how long a source is that no outline has been made of yet.

        Raises ProviderError where it is known beforehand that `make` would.
        """
        ...


def _sum(one: Number | None, other: Number | None) -> Number | None:
    return None if one is None or other is None else one + other
