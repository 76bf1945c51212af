"""Clauses that can leave their sentence: found by tags and marks, and judged by whether they still mean what they did.

A clause is given out only if it stands alone; in doubt there is None, never a fragment.
"""

import re
from collections.abc import Collection, Sequence

from workers.granulator.language.english import (
    AMBIGUOUS_FORMS,
    CLOSED_CLASSES,
    VERB_BASES,
    Tag,
    fold,
    is_participle,
    word_set,
)
from workers.granulator.language.tagging import Tagged, tagged
from workers.granulator.language.tokens import Token

SHORTEST_CLAUSE_WORDS, LONGEST_CLAUSE_WORDS = 4, 22
LONGEST_SUBJECT_WORDS = 5
LONGEST_MOVED_WORDS, LONGEST_PLACE_WORDS = 12, 8

# Where a clause may end because what follows only adds to it.
TAIL = re.compile(
    r"[;:(—]|\s–\s|,\s+(?:which|where|who|whose|because|whereas|while|although|though|but|so|since|as|when|if|then|"
    r"one|such as|including|except|especially|in contrast)\b|,\s+\w+(?:ing|ed)\b"
)
# Words that point at something outside the clause.
DANGLING = word_set("this these those they them he him his she her hers we us our you your i my me")
LEANING_PRONOUNS = word_set("it its their itself themselves")

_AND_CLAUSE = re.compile(r",\s+and\s+")
_LINKING_ADVERB = re.compile(r"\s(?:also|therefore|thus|then|hence|in turn)\b(?=\s|$)|\s(?:too|as well)$")
_LEANING_PHRASES = ("as a result", "for example", "for instance", "the former", "the latter", "the following")
_NO_SUBJECT = word_set("that such all some many most each")
_PLACING = word_set(
    "in on at by for with from over under between among through throughout across along around above below behind "
    "beneath beyond near inside outside until within without during before after"
)
_POINTING_NOUNS = word_set(
    "result name reason effect difference answer point rest case idea problem question example number way thing fact "
    "kind sort type part place time other former latter same first second next last"
)
_OPENS_CLAUSE = frozenset({Tag.DETERMINER, Tag.NOUN, Tag.ADJECTIVE, Tag.NUMBER})
_NEVER_LAST = frozenset(
    {Tag.PREPOSITION, Tag.DETERMINER, Tag.CONJUNCTION, Tag.SUBORDINATOR, Tag.TO, Tag.MODAL, Tag.AUXILIARY}
)


def standing_clause(text: str, names: Collection[str], least: int = SHORTEST_CLAUSE_WORDS) -> str | None:
    """The main clause without its tail, ready to follow "how" or "that"; None where it would not stand alone."""
    clause = tagged(_LINKING_ADVERB.sub("", main_clause(_with_place_last(text))).strip(" ,."))
    length = sum(1 for token in clause.tokens if token.text[0].isalnum())
    if not least <= length <= LONGEST_CLAUSE_WORDS or '"' in clause.text or "“" in clause.text:
        return None
    verb = _finite_verb(clause)
    if verb is None or clause.tags[0] not in _OPENS_CLAUSE or clause.tags[-1] in _NEVER_LAST:
        return None
    if _leans(clause) or _has_empty_subject(clause.tokens[:verb]) or _has_stray_comma(clause.text):
        return None
    return uncapitalised(clause.text, names)


def main_clause(text: str) -> str:
    """The text up to where something is only added, or where a second clause begins; a list is left whole."""
    head, _ = _split_tail(text)
    for match in _AND_CLAUSE.finditer(head):
        if finite_verb(head[: match.start()]) and finite_verb(head[match.end() :]):
            return head[: match.start()]
    return head


def subject_of(text: str, names: Collection[str]) -> str | None:
    """The words before a clause's verb, where they are a short noun phrase that stands alone."""
    clause = tagged(text)
    verb = _finite_verb(clause)
    if verb is None or verb > LONGEST_SUBJECT_WORDS or clause.tags[0] not in _OPENS_CLAUSE:
        return None
    if any(part not in (*_OPENS_CLAUSE, Tag.PREPOSITION) for part in clause.tags[:verb]):
        return None
    first = clause.tokens[0].lower
    if clause.tags[verb - 1] is not Tag.NOUN or first in DANGLING | LEANING_PRONOUNS | _NO_SUBJECT:
        return None
    return uncapitalised(text[: clause.tokens[verb].start].strip(), names)


def finite_verb(text: str) -> str | None:
    """The verb that makes the words a clause, in lower case; None where they are no clause."""
    clause = tagged(text)
    place = _finite_verb(clause)
    return None if place is None else clause.tokens[place].lower


