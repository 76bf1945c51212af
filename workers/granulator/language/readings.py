"""What a sentence does for a learner: defines, compares, explains, and so on, with the words that it does it with.

Rules on words, marks and tags, tried from the most telling to the plainest; a sentence that none fits has no reading.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from workers.granulator.language.clauses import (
    DANGLING,
    LEANING_PRONOUNS,
    LONGEST_CLAUSE_WORDS,
    finite_verb,
    is_command,
    main_clause,
    standing_clause,
    subject_of,
    uncapitalised,
    without_article,
)
from workers.granulator.language.english import Tag, fold
from workers.granulator.language.tagging import Tagged, tagged
from workers.granulator.language.tokens import tokenize

LONGEST_DEFINED_WORDS = 5
LONGEST_DEFINING_SUBJECT_WORDS = 3
SHORTEST_CONDITION_WORDS = 3
SHORTEST_COMMAND_WORDS = 3
# Nothing that a learner could keep in mind comes of a longer sentence.
LONGEST_READ_CHARACTERS = 400


class Nature(Enum):
    """What a sentence does for a learner."""

    DEFINITION = "definition"
    COMPARISON = "comparison"
    PROCEDURE = "procedure"
    CONDITION = "condition"
    CAUSE = "cause"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence's nature with the pieces that an objective is made of; which pieces depends on the nature.

    DEFINITION: the terms; COMPARISON: the two things compared; PROCEDURE: what is done; CONDITION: the condition with
    its word ("when ..."), then the result or ""; CAUSE: "why ..." or "what ... depends on"; STATEMENT: the clause.
    """

    nature: Nature
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadSentence:
    """A weighted sentence of the source, read once: its words, their tags, and what it does."""

    text: str
    weight: float
    tagged: Tagged
    folded: tuple[str, ...]
    reading: Reading | None


NAMING = re.compile(
    r"\b(?:(?:is|are|was|were|be)\s+(?:\w+ly\s+|often\s+|then\s+|also\s+)*(?:called|known as|termed|named|defined as)"
    r"|,\s+(?:called|known as|termed|named))\s+(?P<name>[^,.;:()]+)"
)
BEING = re.compile(r"^(?P<subject>(?:An?\s)?[^,.;:()]{3,60}?)\s+(?:is|are)\s+(?:an?|the)\s+(?!same\b)\w")
_HAVING = re.compile(r"^(?P<subject>An?\s\S+\s[^,.;:()]{3,60}?)\s+(?:has|consists\s+of)\s")
_CONTRAST = re.compile(r",\s+(?:whereas|while)\s+|\s+whereas\s+")
_BECAUSE = re.compile(r",?\s+because\s+(?!of\b)")
_HENCE = re.compile(r",\s+(?:so(?:\s+that)?|and\s+so|and\s+for\s+this\s+reason|and\s+therefore)\s+")
_DEPENDS = re.compile(r"^(?P<subject>[^,;:]+?)\s+depends?\s+(?P<on>on|upon)\s+")
_FRONTED = re.compile(r"^(?P<word>When|Where|If|As|Once|Unless)\s+(?P<condition>[^,;:]+),\s+(?P<result>[^;:]+)$")
_PURPOSE = re.compile(r"^To\s+(?P<aim>[^,;:]+),\s+")
_CONNECTIVE = re.compile(
    r"^(?:however|moreover|furthermore|therefore|thus|for example|for instance|in contrast|by contrast|in fact|indeed|"
    r"nevertheless|in short|in other words|finally|similarly|meanwhile|in general|in practice|of course),\s+",
    re.IGNORECASE,
)
# "As" in front of a state gives a reason, in front of an event a time.
_STATES = ("is", "are", "was", "were", "has", "have", "had")
_TERM_PARTS = frozenset({Tag.NOUN, Tag.ADJECTIVE})


def read_sentence(text: str, weight: float, names: Collection[str]) -> ReadSentence:
    """Read a sentence once for every later use; `names` are the words that keep their capital."""
    words = tagged(text)
    return ReadSentence(text, weight, words, tuple(fold(token.lower) for token in words.tokens), read(text, names))


def read(sentence: str, names: Collection[str]) -> Reading | None:
    """The most telling use of the sentence; None for one none of whose clauses can stand alone."""
    if len(sentence) > LONGEST_READ_CHARACTERS:
        return None
    text = _CONNECTIVE.sub("", sentence.strip()).rstrip(".!… ")
    readings = (rule(text, names) for rule in _RULES)
    return next((reading for reading in readings if reading), None)


