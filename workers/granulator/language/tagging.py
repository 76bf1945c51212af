"""The part each word plays in its sentence, and the noun phrases that follow from it; by rule, never by chance.

A light tagger after Brill: a lexicon proposes, the neighbours decide. It need not be right everywhere: what is built
on it asks only that a noun phrase neither begins nor ends in the wrong place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.language.english import (
    AMBIGUOUS_FORMS,
    CLOSED_CLASSES,
    VERB_BASES,
    VERB_FORMS,
    WEAK_ADJECTIVES,
    Tag,
    is_adjective,
    is_participle,
)
from workers.granulator.language.tokens import Token, tokenize

LONGEST_PHRASE_WORDS = 4

_OPENS_NOUN = frozenset({Tag.DETERMINER, Tag.ADJECTIVE, Tag.NUMBER, Tag.PREPOSITION})
_OPENS_VERB = frozenset({Tag.TO, Tag.MODAL, Tag.PRONOUN, Tag.ADVERB})
# Between a thing and its name these are never adjectives: "an idea called movable type".
_NAMING = frozenset({"called", "named", "termed", "known"})
_FINITE = frozenset({Tag.AUXILIARY, Tag.MODAL, Tag.VERB})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase without its determiner: tokens `start` to `end` (exclusive) of a sentence."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """Running text with its tokens and a tag for each."""

    text: str
    tokens: tuple[Token, ...]
    tags: tuple[Tag, ...]


def tagged(text: str) -> Tagged:
    """Tokenise and tag running text."""
    tokens = tuple(tokenize(text))
    return Tagged(text, tokens, tuple(tag(tokens)))


def tag(tokens: Sequence[Token]) -> list[Tag]:
    """One tag for each token; left to right, each decision sees the tags before it and the words after it."""
    tags: list[Tag] = []
    for index, token in enumerate(tokens):
        tags.append(_tag_one(tokens, tags, index, token))
    return tags


def noun_phrases(tokens: Sequence[Token], tags: Sequence[Tag]) -> Iterator[Phrase]:
    """The longest runs of modifiers that end in a noun; a possessive ends a run, weak adjectives are left out.

    A weak adjective with a capital stays, for it belongs to a name.
    """
    start = 0
    for index, token in enumerate(tokens):
        part = tags[index]
        if part is Tag.NOUN and _ends_run(tokens, tags, index):
            yield Phrase(start, index + 1)
            start = index + 1
        elif part not in (Tag.NOUN, Tag.ADJECTIVE) or (start == index and _is_weak(token, index)):
            start = index + 1


def _is_weak(token: Token, index: int) -> bool:
    return token.lower in WEAK_ADJECTIVES and (index == 0 or token.text.islower())


def _ends_run(tokens: Sequence[Token], tags: Sequence[Tag], index: int) -> bool:
    if tokens[index].is_possessive or index + 1 == len(tokens):
        return True
    return not any(part is Tag.NOUN for part in _modifiers(tags, index + 1))


def _modifiers(tags: Sequence[Tag], index: int) -> Iterator[Tag]:
    while index < len(tags) and tags[index] in (Tag.NOUN, Tag.ADJECTIVE):
        yield tags[index]
        index += 1


def _tag_one(tokens: Sequence[Token], tags: Sequence[Tag], index: int, token: Token) -> Tag:
    word = token.lower
    if not token.is_word:
        return Tag.NUMBER if token.text[0].isalnum() else Tag.PUNCTUATION
    closed = CLOSED_CLASSES.get(word)
    if closed is not None:
        return closed
    if token.is_possessive:
        return Tag.NOUN
    if word in _NAMING:
        return Tag.VERB
    if word.endswith("ly") and len(word) > 4:
        return Tag.ADVERB
    before = tags[index - 1] if index else None
    after = tokens[index + 1].lower if index + 1 < len(tokens) else ""
    if is_participle(word, "ing"):
        return _tag_participle(before, after, is_past=False)
    if is_participle(word, "ed"):
        return _tag_participle(before, after, is_past=True)
    if word in VERB_FORMS:
        return _tag_verb_form(tokens, tags, index)
    if is_adjective(word):
        return Tag.ADJECTIVE
    return Tag.VERB if _reads_as_unlisted_verb(tokens, tags, index) else Tag.NOUN


def _tag_participle(before: Tag | None, after: str, *, is_past: bool) -> Tag:
    """ "the rising tide" modifies, "the tide rising" and "by raising it" do not, "the printing of" is a noun."""
    modifies = bool(after) and after not in CLOSED_CLASSES and after[0].isalpha()
    if before in (Tag.DETERMINER, Tag.ADJECTIVE, Tag.NUMBER):
        return Tag.ADJECTIVE if modifies else (Tag.ADJECTIVE if is_past else Tag.NOUN)
    if before in (None, Tag.PREPOSITION, Tag.CONJUNCTION, Tag.PUNCTUATION) and modifies:
        return Tag.ADJECTIVE if is_past or before is Tag.PREPOSITION else Tag.VERB
    return Tag.VERB


def _tag_verb_form(tokens: Sequence[Token], tags: Sequence[Tag], index: int) -> Tag:
    word = tokens[index].lower
    before = tags[index - 1] if index else None
    if index and before is not Tag.PUNCTUATION and tokens[index].text[0].isupper():
        return Tag.NOUN
    if word not in AMBIGUOUS_FORMS:
        if before is Tag.ADJECTIVE:
            return Tag.NOUN
        modifies = word not in VERB_BASES and before is Tag.DETERMINER
        return Tag.ADJECTIVE if modifies else Tag.VERB
    if before in _OPENS_VERB or _is_third_person_with_object(tokens, before, index):
        return Tag.VERB
    if before in _OPENS_NOUN or (index and tokens[index - 1].is_possessive):
        return Tag.NOUN
    if before is Tag.NOUN:
        return _tag_after_noun(tokens, index)
    if before is Tag.CONJUNCTION:
        return tags[index - 2] if index > 1 and tags[index - 2] in (Tag.VERB, Tag.NOUN) else Tag.NOUN
    if before in (None, Tag.PUNCTUATION):
        after = tokens[index + 1].lower if index + 1 < len(tokens) else ""
        commands = CLOSED_CLASSES.get(after) in (Tag.DETERMINER, Tag.PRONOUN) and not word.endswith("s")
        return Tag.VERB if commands else Tag.NOUN
    return Tag.NOUN


def _is_third_person_with_object(tokens: Sequence[Token], before: Tag | None, index: int) -> bool:
    """ "a value above 3 marks a tide", "water that runs upstream": an -s form that has an object or follows "that"."""
    if not tokens[index].lower.endswith("s") or before in (Tag.DETERMINER, Tag.ADJECTIVE):
        return False
    if index and tokens[index - 1].lower in ("that", "which", "who"):
        return True
    after = CLOSED_CLASSES.get(tokens[index + 1].lower) if index + 1 < len(tokens) else None
    return before in (Tag.NUMBER, Tag.NOUN) and after in (Tag.DETERMINER, Tag.PRONOUN)


def _tag_after_noun(tokens: Sequence[Token], index: int) -> Tag:
    """ "the Moon pulls" and "tides rise" hold a verb, "tide range" and "sand banks" do not: number must agree."""
    word, noun = tokens[index].lower, tokens[index - 1].lower
    after = tokens[index + 1].lower if index + 1 < len(tokens) else ""
    noun_is_plural = noun.endswith("s") and not noun.endswith(("ss", "us", "is"))
    word_is_third_person = word.endswith("s") and word not in VERB_BASES
    if noun_is_plural:
        return Tag.NOUN if word_is_third_person else Tag.VERB
    if not word_is_third_person:
        return Tag.NOUN
    closed = CLOSED_CLASSES.get(after)
    return Tag.NOUN if closed in _FINITE else Tag.VERB


def _reads_as_unlisted_verb(tokens: Sequence[Token], tags: Sequence[Tag], index: int) -> bool:
    """An unknown word is a verb after "to" or a modal, or as "-s" between a singular noun and a determiner."""
    before = tags[index - 1] if index else None
    if before is Tag.MODAL or (before is Tag.TO and not tokens[index].lower.endswith("s")):
        return True
    after = CLOSED_CLASSES.get(tokens[index + 1].lower) if index + 1 < len(tokens) else None
    word = tokens[index].lower
    third_person = word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return third_person and before in (Tag.NOUN, Tag.PRONOUN) and after is Tag.DETERMINER
