"""Whether what a structure says stands in its source: claims in the sentences they cite, answers, and the order.

Words are compared, not meanings: a claim that keeps most of its words is taken to say what the source says.
"""

from collections.abc import Iterator
from itertools import pairwise

from workers.granulator.knowledge_map.structure import Concept
from workers.granulator.language.english import STOP_WORDS, word_set
from workers.granulator.language.words import words_of
from workers.granulator.learning_path.structure import Milestone
from workers.granulator.quality.claims import Answered, Claim, Range, answers_of, claims_of, ranges_of
from workers.granulator.quality.finding import Finding, Measured, share
from workers.granulator.quality.tree import Placed, Tree
from workers.granulator.quality.yardstick import Yardstick

# Above chance and below a fair paraphrase; a judgement, not a measurement.
SUPPORTED_SHARE = 0.6
# An answer is short, and no word of it may be made up; a long one may be put a little otherwise.
ANSWERED_SHARE = 0.8
SHOWN_CHARACTERS = 80
NAMED_WORDS = 3

# "Give an account of the storm", "List the main parts of …": how a learner is told, whatever the matter.
_TELLING = word_set("account main part point text say happen term word")


def citations(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of claims most of whose words stand in the sentences they cite; None where no sentence is known.

    A leaf that makes claims and cites nothing has none of them supported.
    """
    if not yardstick.texts:
        return Measured(None)
    source = _Words(yardstick)
    judged = 0
    findings: list[Finding] = []
    for claim in claims_of(tree):
        words = _matter(claim)
        if words and source.knows(claim.cited):
            judged += 1
            findings += _faults(claim, words, source)
    return Measured(share(judged - len(findings), judged), tuple(findings))


def answers(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of questions whose answer stands in the sentences they cite; None where no sentence is known."""
    if not yardstick.texts:
        return Measured(None)
    source = _Words(yardstick)
    asked = [item for item in answers_of(tree) if source.knows(item.cited)]
    wrong = [item for item in asked if not _is_answered(item, source)]
    return Measured(share(len(asked) - len(wrong), len(asked)), tuple(map(_unanswered, wrong)))


def order(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of pairs in which what comes first also comes first in the source; 1 where there is no pair.

    Pairs are neighbours of a kind that follows its source, and whatever names another as needed before it. What cites
    nothing that the source has is in none.
    """
    cited = {placed.path: min(ranges)[0] for placed in tree.elements if (ranges := ranges_of(placed.element))}
    first = {path: sentence for path, sentence in cited.items() if 1 <= sentence <= yardstick.sentences}
    neighbours = pairwise(placed for placed in tree.of(tree.view.in_order) if placed.path in first)
    pairs = [*neighbours, *((one, other) for one, other in _needed(tree) if one.path in first and other.path in first)]
    wrong = [(one, other) for one, other in pairs if first[one.path] > first[other.path]]
    return Measured(1 - share(len(wrong), len(pairs)), tuple(_misplaced(one, other) for one, other in wrong))


class _Words:
    """The folded words of the source's sentences, of each range only once; those of its headings are everywhere."""

    def __init__(self, yardstick: Yardstick) -> None:
        self._sentences = {number: frozenset(words_of(text)) for number, text in yardstick.texts.items()}
        self._headings = frozenset(word for heading in yardstick.headings for word in words_of(heading))
        self._whole = self._headings.union(*self._sentences.values())
        self._ranges: dict[tuple[Range, ...], frozenset[str]] = {}

    def knows(self, ranges: tuple[Range, ...]) -> bool:
        """Whether every sentence of the ranges is known that the source can have."""
        return all(number in self._sentences for number in self._numbers(ranges))

    def of(self, ranges: tuple[Range, ...]) -> frozenset[str]:
        """The words of the sentences in the ranges, or of the whole source where there are none."""
        if not ranges:
            return self._whole
        if ranges not in self._ranges:
            said = (self._sentences.get(number, frozenset()) for number in self._numbers(ranges))
            self._ranges[ranges] = self._headings.union(*said)
        return self._ranges[ranges]

    def _numbers(self, ranges: tuple[Range, ...]) -> Iterator[int]:
        last = max(self._sentences)
        return (number for first, end in ranges for number in range(max(first, 1), min(end, last) + 1))


def _matter(claim: Claim) -> frozenset[str]:
    """The words of a claim that say what it is about."""
    words = words_of(claim.text)
    said = set(words[1:]) - _TELLING if claim.told else words
    return frozenset(word for word in said if word not in STOP_WORDS)


def _faults(claim: Claim, words: frozenset[str], source: _Words) -> Iterator[Finding]:
    if claim.must_cite and not claim.cited:
        yield _finding("claim_uncited", claim.path, f"{_shown(claim.text)} names no sentence of the source.")
    elif share(len(words & source.of(claim.cited)), len(words)) < SUPPORTED_SHARE:
        where = "the sentences cited" if claim.cited else "the source"
        missing = ", ".join(sorted(words - source.of(claim.cited))[:NAMED_WORDS])
        message = f"{_shown(claim.text)} is not what {where} says: “{missing}” is not there."
        yield _finding("claim_unsupported", claim.path, message)


def _is_answered(item: Answered, source: _Words) -> bool:
    words = frozenset(words_of(item.question.answer))
    return share(len(words & source.of(item.cited)), len(words)) >= ANSWERED_SHARE


def _unanswered(item: Answered) -> Finding:
    message = f"The answer {_shown(item.question.answer)} does not stand in the sentences that the question cites."
    return _finding("answer_not_in_source", f"{item.path}/answer", message)


def _needed(tree: Tree) -> Iterator[tuple[Placed, Placed]]:
    """Pairs of elements of which the second names the first as needed before it."""
    known = {placed.element.id: placed for placed in tree.elements if isinstance(placed.element, Concept | Milestone)}
    for placed in known.values():
        match placed.element:
            case Concept(prerequisites=names) | Milestone(requires=names):
                yield from ((known[name], placed) for name in names if name in known)


def _misplaced(one: Placed, other: Placed) -> Finding:
    message = f"{other.named} comes after {one.named}, and before it in the source."
    return _finding("order_against_source", other.path, message)


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= SHOWN_CHARACTERS else f"“{text[:SHOWN_CHARACTERS].rstrip()}…”"


def _finding(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity="warning", path=path, message=message)
