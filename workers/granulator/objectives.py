"""Learning objectives from what a text says: the verb follows the nature of a sentence, the rest are its own words.

Each objective is one sentence that completes "After this the learner can ..."; none is made where no clause stands.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.clauses import (
    Nature,
    Reading,
    finite_verb,
    is_command,
    read,
    subject_of,
    uncapitalised,
    without_article,
)
from workers.granulator.english import CLOSED_CLASSES, Tag, fold, is_participle, word_set
from workers.granulator.phrases import natural_phrase
from workers.granulator.tagging import tag
from workers.granulator.tokens import tokenize

LESSON_OBJECTIVES = 3
MOST_DEFINITIONS = 3
LONGEST_CONDITION_WORDS = 20

_BROKEN = re.compile(r"[:;()\[\]{}|/]|\s[–—-]\s")
_MISREAD_AFTER_HOW = word_set("many much few long far often little high low deep")
_QUESTION_WORDS = ("why", "how", "what", "where", "who", "which")
_STATIC_VERBS = word_set(
    "is are was were has have had do does did be can could may might must should will would cannot"
)
MATTERLESS_HEADINGS = word_set(
    "introduction conclusion conclusions summary overview background preface foreword abstract notes note references "
    "appendix discussion results methods contents acknowledgements prologue epilogue license licence"
)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective and the nature of the sentence it comes from; higher ranks first within its passage."""

    text: str
    nature: Nature
    rank: float


# How much a kind of objective asks of the learner, after Bloom's order: recall least, explain and apply most.
_DEMAND = {
    Nature.DEFINITION: 1.3,
    Nature.COMPARISON: 1.6,
    Nature.CAUSE: 1.6,
    Nature.CONDITION: 1.3,
    Nature.PROCEDURE: 1.6,
    Nature.STATEMENT: 0.6,
}
# Terms come before what is said with them, and facts before reasons.
ORDER = (
    Nature.DEFINITION,
    Nature.STATEMENT,
    Nature.COMPARISON,
    Nature.CAUSE,
    Nature.CONDITION,
    Nature.PROCEDURE,
)


def objectives_from(sentences: Sequence[tuple[str, float]], names: Collection[str]) -> list[Objective]:
    """Objectives from weighted sentences, best first; several definitions become one objective."""
    kinds = kinds_of_one_thing((sentence for sentence, _ in sentences), names)
    told_apart = {folded(without_article(kind)) for group in kinds for kind in group}
    defined: dict[tuple[str, ...], tuple[str, float]] = {}
    objectives = [_distinction(group, sentences) for group in kinds]
    for sentence, weight in sentences:
        first = next(iter(read(sentence, names)), None)
        if first is None:
            continue
        if first.nature is Nature.DEFINITION:
            for term in first.pieces:
                defined.setdefault(folded(term), (term, weight))
        else:
            objectives.append(Objective(phrase(first), first.nature, weight * _DEMAND[first.nature]))
    new = [pair for key, pair in defined.items() if key not in told_apart]
    if new:
        objectives.append(_definitions(new[:MOST_DEFINITIONS]))
    return sorted(_distinct(objectives), key=lambda objective: -objective.rank)


def objective_from_heading(heading: str, sentences: Sequence[str], names: Collection[str]) -> str:
    """An objective for all that stands under a heading; a heading that fits no sentence is quoted."""
    if heading.endswith("?"):
        return f"Answer the question “{heading}”"
    if _BROKEN.search(heading):
        return f"Summarise the main points of “{heading}”."
    inner = _inner(heading, names)
    words = inner.split()
    if words[0] in _QUESTION_WORDS:
        return f"Explain {inner}."
    if words[0] in ("when", "where", "if"):
        return f"Explain what happens {inner}."
    tokens = tokenize(heading)
    if is_participle(words[0], "ing"):
        return f"Explain what {inner} {'involve' if 'and' in words else 'involves'}."
    if tokens and is_command(tokens):
        return f"Show how to {inner}."
    if len(words) > 2 and finite_verb(inner) and tag(tokens)[0] is not Tag.VERB:
        return f"Explain how {inner}."
    spoken = inner if _reads_without_article(inner, names) else natural_phrase(inner, sentences, names)
    if spoken is None or words[-1] in MATTERLESS_HEADINGS:
        return f"Summarise the main points of “{heading}”."
    return f"Give an account of {spoken}."


def _inner(heading: str, names: Collection[str]) -> str:
    """A heading as it goes inside a sentence; title case is taken off all words but names."""
    text = heading.rstrip("!. ")
    words = [token for token in tokenize(text)[1:] if token.is_word and token.lower not in CLOSED_CLASSES]
    if not words or not all(token.text[0].isupper() for token in words):
        return uncapitalised(text, names)
    return " ".join(uncapitalised(word, names) for word in text.split())