def is_command(tokens: Sequence[Token]) -> bool:
    """Whether the words open like "Fold the dough" or "Add salt": a bare verb that is no noun there."""
    if len(tokens) < 2 or tokens[0].lower not in VERB_BASES or tokens[0].lower in CLOSED_CLASSES:
        return False
    if tokens[1].text.istitle():
        return False
    first, after = tokens[0].lower, tokens[1].lower
    takes_object = CLOSED_CLASSES.get(after) in (Tag.DETERMINER, Tag.PRONOUN, Tag.NUMBER)
    return takes_object or first not in AMBIGUOUS_FORMS or after in ("when", "until", "if", "where")


def uncapitalised(text: str, names: Collection[str]) -> str:
    """The text as it goes inside a sentence: a first word that is no name loses its capital."""
    opening = re.match(r"[^\W\d_]+(?:-[^\W\d_]+)*(?P<next>\s[^\W\d_])?", text)
    if not opening:
        return text
    word = opening[0].split()[0]
    proper = word in names or any(letter.isupper() for letter in word[1:])
    two_capitals = bool(opening["next"]) and opening["next"].strip().isupper() and word.lower() not in CLOSED_CLASSES
    return text if proper or two_capitals else text[0].lower() + text[1:]


def without_article(text: str) -> str:
    """A noun phrase without the article in front of it."""
    return re.sub(r"^(?:an?|the)\s+", "", text.strip(), flags=re.IGNORECASE)


def _finite_verb(clause: Tagged) -> int | None:
    """The place of the first verb with a subject before it that is no part of a relative clause."""
    for index in range(1, len(clause.tags)):
        if clause.tags[index] not in (Tag.VERB, Tag.AUXILIARY, Tag.MODAL):
            continue
        infinitive = clause.tags[index - 1] in (Tag.TO, Tag.PREPOSITION)
        relative = clause.tokens[index - 1].lower in ("that", "which", "who", "where", "when")
        if not infinitive and not relative and not is_participle(clause.tokens[index].lower, "ing"):
            return index
    return None


def _leans(clause: Tagged) -> bool:
    """Whether a word points outside: "it" may only follow a noun, at the head of a clause ("as it rises")."""
    if clause.tokens[0].lower == "that" or any(phrase in clause.text for phrase in _LEANING_PHRASES):
        return True
    noun_seen = False
    for index, token in enumerate(clause.tokens):
        before = clause.tags[index - 1] if index else None
        if token.lower in DANGLING or (token.lower in LEANING_PRONOUNS and not noun_seen):
            return True
        if token.lower == "it" and before not in (Tag.SUBORDINATOR, Tag.PREPOSITION):
            return True
        noun_seen = noun_seen or clause.tags[index] is Tag.NOUN
    return False


def _with_place_last(text: str) -> str:
    """ "On the near side the force points up" with its opening moved behind the clause, where both are short."""
    if text.partition(" ")[0].lower() not in _PLACING:
        return text
    sentence = tagged(text)
    end = _end_of_place(sentence.tags)
    if end is None:
        return text
    begin = end + (sentence.tags[end] is Tag.PUNCTUATION)
    last = sentence.tokens[end - 1]
    place = text[: last.start + len(last.text)]
    clause, tail = _split_tail(text[sentence.tokens[begin].start :])
    if len(place.split()) > LONGEST_PLACE_WORDS or not 0 < len(clause.split()) <= LONGEST_MOVED_WORDS:
        return text
    return f"{clause} {place[0].lower()}{place[1:]}{tail}"


def _end_of_place(tags: Sequence[Tag]) -> int | None:
    """Where a fronted place gives way to its clause: at a comma or a determiner right behind a noun."""
    for index in range(2, len(tags) - 1):
        opens = tags[index] in (Tag.PUNCTUATION, Tag.DETERMINER) and tags[index + 1] in _OPENS_CLAUSE
        if opens and tags[index - 1] is Tag.NOUN:
            return index
    return None


def _split_tail(text: str) -> tuple[str, str]:
    match = TAIL.search(text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def _has_empty_subject(subject: Sequence[Token]) -> bool:
    """ "The result", "such a wave", "the other": words that only point at what was said before."""
    words = [token.lower for token in subject]
    if words[0] in ("such", "one", "another", "both", "other"):
        return True
    return len(words) <= 2 and words[0] == "the" and fold(words[-1]) in _POINTING_NOUNS


def _has_stray_comma(clause: str) -> bool:
    """A comma is at home only in a list, "the Sun, the Earth and the Moon"."""
    _, comma, rest = clause.rpartition(",")
    return bool(comma) and not re.match(r"\s+(?:[\w'-]+\s+){0,4}(?:and|or)\s+", rest)
