"""Learning objectives from what a text says: the verb follows the nature of a sentence, the rest are its own words.

Each objective is one sentence that completes "After this the learner can ..."; none is made where no clause stands.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workers.granulator.language.clauses import finite_verb, is_command, uncapitalised, without_article
from workers.granulator.language.english import CLOSED_CLASSES, Tag, is_participle, word_set
from workers.granulator.language.kinds import kinds_of_one_thing
from workers.granulator.language.phrases import natural_phrase
from workers.granulator.language.readings import Nature, Reading, ReadSentence
from workers.granulator.language.tagging import tagged
from workers.granulator.language.tokens import tokenize
from workers.granulator.language.words import Words, words_of

LESSON_OBJECTIVES = 3
MOST_DEFINITIONS = 3
LONGEST_CONDITION_WORDS = 20

MATTERLESS_HEADINGS = word_set(
    "introduction conclusion conclusions summary overview background preface foreword abstract notes note references "
    "appendix discussion results methods contents acknowledgements prologue epilogue license licence"
)

# Terms come before what is said with them, and facts before reasons.
ORDER = (
    Nature.DEFINITION,
    Nature.STATEMENT,
    Nature.COMPARISON,
    Nature.CAUSE,
    Nature.CONDITION,
    Nature.PROCEDURE,
)
# How much a kind of objective asks of the learner, after Bloom's order: recall least, explain and apply most.
_DEMAND = {
    Nature.DEFINITION: 1.3,
    Nature.COMPARISON: 1.6,
    Nature.CAUSE: 1.6,
    Nature.CONDITION: 1.3,
    Nature.PROCEDURE: 1.6,
    Nature.STATEMENT: 0.6,
}
_BROKEN = re.compile(r"[:;()\[\]{}|/]|\s[–—-]\s")
_MISREAD_AFTER_HOW = word_set("many much few long far often little high low deep")
_QUESTION_WORDS = ("why", "how", "what", "where", "who", "which")
_STATIC_VERBS = word_set(
    "is are was were has have had do does did be can could may might must should will would cannot contain contains "
    "contained include includes included consist consists need needs mean means remain remains seem seems belong "
    "belongs lack lacks"
)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective and the nature of the sentence it comes from; higher ranks first within its passage."""

    text: str
    nature: Nature
    rank: float


def objectives_from(sentences: Sequence[ReadSentence], names: Collection[str]) -> list[Objective]:
    """Objectives from weighted sentences, best first; several definitions become one objective."""
    kinds = kinds_of_one_thing(sentences, names)
    told_apart = {words_of(without_article(kind)) for group in kinds for kind in group}
    defined: dict[Words, tuple[str, float]] = {}
    objectives = [_distinction(group) for group in kinds]
    for sentence in sentences:
        reading = sentence.reading
        if reading is None:
            continue
        if reading.nature is Nature.DEFINITION:
            for term in reading.pieces:
                defined.setdefault(words_of(term), (term, sentence.weight))
        else:
            objectives.append(Objective(_phrase(reading), reading.nature, sentence.weight * _DEMAND[reading.nature]))
    new = [term for key, term in defined.items() if key not in told_apart]
    if new:
        objectives.append(_definitions(new[:MOST_DEFINITIONS]))
    return sorted(_distinct(objectives), key=lambda objective: -objective.rank)


def objective_from_heading(heading: str, sentences: Sequence[ReadSentence], names: Collection[str]) -> str:
    """An objective for all that stands under a heading; a heading that fits no sentence is quoted."""
    if heading.endswith("?"):
        return f"Answer the question “{heading}”"
    inner = heading if _is_written_so(heading, sentences) else _inner(heading, names)
    words = inner.lower().split()
    account = account_of(heading)
    if _BROKEN.search(heading) or not words or words[-1] in MATTERLESS_HEADINGS:
        return account
    if words[0] in _QUESTION_WORDS:
        return f"Explain {inner}."
    if words[0] in ("when", "where", "if"):
        return f"Explain what happens {inner}."
    if is_participle(words[0], "ing"):
        return f"Explain what {inner} {'involve' if 'and' in words else 'involves'}."
    if is_command(tokenize(heading)):
        return f"Show how to {inner}."
    if len(words) > 2 and finite_verb(inner):
        return f"Explain how {inner}."
    spoken = inner if _reads_without_article(inner, names) else natural_phrase(inner, sentences, names)
    return f"Give an account of {spoken}." if spoken else account


