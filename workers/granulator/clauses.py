"""What a sentence does and which of its clauses can stand in a new sentence: rules on words, marks and tags.

A clause is given out only if it keeps its meaning away from its neighbours; in doubt there is None, never a fragment.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from workers.granulator.english import (
    AMBIGUOUS_FORMS,
    CLOSED_CLASSES,
    GENERIC_NOUNS,
    VERB_BASES,
    Tag,
    fold,
    is_participle,
    word_set,
)
from workers.granulator.tagging import tag
from workers.granulator.tokens import Token, tokenize

SHORTEST_CLAUSE_WORDS, LONGEST_CLAUSE_WORDS = 4, 22
SHORTEST_CONDITION_WORDS = 3
LONGEST_DEFINED_WORDS = 5
LONGEST_DEFINING_SUBJECT_WORDS = 3
LONGEST_MOVED_WORDS = 12


class Nature(Enum):
    """What a sentence does for a learner."""

    DEFINITION = "definition"
    COMPARISON = "comparison"
    CAUSE = "cause"
    CONDITION = "condition"
    PROCEDURE = "procedure"
    STATEMENT = "statement"


_NAMING = re.compile(
    r"\b(?:(?:is|are|was|were|be)\s+(?:\w+ly\s+|often\s+|then\s+|also\s+)*(?:called|known as|termed|named|defined as)"
    r"|,\s+(?:called|known as|termed|named))\s+(?P<name>[^,.;:()]+)"
)
_BEING = re.compile(r"^(?P<subject>(?:An?\s)?[^,.;:()]{3,60}?)\s+(?:is|are)\s+(?:an?|the)\s+(?!same\b)\w")
_HAVING = re.compile(r"^(?P<subject>An?\s\S+\s[^,.;:()]{3,60}?)\s+(?:has|consists\s+of)\s")
_CONTRAST = re.compile(r",\s+(?:whereas|while|but)\s+|\s+whereas\s+")
_BECAUSE = re.compile(r",?\s+because\s+(?!of\b)", re.IGNORECASE)
_HENCE = re.compile(r",\s+(?:so(?:\s+that)?|and\s+so|and\s+for\s+this\s+reason|and\s+therefore)\s+")
_DEPENDS = re.compile(r"^(?P<subject>[^,;:]+?)\s+depends?\s+(?P<on>on|upon)\s+")
_FRONTED = re.compile(r"^(?P<word>When|Where|If|As|Once|Unless)\s+(?P<condition>[^,;:]+),\s+(?P<result>[^;:]+)$")
_PURPOSE = re.compile(r"^To\s+(?P<aim>[^,;:]+),\s+")
_CONNECTIVE = re.compile(
    r"^(?:however|moreover|furthermore|therefore|thus|for example|for instance|in contrast|by contrast|in fact|indeed|"
    r"nevertheless|in short|in other words|finally|similarly|meanwhile|in general|in practice|of course),\s+",
    re.IGNORECASE,
)
_LINKING_ADVERB = re.compile(r"\s(?:also|therefore|thus|then|hence|in turn)\b(?=\s|$)|\s(?:too|as well)$")
_TAIL = re.compile(
    r"[;:(—]|\s–\s|,\s+(?:which|where|who|whose|because|whereas|while|although|though|but|so|since|as|when|if|then|"
    r"one|such as|including|except|especially|in contrast)\b|,\s+\w+(?:ing|ed)\b"
)
_AND_CLAUSE = re.compile(r",\s+and\s+")
_DANGLING = word_set("this these those they them he him his she her hers we us our you your i my me")
_LEANING_PRONOUNS = frozenset(("it", "its", "their", "itself", "themselves"))
_LEANING_PHRASES = ("as a result", "for example", "for instance", "the former", "the latter", "the following")
_OPENS_CLAUSE = frozenset({Tag.DETERMINER, Tag.NOUN, Tag.ADJECTIVE, Tag.NUMBER})
_TERM_PARTS = frozenset({Tag.NOUN, Tag.ADJECTIVE})
_NEVER_LAST = frozenset({Tag.PREPOSITION, Tag.DETERMINER, Tag.CONJUNCTION, Tag.SUBORDINATOR, Tag.TO, Tag.MODAL})


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence's nature with the pieces that an objective is made of; which pieces depends on the nature.

    DEFINITION: the term; COMPARISON: the two things compared; CAUSE: the effect; CONDITION: the condition with its
    word ("when ..."), then the result; PROCEDURE: what is done; STATEMENT: the main clause.
    """

    nature: Nature
    pieces: tuple[str, ...]


