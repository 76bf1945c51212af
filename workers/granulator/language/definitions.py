"""What a sentence defines: the term, the words that say what it is, and the kind of thing it is said to be.

A definition is given out only with a body that can be read without its sentence; in doubt there is none.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from workers.granulator.language.clauses import DANGLING, LEANING_PRONOUNS, uncapitalised
from workers.granulator.language.english import GENERIC_NOUNS, Tag, fold, word_set
from workers.granulator.language.readings import BEING, NAMING, defined_subject, named_term
from workers.granulator.language.tagging import Tagged, tagged
from workers.granulator.language.words import Words

SHORTEST_BODY_WORDS, LONGEST_BODY_WORDS = 3, 32

_NAMED_BEHIND = re.compile(r"(?<![,\s])\s+called\s+(?P<name>[^,.;:()]+)")
_CLAUSE_BREAK = re.compile(r"[;:—]|\s–\s|,\s+(?:and|but|so|while|whereas)\s+")
_OPENS_BODY = frozenset({Tag.DETERMINER, Tag.NOUN, Tag.ADJECTIVE, Tag.NUMBER})
_MODIFIES = frozenset({Tag.ADJECTIVE, Tag.NOUN, Tag.NUMBER, Tag.ADVERB})
_VERBAL = frozenset({Tag.VERB, Tag.AUXILIARY, Tag.MODAL})
_NEVER_LAST = frozenset({Tag.SUBORDINATOR, Tag.DETERMINER, Tag.CONJUNCTION, Tag.AUXILIARY})
_LEANING_OPENINGS = word_set("such another other both one each all which who")
_LEANING_PHRASES = re.compile(r"\bthe (?:two|other|former|latter|same|others)\b(?!\s+\w+s\b)", re.IGNORECASE)
# "A kind of loaf" is a loaf, and no kind.
_KIND_WORDS = word_set("kind type sort form variety species class group family set example part")


@dataclass(frozen=True, slots=True)
class Definition:
    """A term with the words that define it; `genus` is the folded noun phrase that the body opens with, else empty."""

    term: str
    body: str
    genus: Words


def definitions_in(text: str, names: Collection[str]) -> tuple[Definition, ...]:
    """The definitions of one sentence, in order; `names` are the words that keep their capital."""
    text = text.strip().rstrip(".!… ")
    found = (*_named(text, names), *_named_behind(text))
    return found or tuple(_being(text, names))


def genus_of(body: str) -> Words:
    """The folded noun phrase that opens a body, without its determiner; empty where it names no kind of thing."""
    words = tagged(body)
    start = 0
    while start < len(words.tags) and words.tags[start] in (Tag.DETERMINER, Tag.ADVERB):
        start += 1
    end = start
    while end < len(words.tags) and words.tags[end] in _MODIFIES:
        end += 1
    if end == start or words.tags[end - 1] is not Tag.NOUN:
        return ()
    head, following = fold(words.tokens[end - 1].lower), words.tokens[end].lower if end < len(words.tokens) else ""
    if following == "of" and head in _KIND_WORDS:
        return genus_of(text_from(words, end + 1))
    if following in ("and", "or") or head in GENERIC_NOUNS:
        return ()
    return tuple(fold(token.lower) for token in words.tokens[start:end])


def text_from(words: Tagged, place: int) -> str:
    """The running text from a token on; empty behind the last."""
    return words.text[words.tokens[place].start :] if place < len(words.tokens) else ""


def _named(text: str, names: Collection[str]) -> Iterator[Definition]:
    """ "The short pause between two streams is called slack water"."""
    begin = 0
    for match in NAMING.finditer(text):
        term = named_term(match["name"])
        subject = _CLAUSE_BREAK.split(text[begin : match.start()].rstrip(" ,"))[-1]
        begin = match.end()
        body = _body(subject, names)
        if term and body:
            yield Definition(term, body, genus_of(body))


def _named_behind(text: str) -> Iterator[Definition]:
    """ "Long elastic strands called gluten"."""
    for match in _NAMED_BEHIND.finditer(text):
        words = tagged(text[: match.start()])
        start = len(words.tags)
        while start and words.tags[start - 1] in (Tag.NOUN, Tag.ADJECTIVE):
            start -= 1
        term, body = named_term(match["name"]), text_from(words, start)
        if term and len(body.split()) > 1:
            yield Definition(term, body, genus_of(body))


def _being(text: str, names: Collection[str]) -> Iterator[Definition]:
    """ "Yeast is a single-celled fungus that feeds on sugar"."""
    match, subject = BEING.match(text), defined_subject(text)
    if not match or not subject:
        return
    said = text[match.end("subject") :].split(None, 1)[1]
    body = _body(_without_second_predicate(said), names)
    if body:
        yield Definition(uncapitalised(subject, names), body, genus_of(body))


def _without_second_predicate(said: str) -> str:
    """What is said up to where something else is said of the same subject: ", and is the rule along the coast"."""
    for match in _CLAUSE_BREAK.finditer(said):
        rest = tagged(said[match.end() :])
        lists = match[0].strip(" ,") == "and" and not (rest.tags and rest.tags[0] in _VERBAL)
        if not lists:
            return said[: match.start()]
    return said


def _body(text: str, names: Collection[str]) -> str | None:
    """The words if they can be read without their sentence."""
    words = tagged(text.strip())
    if not words.tags or (words.tags[0] not in _OPENS_BODY and words.tokens[0].lower != "what"):
        return None
    lowered = [token.lower for token in words.tokens]
    if words.tags[-1] in _NEVER_LAST:
        return None
    few = SHORTEST_BODY_WORDS <= sum(token.text[0].isalnum() for token in words.tokens) <= LONGEST_BODY_WORDS
    leans = lowered[0] in LEANING_PRONOUNS | _LEANING_OPENINGS or not DANGLING.isdisjoint(lowered)
    if not few or leans or _LEANING_PHRASES.search(words.text) or "“" in words.text or '"' in words.text:
        return None
    return uncapitalised(words.text, names)