def _definition(text: str, names: Collection[str]) -> Reading | None:
    """ "... is called high water", "A tide is the ...", "A mixed tide has ..."."""
    terms = [term for match in NAMING.finditer(text) if (term := named_term(match["name"]))]
    if not terms and (subject := defined_subject(text)):
        terms.append(uncapitalised(subject, names))
    return Reading(Nature.DEFINITION, tuple(terms)) if terms else None


def _comparison(text: str, names: Collection[str]) -> Reading | None:
    match = _CONTRAST.search(text)
    if not match:
        return None
    first = subject_of(text[: match.start()], names)
    second = subject_of(text[match.end() :], names)
    if first and second and first.lower() != second.lower():
        return Reading(Nature.COMPARISON, (first, second))
    return None


def _procedure(text: str, names: Collection[str]) -> Reading | None:
    """ "To find the depth, add ..." and "Fold the dough ..."."""
    purpose = _PURPOSE.match(text)
    if purpose:
        done = purpose["aim"]
    elif is_command(tokenize(text)):
        done = uncapitalised(main_clause(text).strip(" ,"), names)
    else:
        return None
    words = done.lower().split()
    too_long = not SHORTEST_COMMAND_WORDS <= len(words) + bool(purpose) <= LONGEST_CLAUSE_WORDS
    return None if too_long or (DANGLING | LEANING_PRONOUNS) & set(words) else Reading(Nature.PROCEDURE, (done,))


def _condition(text: str, names: Collection[str]) -> Reading | None:
    match = _FRONTED.match(text)
    condition = standing_clause(match["condition"], names, least=SHORTEST_CONDITION_WORDS) if match else None
    if not match or not condition or (match["word"] == "As" and finite_verb(condition) in _STATES):
        return None
    result = standing_clause(match["result"], names)
    return Reading(Nature.CONDITION, (f"{match['word'].lower()} {condition}", result or ""))


def _cause(text: str, names: Collection[str]) -> Reading | None:
    depends = _DEPENDS.match(text)
    if depends:
        subject = uncapitalised(depends["subject"], names)
        stands = standing_clause(text, names) is not None
        return Reading(Nature.CAUSE, (f"what {subject} depends {depends['on']}",)) if stands else None
    effect = _effect(text, names)
    return Reading(Nature.CAUSE, (f"why {effect}",)) if effect else None


def _effect(text: str, names: Collection[str]) -> str | None:
    """What is explained: the words before "because", or those behind "so"."""
    because, hence = _BECAUSE.search(text), _HENCE.search(text)
    if because:
        return standing_clause(text[: because.start()], names)
    return standing_clause(text[hence.end() :], names) if hence else None


def _statement(text: str, names: Collection[str]) -> Reading | None:
    clause = None if is_command(tokenize(text)) else standing_clause(text, names)
    return Reading(Nature.STATEMENT, (clause,)) if clause else None


_RULES = (_definition, _comparison, _procedure, _condition, _cause, _statement)


def named_term(name: str) -> str | None:
    """The term at the head of what follows "is called"; None where it is no noun phrase."""
    words = tagged(without_article(name))
    end = 0
    while end < len(words.tokens) and (words.tags[end] in _TERM_PARTS or _joins_nouns(words, end)):
        end += 1
    while end and words.tags[end - 1] is not Tag.NOUN:
        end -= 1
    return " ".join(token.text for token in words.tokens[:end]) if 0 < end <= LONGEST_DEFINED_WORDS else None


def _joins_nouns(words: Tagged, index: int) -> bool:
    """ "of" and "the" inside "age of the tide"."""
    if not index:
        return False
    word, before = words.tokens[index].lower, words.tokens[index - 1].lower
    return word == "of" or (word == "the" and before == "of")


def defined_subject(text: str) -> str | None:
    """A short subject that is a whole kind: bare or with "a", of nouns and adjectives alone."""
    match = BEING.match(text) or _HAVING.match(text)
    if not match or match["subject"].lower().startswith("the "):
        return None
    words = tagged(without_article(match["subject"]))
    few = len(words.tags) <= LONGEST_DEFINING_SUBJECT_WORDS
    kind = all(part in _TERM_PARTS for part in words.tags) and words.tags[-1] is Tag.NOUN
    return words.text if few and kind else None