def read(sentence: str, names: Collection[str]) -> tuple[Reading, ...]:
    """Everything the sentence can be used for, the most telling first; nothing for one that cannot stand alone."""
    text = _CONNECTIVE.sub("", sentence.strip()).rstrip(".!… ")
    readings = (
        _definition(text, names),
        _comparison(text, names),
        _procedure(text, names),
        _condition(text, names),
        _cause(text, names),
        _statement(text, names),
    )
    return tuple(reading for reading in readings if reading)


def finite_verb(text: str) -> str | None:
    """The verb that makes the words a clause, in lower case; None where they are no clause."""
    tokens = tokenize(text)
    place = _finite_verb(tokens, tag(tokens))
    return None if place is None else tokens[place].lower


def uncapitalised(text: str, names: Collection[str]) -> str:
    """The text as it goes inside a sentence: a first word that is no name loses its capital."""
    opening = re.match(r"[^\W\d_]+(?:-[^\W\d_]+)*(?P<next>\s[^\W\d_])?", text)
    if not opening:
        return text
    word = opening[0].split()[0]
    proper = word in names or any(letter.isupper() for letter in word[1:])
    two_capitals = bool(opening["next"]) and opening["next"].strip().isupper() and word.lower() not in CLOSED_CLASSES
    return text if proper or two_capitals else text[0].lower() + text[1:]


def standing_clause(text: str, names: Collection[str], least: int = SHORTEST_CLAUSE_WORDS) -> str | None:
    """The main clause without its tail, ready to follow "how" or "that"; None where it would not stand alone."""
    text = _with_place_last(text)
    clause = _without_second_clause(text[: match.start()] if (match := _TAIL.search(text)) else text)
    clause = _LINKING_ADVERB.sub("", clause).strip(" ,.")
    tokens = tokenize(clause)
    words = [token for token in tokens if token.text[0].isalnum()]
    if not least <= len(words) <= LONGEST_CLAUSE_WORDS or '"' in clause or "“" in clause:
        return None
    tags = tag(tokens)
    verb = _finite_verb(tokens, tags)
    if tags[0] not in _OPENS_CLAUSE or verb is None or tags[-1] in _NEVER_LAST:
        return None
    if any(phrase in clause for phrase in _LEANING_PHRASES):
        return None
    if _leans(tokens, tags) or _has_empty_subject(tokens[:verb]) or _has_stray_comma(clause):
        return None
    return uncapitalised(clause, names)


def _definition(text: str, names: Collection[str]) -> Reading | None:
    named = tuple(term for match in _NAMING.finditer(text) if (term := _named_term(match["name"])))
    if named:
        return Reading(Nature.DEFINITION, named)
    subject = _defined_subject(text)
    return Reading(Nature.DEFINITION, (uncapitalised(subject, names),)) if subject else None


def _named_term(name: str) -> str | None:
    """The term at the head of what follows "is called"; None where it is no noun phrase."""
    tokens = tokenize(without_article(name))
    tags = tag(tokens)
    end = 0
    while end < len(tokens) and (tags[end] in _TERM_PARTS or (end and _is_of(tokens, tags, end))):
        end += 1
    while end and tags[end - 1] is not Tag.NOUN:
        end -= 1
    return " ".join(token.text for token in tokens[:end]) if 0 < end <= LONGEST_DEFINED_WORDS else None


def _is_of(tokens: Sequence[Token], tags: Sequence[Tag], index: int) -> bool:
    """ "of" and "the" inside "age of the tide"."""
    return tokens[index].lower == "of" or (tokens[index].lower == "the" and tokens[index - 1].lower == "of")


