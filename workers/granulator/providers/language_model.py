"""A provider that asks a language model: the order becomes a prompt, and the answer a structure or a refusal.

An answer that is not the structure ordered is repaired once, with its faults named; what is still wrong then is
refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import ceil
from operator import add
from typing import Final

import aiohttp

from protocol.codec import dumps
from workers.granulator.providers.answer import UnusableAnswer, read_answer
from workers.granulator.providers.call import Caller
from workers.granulator.providers.dialect import Dialect, Draft, Question
from workers.granulator.providers.endpoint import Endpoint
from workers.granulator.providers.failure import ProviderError, ProviderFault, SchemaUnsupported
from workers.granulator.providers.patience import Patience
from workers.granulator.providers.prices import Prices
from workers.granulator.providers.prompt import SOURCE_CHARACTERS, Prompt, compose, repair
from workers.granulator.providers.provider import NOTHING, Expectation, Made, Order, Report, Spent
from workers.granulator.providers.schema import answer_schema
from workers.granulator.structure import Structure, StructureType
from workers.granulator.topic import usable_topic
from workers.kit.seams import Seams

LONGEST_ANSWER_TOKENS: Final = 16_384
"""Beyond what a structure of a thousand short elements takes."""
UNKNOWN_MODELS_ANSWER_TOKENS: Final = 8_192
CHARACTERS_PER_WORD: Final = 6
CHARACTERS_PER_TOKEN: Final = 4
"""Of English text and of JSON alike, by both vendors' rule of thumb."""
TOKENS_PER_SECOND: Final = 60
FIRST_TOKEN_MS: Final = 1_500
"""How fast a small hosted model answers. A judgement to start from; experience corrects it."""

_STEPS: Final = 50
_NEARLY: Final = 0.95
_FAULTS_SAID: Final = 3
_OUTPUT_SHARE: Final = 0.7
_BASE_TOKENS: Final[dict[StructureType, int]] = {
    "quiz": 2_000,
    "workflow": 2_500,
    "course": 3_000,
    "learning_path": 3_000,
    "knowledge_map": 3_500,
    "novel": 4_000,
}
"""Tokens of a whole conversation at granularity 0, seven tenths of them the answer; each level adds three tenths."""


@dataclass(slots=True)
class _Following:
    """Tells the growth of an answer in steps of a fiftieth of what is expected; what it tells never falls."""

    report: Report
    label: str
    expected: int
    share: float = 0.0
    told: int = 0

    def grown(self, characters: int) -> None:
        if abs(characters - self.told) * _STEPS < self.expected:
            return
        self.told = characters
        self.share = max(self.share, min(characters / self.expected, _NEARLY))
        self.say(f"{characters:,} of about {self.expected:,} characters")

    def say(self, what: str) -> None:
        self.report(self.share, f"{self.label}: {what}")