def objective_from_terms(terms: Sequence[str]) -> str:
    """The plainest objective, for a passage none of whose clauses stands alone."""
    return f"Summarise what the text says about {quoted(terms)}." if terms else "Summarise the passage."


def quoted(terms: Sequence[str]) -> str:
    """ "“a”", "“a” and “b”", "“a”, “b” and “c”"."""
    *rest, last = (f"“{term}”" for term in terms)
    return f"{', '.join(rest)} and {last}" if rest else last


def _definitions(defined: Sequence[tuple[str, float]]) -> Objective:
    weight = max(weight for _, weight in defined) * _DEMAND[Nature.DEFINITION]
    return Objective(f"Define {quoted([term for term, _ in defined])}.", Nature.DEFINITION, weight)


def kinds_of_one_thing(sentences: Iterable[str], names: Collection[str]) -> list[tuple[str, ...]]:
    """The subjects, each with its article, of "A spring tide ...", "A neap tide ...", where their last word is one."""
    kinds: dict[str, dict[str, None]] = defaultdict(dict)
    for sentence in sentences:
        subject = subject_of(sentence, names) if sentence.startswith(("A ", "An ")) else None
        if subject and _is_kind(subject):
            kinds[fold(subject.split()[-1])].setdefault(subject)
    return [tuple(subjects) for subjects in kinds.values() if len(subjects) > 1]


def _is_kind(subject: str) -> bool:
    """ "a mixed tide", not "a tide table": an article, one adjective and a noun."""
    tags = tag(tokenize(subject))
    return tags == [Tag.DETERMINER, Tag.ADJECTIVE, Tag.NOUN]


def _distinction(kinds: Sequence[str], sentences: Sequence[tuple[str, float]]) -> Objective:
    *rest, last = kinds
    openings = tuple(kind.lower() for kind in kinds)
    weight = max(weight for sentence, weight in sentences if sentence.lower().startswith(openings))
    text = f"Distinguish between {', '.join(rest)} and {last}."
    return Objective(text, Nature.COMPARISON, weight * _DEMAND[Nature.COMPARISON])


def phrase(reading: Reading) -> str:
    """The objective that a reading of any nature but DEFINITION makes."""
    pieces = reading.pieces
    match reading.nature:
        case Nature.COMPARISON:
            return f"Compare {pieces[0]} with {pieces[1]}."
        case Nature.CAUSE:
            return f"Explain {pieces[0]}."
        case Nature.CONDITION:
            return _condition(*pieces)
        case Nature.PROCEDURE:
            return f"Show how to {pieces[0]}."
        case _:
            return _statement(pieces[0])


def _condition(condition: str, result: str) -> str:
    if condition.startswith(("if", "unless")):
        supposed = " were " in condition or " would " in result
        return f"Predict what {'would happen' if supposed else 'happens'} {condition}."
    if result and len(f"{result} {condition}".split()) <= LONGEST_CONDITION_WORDS:
        return f"Explain why {result} {condition}."
    return f"Explain what happens {condition}."


def _statement(clause: str) -> str:
    return f"Describe how {clause}." if tells_event(clause) else f"Recall that {clause}."


def tells_event(clause: str) -> bool:
    """Whether "how" fits before a clause: it tells an event, not a state, and "how many" would not be misread."""
    verb = finite_verb(clause)
    return verb is not None and verb not in _STATIC_VERBS and clause.split()[0] not in _MISREAD_AFTER_HOW


def folded(term: str) -> tuple[str, ...]:
    """A term's words without case and plural."""
    return tuple(fold(word) for word in term.split())


def _distinct(objectives: Iterable[Objective]) -> Iterator[Objective]:
    seen: set[str] = set()
    for objective in objectives:
        if objective.text.casefold() not in seen:
            seen.add(objective.text.casefold())
            yield objective


def _reads_without_article(heading: str, names: Collection[str]) -> bool:
    """ "tidal streams", "the Sun and the Moon", "Patterns along the coast": plural, determined, listed or a name."""
    opening = re.split(r"\s(?:of|in|on|along|for|from|to|with|by|at)\s", heading, maxsplit=1)[0]
    words = tokenize(opening)
    if not words or CLOSED_CLASSES.get(words[0].lower) in (Tag.PREPOSITION, Tag.SUBORDINATOR, Tag.CONJUNCTION):
        return False
    last = words[-1].lower
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is"))
    determined = CLOSED_CLASSES.get(words[0].lower) is Tag.DETERMINER
    return plural or determined or " and " in opening or words[-1].text in names
