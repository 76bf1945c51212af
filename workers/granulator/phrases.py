"""How a text speaks of a term: the noun phrase, with its article, that can stand for it in a sentence or a title."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from workers.granulator.clauses import uncapitalised
from workers.granulator.english import Tag, fold, word_set
from workers.granulator.tagging import tag
from workers.granulator.tokens import Token, tokenize

_ARTICLES = ("the", "a", "an")
_SINGLING = word_set("a an each every any this that no")
_OWNERS = word_set("its their his her my our your own")
_PHRASE_PARTS = frozenset({Tag.NOUN, Tag.ADJECTIVE})


def natural_phrase(term: str, sentences: Sequence[str], names: Collection[str]) -> str | None:
    """The term as the sentences most often write it, with "the" and a short "of ..." where they do.

    None where it only stands inside longer phrases, so that it would be a fragment alone.
    """
    key = [fold(word) for word in term.split()]
    forms = Counter(form for sentence in sentences for form in _forms_in(sentence, key, names))
    return max(forms, key=lambda form: (forms[form], len(form), form)) if forms else None


def _forms_in(sentence: str, key: Sequence[str], names: Collection[str]) -> Iterator[str]:
    tokens = tokenize(sentence)
    folded = [fold(token.lower) for token in tokens]
    starts = [start for start in range(len(tokens) - len(key) + 1) if folded[start : start + len(key)] == key]
    if not starts:
        return
    tags = tag(tokens)
    for start in starts:
        end = start + len(key)
        before = tokens[start - 1].lower if start else ""
        owned = before in _OWNERS or (start and tokens[start - 1].is_possessive)
        inside = start and tags[start - 1] in _PHRASE_PARTS
        if owned or inside or tags[end - 1] is not Tag.NOUN or tokens[end - 1].is_possessive or _goes_on(tags, end):
            continue
        words = _spelled(sentence, tokens, start, _end_of_attribute(tokens, tags, end), names)
        several = fold(tokens[end - 1].lower) != tokens[end - 1].lower
        article = before == "the" or (before in _SINGLING and not several)
        yield f"the {words}" if article else words


def _goes_on(tags: Sequence[Tag], end: int) -> bool:
    return end < len(tags) and tags[end] in _PHRASE_PARTS


def _end_of_attribute(tokens: Sequence[Token], tags: Sequence[Tag], end: int) -> int:
    """Where "of the Earth" or "for existence" ends behind a noun; `end` where no such short attribute follows."""
    if end >= len(tokens) or tokens[end].lower not in ("of", "for"):
        return end
    place = end + 1
    if place < len(tokens) and tokens[place].lower in _ARTICLES and tokens[end].lower == "of":
        place += 1
    begin = place
    while place < len(tokens) and tags[place] in _PHRASE_PARTS:
        place += 1
    closed = place - begin in (1, 2) and tags[place - 1] is Tag.NOUN and not tokens[place - 1].is_possessive
    return place if closed else end


def _spelled(sentence: str, tokens: Sequence[Token], start: int, end: int, names: Collection[str]) -> str:
    last = tokens[end - 1]
    text = sentence[tokens[start].start : last.start + len(last.text)]
    return uncapitalised(text, names) if start == 0 else text