class LanguageModel:
    """One model at one endpoint, as a Provider."""

    def __init__(
        self,
        dialect: Dialect,
        endpoint: Endpoint,
        prices: Prices,
        patience: Patience | None = None,
        seams: Seams | None = None,
    ) -> None:
        self._dialect = dialect
        self._endpoint = endpoint
        self._prices = prices
        self._patience = patience or Patience()
        self._seams = seams or Seams()
        self._schema_enforced = True
        """Until the server has said that it cannot."""

    @property
    def name(self) -> str:
        return self._endpoint.name

    @property
    def model(self) -> str:
        return self._endpoint.model

    @property
    def longest_answer_tokens(self) -> int:
        known = self._prices.of(self.model)
        return min(LONGEST_ANSWER_TOKENS, known.longest_answer_tokens if known else UNKNOWN_MODELS_ANSWER_TOKENS)

    def expect(self, order: Order, unread_words: int = 0) -> Expectation:
        """From the prompt's real size, and the size that answers of the kind tend to have."""
        question = self._question(order, self._prompt(order, self._schema_enforced), self._schema_enforced)
        schema = len(dumps(question.schema)) if self._schema_enforced else 0
        unread = min(CHARACTERS_PER_WORD * unread_words, SOURCE_CHARACTERS) if order.outline is None else 0
        tokens_in = ceil((question.prompt.characters + schema + unread) / CHARACTERS_PER_TOKEN)
        tokens_out = self._expected_answer_tokens(order)
        return Expectation(
            key=f"{self.name}/{self.model}",
            ms=FIRST_TOKEN_MS + 1_000 * tokens_out / TOKENS_PER_SECOND,
            tokens=tokens_in + tokens_out,
            cost_usd=self._prices.cost(self.model, tokens_in, tokens_out),
        )

    async def make(self, order: Order, report: Report) -> Made:
        if order.outline is None:
            usable_topic(order.topic or "")
        following = _Following(
            report, f"{self.name}/{self.model}", CHARACTERS_PER_TOKEN * self._expected_answer_tokens(order)
        )
        async with self._session() as session:
            caller = Caller(session, self._dialect, self._endpoint, self._patience, self._seams, following.say)
            try:
                structure = await self._structure(order, caller, following)
            except ProviderError as error:
                error.spent = self._spent(caller.drafts)
                raise
        return Made(structure, self.name, self.model, self._spent(caller.drafts))

    async def _structure(self, order: Order, caller: Caller, following: _Following) -> Structure:
        prompt, enforced, text = await self._begun(order, caller, following)
        try:
            return read_answer(text, order, self.name)
        except UnusableAnswer as error:
            following.say(f"the answer cannot be used ({error}); asking for another")
            prompt = repair(prompt, text, error.faults)
        text = await self._ask(caller, self._question(order, prompt, enforced), following)
        try:
            return read_answer(text, order, self.name)
        except UnusableAnswer as error:
            raise self._unusable(order, error) from None

    async def _begun(self, order: Order, caller: Caller, following: _Following) -> tuple[Prompt, bool, str]:
        """The first answer, with the prompt that it answers and whether it was held to the schema."""
        enforced = self._schema_enforced
        prompt = self._prompt(order, enforced)
        try:
            return prompt, enforced, await self._ask(caller, self._question(order, prompt, enforced), following)
        except SchemaUnsupported:
            if not enforced:
                raise
        self._schema_enforced = False
        prompt = self._prompt(order, enforced=False)
        return prompt, False, await self._ask(caller, self._question(order, prompt, enforced=False), following)

    async def _ask(self, caller: Caller, question: Question, following: _Following) -> str:
        draft = await caller.ask(question, following.grown)
        if draft.ending == "truncated":
            raise ProviderError(
                ProviderFault.TRUNCATED,
                f"{self.name} broke its answer off at the limit of {question.longest_answer_tokens} tokens: "
                f"lower granularityLevel or maxElements, or choose a model with longer answers",
            )
        if draft.ending == "declined":
            reason = f"{self.name} declines to answer: change the topic or the source, or name another provider"
            raise ProviderError(ProviderFault.DECLINED, reason)
        # A server could say its own key back to us, and what it says goes into packets.
        return self._endpoint.redacted(draft.text)

    def _prompt(self, order: Order, enforced: bool) -> Prompt:
        return compose(order, None if enforced else answer_schema(order.type, order.outline is not None))

    def _question(self, order: Order, prompt: Prompt, enforced: bool) -> Question:
        schema = answer_schema(order.type, order.outline is not None)
        return Question(order.type, prompt, schema, self.longest_answer_tokens, enforced)

    def _unusable(self, order: Order, error: UnusableAnswer) -> ProviderError:
        kind, faults = order.type.replace("_", " "), "; ".join(error.faults[:_FAULTS_SAID])
        return ProviderError(
            ProviderFault.UNUSABLE_ANSWER,
            f"{self.name} answers with no usable {kind}, even after its faults were named to it ({faults}): "
            f"choose another model by {self._endpoint.vendor.model_variable}, or name another provider",
        )

    def _expected_answer_tokens(self, order: Order) -> int:
        whole = _BASE_TOKENS[order.type] * (1 + 0.3 * order.brief.granularity_level)
        return min(ceil(_OUTPUT_SHARE * whole), self.longest_answer_tokens)

    def _spent(self, drafts: Sequence[Draft]) -> Spent:
        """The sum of what the answers told; one that broke off before it told anything is left out."""
        told = [draft for draft in drafts if draft.ending is not None or draft.tokens_in is not None]
        return reduce(add, (self._spent_on(draft) for draft in told), NOTHING)

    def _spent_on(self, draft: Draft) -> Spent:
        cost = self._prices.cost(self.model, draft.tokens_in, draft.tokens_out)
        return Spent(draft.tokens_in, draft.tokens_out, cost)

    def _session(self) -> aiohttp.ClientSession:
        """One for each order: next to an answer's seconds a handshake is nothing, and nothing is left to close."""
        patience = self._patience
        timeout = aiohttp.ClientTimeout(
            total=patience.total_s, sock_connect=patience.connect_s, sock_read=patience.idle_s
        )
        return aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False)
