"""The providers as the environment sets them up, read once when the worker starts.

Without a word nothing leaves the machine: a key alone does not make its provider the preferred one. Either
GRANULATOR_PROVIDERS names the order (`openai,offline`) or a request does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from workers.granulator.providers.anthropic import Anthropic
from workers.granulator.providers.chain import Chain
from workers.granulator.providers.dialect import Dialect
from workers.granulator.providers.endpoint import endpoint_from
from workers.granulator.providers.failure import ProviderError
from workers.granulator.providers.language_model import LanguageModel
from workers.granulator.providers.offline import OFFLINE, Offline
from workers.granulator.providers.openai_compatible import OpenAiCompatible
from workers.granulator.providers.patience import Patience
from workers.granulator.providers.prices import Prices, prices_from
from workers.granulator.providers.provider import Order, Provider, Report
from workers.kit.seams import Seams

VARIABLE: Final = "GRANULATOR_PROVIDERS"


@dataclass(frozen=True, slots=True)
class Unconfigured:
    """A provider that is known but not set up; it says so whenever it is asked."""

    name: str
    error: ProviderError
    model: None = None

    async def make(self, order: Order, report: Report) -> NoReturn:
        self._refuse()

    def expect(self, order: Order, unread_words: int = 0) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        # Anew each time: a traceback would grow with every raise of the same exception.
        raise ProviderError(self.error.code, self.error.reason)


def configured(environment: Mapping[str, str], patience: Patience | None = None, seams: Seams | None = None) -> Chain:
    """All providers, in the order that GRANULATOR_PROVIDERS gives; offline alone where it gives none.

    Raises UnknownProvider or UnusablePrices for settings that are wrong whoever asks.
    """
    prices = prices_from(environment)

    def of(dialect: Dialect) -> Provider:
        return _language_model(dialect, environment, prices, patience, seams)

    providers: dict[str, Provider] = {
        OFFLINE: Offline(),
        **{dialect.vendor.name: of(dialect) for dialect in (OpenAiCompatible(), Anthropic())},
    }
    named = [name for name in environment.get(VARIABLE, "").split(",") if name.strip()]
    return Chain(providers, named or [OFFLINE])


def _language_model(
    dialect: Dialect,
    environment: Mapping[str, str],
    prices: Prices,
    patience: Patience | None,
    seams: Seams | None,
) -> Provider:
    try:
        endpoint = endpoint_from(environment, dialect.vendor)
    except ProviderError as error:
        return Unconfigured(dialect.vendor.name, error)
    return LanguageModel(dialect, endpoint, prices, patience, seams)