def account_of(heading: str) -> str:
    """An objective for what stands under a heading of any form, in any language."""
    return f"Summarise the main points of “{heading}”."


def objective_from_terms(terms: Sequence[str]) -> str:
    """The plainest objective, for a passage none of whose clauses stands alone; at least one term."""
    return f"Summarise what the text says about {quoted(terms)}."


def quoted(terms: Sequence[str]) -> str:
    """ "“a”", "“a” and “b”", "“a”, “b” and “c”"; at least one term."""
    *rest, last = (f"“{term}”" for term in terms)
    return f"{', '.join(rest)} and {last}" if rest else last


def tells_event(clause: str) -> bool:
    """Whether "how" fits before a clause: it tells an event, not a state, and "how many" would not be misread."""
    verb = finite_verb(clause)
    return verb is not None and verb not in _STATIC_VERBS and clause.split()[0] not in _MISREAD_AFTER_HOW


def _definitions(defined: Sequence[tuple[str, float]]) -> Objective:
    weight = max(weight for _, weight in defined) * _DEMAND[Nature.DEFINITION]
    return Objective(f"Define {quoted([term for term, _ in defined])}.", Nature.DEFINITION, weight)


def _distinction(kinds: Mapping[str, float]) -> Objective:
    *rest, last = kinds
    text = f"Distinguish between {', '.join(rest)} and {last}."
    return Objective(text, Nature.COMPARISON, max(kinds.values()) * _DEMAND[Nature.COMPARISON])


def _phrase(reading: Reading) -> str:
    """The objective that a reading of any nature but DEFINITION makes."""
    first, *rest = reading.pieces
    match reading.nature:
        case Nature.COMPARISON:
            return f"Compare {first} with {rest[0]}."
        case Nature.CAUSE:
            return f"Explain {first}."
        case Nature.CONDITION:
            return _on_condition(first, rest[0])
        case Nature.PROCEDURE:
            return f"Show how to {first}."
        case _:
            return f"Describe how {first}." if tells_event(first) else f"Recall that {first}."


def _on_condition(condition: str, result: str) -> str:
    if condition.startswith(("if", "unless")):
        supposed = " were " in condition or " would " in result
        return f"Predict what {'would happen' if supposed else 'happens'} {condition}."
    if result and len(f"{result} {condition}".split()) <= LONGEST_CONDITION_WORDS:
        return f"Explain why {result} {condition}."
    return f"Explain what happens {condition}."


def _is_written_so(heading: str, sentences: Sequence[ReadSentence]) -> bool:
    """Whether a sentence holds the heading letter for letter within, capitals and all."""
    return any(sentence.text.find(heading, 1) > 0 for sentence in sentences)


def _inner(heading: str, names: Collection[str]) -> str:
    """A heading as it goes inside a sentence; title case is taken off all words but names."""
    text = heading.rstrip("!. ")
    words = [token for token in tokenize(text)[1:] if token.is_word and token.lower not in CLOSED_CLASSES]
    if not words or not all(token.text[0].isupper() for token in words):
        return uncapitalised(text, names)
    return " ".join(uncapitalised(word, names) for word in text.split())


def _distinct(objectives: Iterable[Objective]) -> Iterator[Objective]:
    seen: set[str] = set()
    for objective in objectives:
        if objective.text.casefold() not in seen:
            seen.add(objective.text.casefold())
            yield objective


def _reads_without_article(heading: str, names: Collection[str]) -> bool:
    """ "tidal streams", "the Sun and the Moon", "patterns along the coast": plural, determined, listed or a name."""
    opening = re.split(r"\s(?:of|in|on|along|for|from|to|with|by|at)\s", heading, maxsplit=1)[0]
    words = tagged(opening)
    if not words.tags or words.tags[0] in (Tag.PREPOSITION, Tag.SUBORDINATOR, Tag.CONJUNCTION):
        return False
    last = words.tokens[-1]
    plural = last.lower.endswith("s") and not last.lower.endswith(("ss", "us", "is"))
    return plural or words.tags[0] is Tag.DETERMINER or " and " in opening or last.text in names
