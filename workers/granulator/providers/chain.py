"""Providers in order of preference: the next one is asked where one fails, and every failure is kept.

An order that is itself at fault (a ValueError) is not passed on: no other provider could do better with it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import structlog

from workers.granulator.providers.failure import ProviderError
from workers.granulator.providers.provider import NOTHING, Expectation, Made, Order, Provider, Report, Spent
from workers.granulator.wire import WireValue
from workers.kit import ActionError

log = structlog.get_logger()

EXHAUSTED: Final = "providers_exhausted"
_ALSO_CALLED: Final = {"claude": "anthropic"}


class UnknownProvider(ValueError):
    """No provider has this name; the message names those there are, and the nearest one."""


class FailedProvider(WireValue):
    """A provider that was asked and made nothing, with the code and the sentence of why."""

    provider: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made, who failed before it was, and what all of them together consumed."""

    made: Made
    attempts: tuple[FailedProvider, ...]
    spent: Spent


class NoProviderLeft(ActionError):
    """All that were asked have failed; the message says of each what to do.

    Worth another attempt of the stage where one of them failed in a way that may pass.
    """

    def __init__(self, order: Order, errors: Mapping[str, ProviderError]) -> None:
        attempts = tuple(_failed(name, error) for name, error in errors.items())
        only = attempts[0] if len(attempts) == 1 else None
        kind = order.type.replace("_", " ")
        super().__init__(
            only.code if only else EXHAUSTED,
            only.reason if only else f"no provider made the {kind}: {'; '.join(failed.reason for failed in attempts)}",
            retryable=any(error.retryable for error in errors.values()),
        )
        self.attempts = attempts
        self.spent = sum((error.spent for error in errors.values()), NOTHING)


class Chain:
    """The providers there are, by name, and which are asked in which order where nobody says."""

    def __init__(self, providers: Mapping[str, Provider], preference: Sequence[str]) -> None:
        self._providers = providers
        self._preference = self._named(preference)

    async def make(
        self, order: Order, report: Report, preference: Sequence[str] = (), without: Collection[str] = ()
    ) -> Outcome:
        """The structure, by the first provider that makes it; those of `without` are not asked.

        Raises UnknownProvider, NoProviderLeft, or the ValueError of an order that nothing can be made of.
        """
        errors: dict[str, ProviderError] = {}
        for name in self._chosen(preference):
            if name in without:
                continue
            try:
                made = await self._providers[name].make(order, report)
            except ProviderError as error:
                log.warning("provider.failed", provider=name, code=error.code.value, reason=error.reason)
                report(0.0, error.reason)
                errors[name] = error
            else:
                spent = sum((error.spent for error in errors.values()), made.spent)
                return Outcome(made, tuple(_failed(*failure) for failure in errors.items()), spent)
        raise NoProviderLeft(order, errors)

    def expect(self, order: Order, preference: Sequence[str] = (), unread_words: int = 0) -> Expectation:
        """What the first provider that could be asked expects, `unread_words` being those of a source without outline.

        Raises UnknownProvider, or NoProviderLeft where none could be asked.
        """
        errors: dict[str, ProviderError] = {}
        for name in self._chosen(preference):
            try:
                return self._providers[name].expect(order, unread_words)
            except ProviderError as error:
                errors[name] = error
        raise NoProviderLeft(order, errors)

    def _chosen(self, preference: Sequence[str]) -> tuple[str, ...]:
        return self._named(preference) or self._preference

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names as the providers have them, each once; raises UnknownProvider."""
        known = {**{name: name for name in self._providers}, **_ALSO_CALLED}
        chosen = [name.strip().lower() for name in names]
        for name in chosen:
            if known.get(name) not in self._providers:
                near = get_close_matches(name, self._providers, n=1)
                hint = f"did you mean “{near[0]}”?" if near else f"there are {', '.join(self._providers)}."
                raise UnknownProvider(f"There is no provider “{name[:60]}”; {hint}")
        return tuple(dict.fromkeys(known[name] for name in chosen))


def _failed(name: str, error: ProviderError) -> FailedProvider:
    return FailedProvider(provider=name, code=error.code, reason=error.reason)