def _defined_subject(text: str) -> str | None:
    """ "A tide is the ...", "Slack water is the ...", "A mixed tide has ...": a short subject that is a whole kind."""
    match = _BEING.match(text) or _HAVING.match(text)
    if not match or match["subject"].lower().startswith("the "):
        return None
    subject = without_article(match["subject"])
    tags = tag(tokenize(subject))
    few = len(tags) <= LONGEST_DEFINING_SUBJECT_WORDS
    return subject if few and all(part in _TERM_PARTS for part in tags) and tags[-1] is Tag.NOUN else None


def _comparison(text: str, names: Collection[str]) -> Reading | None:
    match = _CONTRAST.search(text)
    if not match or match[0].strip(", ") == "but":
        return None
    first = subject_of(text[: match.start()], names)
    second = subject_of(text[match.end() :], names)
    if first and second and first.lower() != second.lower():
        return Reading(Nature.COMPARISON, (first, second))
    return None


def _cause(text: str, names: Collection[str]) -> Reading | None:
    depends = _DEPENDS.match(text)
    if depends:
        clause = standing_clause(text, names)
        subject = uncapitalised(depends["subject"], names)
        return Reading(Nature.CAUSE, (f"what {subject} depends {depends['on']}",)) if clause else None
    because = _BECAUSE.search(text)
    if because and because.start():
        effect = standing_clause(text[: because.start()], names)
    else:
        hence = _HENCE.search(text)
        effect = standing_clause(text[hence.end() :], names) if hence else None
    return Reading(Nature.CAUSE, (f"why {effect}",)) if effect else None


def _condition(text: str, names: Collection[str]) -> Reading | None:
    match = _FRONTED.match(text)
    if not match:
        return None
    condition = standing_clause(match["condition"], names, least=SHORTEST_CONDITION_WORDS)
    result = standing_clause(match["result"], names)
    if not condition:
        return None
    return Reading(Nature.CONDITION, (f"{match['word'].lower()} {condition}", result or ""))


def _procedure(text: str, names: Collection[str]) -> Reading | None:
    purpose = _PURPOSE.match(text)
    if purpose and not (_DANGLING | _LEANING_PRONOUNS) & set(purpose["aim"].lower().split()):
        return Reading(Nature.PROCEDURE, (purpose["aim"],))
    tokens = tokenize(text)
    if not is_command(tokens):
        return None
    end = _TAIL.search(text)
    command = _without_second_clause(text[: end.start()] if end else text).strip(" ,")
    words = [token.lower for token in tokenize(command)]
    if not SHORTEST_CLAUSE_WORDS - 1 <= len(words) <= LONGEST_CLAUSE_WORDS or {"it", "them", *_DANGLING} & set(words):
        return None
    return Reading(Nature.PROCEDURE, (uncapitalised(command, names),))


def is_command(tokens: Sequence[Token]) -> bool:
    """Whether the words open like "Fold the dough" or "Add salt": a bare verb that is no noun there."""
    if len(tokens) < 2 or tokens[0].lower not in VERB_BASES or tokens[0].lower in CLOSED_CLASSES:
        return False
    first, after = tokens[0].lower, tokens[1].lower
    takes_object = CLOSED_CLASSES.get(after) in (Tag.DETERMINER, Tag.PRONOUN, Tag.NUMBER)
    return takes_object or first not in AMBIGUOUS_FORMS or after in ("when", "until", "if", "where")


def _statement(text: str, names: Collection[str]) -> Reading | None:
    clause = None if is_command(tokenize(text)) else standing_clause(text, names)
    return Reading(Nature.STATEMENT, (clause,)) if clause else None


def subject_of(clause: str, names: Collection[str]) -> str | None:
    """The words before the clause's verb, where they are a short noun phrase."""
    tokens = tokenize(clause)
    tags = tag(tokens)
    verb = _finite_verb(tokens, tags)
    if verb is None or not 1 <= verb <= LONGEST_DEFINED_WORDS or tags[0] not in _OPENS_CLAUSE:
        return None
    if any(part not in (*_OPENS_CLAUSE, Tag.PREPOSITION) for part in tags[:verb]) or tags[verb - 1] is not Tag.NOUN:
        return None
    words = clause[: tokens[verb].start].strip()
    first = tokens[0].lower
    if first in _DANGLING | _LEANING_PRONOUNS or first in ("that", "such", "all", "some", "many", "most", "each"):
        return None
    return uncapitalised(words, names)


