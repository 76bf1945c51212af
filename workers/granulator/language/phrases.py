"""How a text speaks of a term: the noun phrase, with its article, that can stand for it in a sentence or a title."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from workers.granulator.language.clauses import uncapitalised
from workers.granulator.language.english import Tag, fold, word_set
from workers.granulator.language.readings import ReadSentence
from workers.granulator.language.tagging import Tagged

_ARTICLES = ("the", "a", "an")
_SINGLING = word_set("a an each every any this that no")
_OWNERS = word_set("its their his her my our your own")
_PHRASE_PARTS = frozenset({Tag.NOUN, Tag.ADJECTIVE})


def natural_phrase(term: str, sentences: Sequence[ReadSentence], names: Collection[str]) -> str | None:
    """The term as the sentences most often write it, with "the" and a short "of ..." where they do.

    None where it only stands inside longer phrases, so that it would be a fragment alone.
    """
    key = tuple(fold(word) for word in term.split())
    forms = Counter(form for sentence in sentences for form in _forms_in(sentence, key, names))
    return max(forms, key=lambda form: (forms[form], len(form), form)) if forms else None


def _forms_in(sentence: ReadSentence, key: tuple[str, ...], names: Collection[str]) -> Iterator[str]:
    if key[0] not in sentence.folded:
        return
    words = sentence.tagged
    for start in range(len(words.tokens) - len(key) + 1):
        end = start + len(key)
        if sentence.folded[start:end] != key or not _stands_alone(words, start, end):
            continue
        form = _spelled(words, start, _end_of_attribute(words, end), names)
        before = words.tokens[start - 1].lower if start else ""
        several = words.tokens[end - 1].lower != key[-1]
        yield f"the {form}" if before == "the" or (before in _SINGLING and not several) else form


def _stands_alone(words: Tagged, start: int, end: int) -> bool:
    """Whether the words are a phrase of their own there: no part of a longer one, and nobody's."""
    last = words.tokens[end - 1]
    goes_on = end < len(words.tags) and words.tags[end] in _PHRASE_PARTS
    if words.tags[end - 1] is not Tag.NOUN or last.is_possessive or goes_on:
        return False
    if not start:
        return True
    before = words.tokens[start - 1]
    return words.tags[start - 1] not in _PHRASE_PARTS and before.lower not in _OWNERS and not before.is_possessive


def _end_of_attribute(words: Tagged, end: int) -> int:
    """Where "of the Earth" or "for existence" ends behind a noun; `end` where no such short attribute follows."""
    if end >= len(words.tokens) or words.tokens[end].lower not in ("of", "for"):
        return end
    begin = end + 1
    if begin < len(words.tokens) and words.tokens[begin].lower in _ARTICLES and words.tokens[end].lower == "of":
        begin += 1
    place = begin
    while place < len(words.tags) and words.tags[place] in _PHRASE_PARTS:
        place += 1
    last = words.tokens[place - 1]
    return place if place - begin in (1, 2) and words.tags[place - 1] is Tag.NOUN and not last.is_possessive else end


def _spelled(words: Tagged, start: int, end: int, names: Collection[str]) -> str:
    last = words.tokens[end - 1]
    text = words.text[words.tokens[start].start : last.start + len(last.text)]
    return text if start else uncapitalised(text, names)