def _finite_verb(tokens: Sequence[Token], tags: Sequence[Tag]) -> int | None:
    """The first verb with a subject before it that is no part of a relative clause."""
    for index, part in enumerate(tags):
        if not index or part not in (Tag.VERB, Tag.AUXILIARY, Tag.MODAL):
            continue
        before = tags[index - 1]
        if before in (Tag.TO, Tag.PREPOSITION) or is_participle(tokens[index].lower, "ing"):
            continue
        if tokens[index - 1].lower in ("that", "which", "who", "where", "when"):
            continue
        return index
    return None


def _without_second_clause(text: str) -> str:
    """The text up to ", and" where a clause of its own follows; a list of things is left whole."""
    for match in _AND_CLAUSE.finditer(text):
        if finite_verb(text[: match.start()]) and finite_verb(text[match.end() :]):
            return text[: match.start()]
    return text


def _leans(tokens: Sequence[Token], tags: Sequence[Tag]) -> bool:
    """Whether a pronoun points outside: "it" may only follow a noun, at the head of a clause ("as it rises")."""
    noun_seen = False
    for index, token in enumerate(tokens):
        if token.lower in _DANGLING or (token.lower == "that" and index == 0):
            return True
        if token.lower in _LEANING_PRONOUNS and not noun_seen:
            return True
        before = CLOSED_CLASSES.get(tokens[index - 1].lower) if index else None
        if token.lower == "it" and before not in (Tag.SUBORDINATOR, Tag.PREPOSITION):
            return True
        noun_seen = noun_seen or tags[index] is Tag.NOUN
    return False


def _with_place_last(text: str) -> str:
    """ "On the near side the force points up" with its opening moved behind the clause, where both are short."""
    tokens = tokenize(text)
    if not tokens or CLOSED_CLASSES.get(tokens[0].lower) is not Tag.PREPOSITION:
        return text
    tags = tag(tokens)
    end = next(
        (index for index in range(1, len(tags)) if tags[index] is Tag.NOUN and _opens_clause(tags, index + 1)), 0
    )
    if not end:
        return text
    begin = end + 1 + (tags[end + 1] is Tag.PUNCTUATION)
    place = text[: tokens[end].start + len(tokens[end].text)]
    clause, tail = _split_tail(text[tokens[begin].start :])
    if len(clause.split()) > LONGEST_MOVED_WORDS or not clause:
        return text
    return f"{clause} {place[0].lower()}{place[1:]}{tail}"


def _opens_clause(tags: Sequence[Tag], index: int) -> bool:
    """Whether a comma or a determiner stands here, as it does where a fronted place ends."""
    return (
        index + 1 < len(tags) and tags[index] in (Tag.PUNCTUATION, Tag.DETERMINER) and tags[index + 1] in _OPENS_CLAUSE
    )


def _split_tail(text: str) -> tuple[str, str]:
    match = _TAIL.search(text) or _AND_CLAUSE.search(text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def _has_empty_subject(subject: Sequence[Token]) -> bool:
    """ "The result", "such a wave", "the other": words that only point at what was said before."""
    words = [token.lower for token in subject]
    if words[0] in ("such", "one", "another", "both", "other"):
        return True
    return len(words) <= 2 and words[0] == "the" and fold(words[-1]) in GENERIC_NOUNS | {"other", "former", "latter"}


def _has_stray_comma(clause: str) -> bool:
    """A comma is at home only in a list, "the Sun, the Earth and the Moon"."""
    _, comma, rest = clause.rpartition(",")
    return bool(comma) and not re.match(r"\s+(?:[\w'-]+\s+){0,4}(?:and|or)\s+", rest)


def without_article(text: str) -> str:
    """A noun phrase without the article in front of it."""
    return re.sub(r"^(?:an?|the)\s+", "", text.strip(), flags=re.IGNORECASE)
