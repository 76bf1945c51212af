"""The words of a document that carry its matter: content words and noun phrases by sentence, and its proper names.

Everything is in reading order and depends on the text alone, so two analyses of one text are equal.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.granulator.language.english import CLOSED_CLASSES, GENERIC_NOUNS, STOP_WORDS, Tag, fold
from workers.granulator.language.tagging import noun_phrases, tag
from workers.granulator.language.tokens import Token, tokenize
from workers.granulator.language.words import Words
from workers.granulator.source.document import Document, Sentence

# English prose is over 40 % function words; text below this share is in another language or no prose.
LEAST_ENGLISH_SHARE = 0.2
SHORTEST_FOREIGN_WORD = 4


@dataclass(frozen=True, slots=True)
class Mention:
    """One noun phrase of a sentence: its folded words and the words as they stand there."""

    key: Words
    surface: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnalysedSentence:
    """A sentence with its folded content words and its longest noun phrases."""

    sentence: Sentence
    content: tuple[str, ...]
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class AnalysedSection:
    """A section's heading phrases and its paragraphs."""

    heading: str | None
    level: int
    heading_mentions: tuple[Mention, ...]
    paragraphs: tuple[tuple[AnalysedSentence, ...], ...]

    @property
    def sentences(self) -> tuple[AnalysedSentence, ...]:
        return tuple(sentence for paragraph in self.paragraphs for sentence in paragraph)


@dataclass(frozen=True, slots=True)
class Analysis:
    """A whole document; `names` are the words that keep their capital wherever they stand."""

    title: str | None
    english: bool
    names: frozenset[str]
    sections: tuple[AnalysedSection, ...]

    @property
    def sentences(self) -> tuple[AnalysedSentence, ...]:
        return tuple(sentence for section in self.sections for sentence in section.sentences)


def analyse(document: Document) -> Analysis:
    """Tag every sentence and gather what it speaks of."""
    sentences = document.sentences
    english = _is_english(sentences)
    names = _names(sentences)
    sections = tuple(
        AnalysedSection(
            section.heading,
            section.level,
            _mentions(_sentence_case(tokenize(section.heading or ""), names), names, english=english),
            tuple(
                tuple(_analyse_sentence(sentence, names, english=english) for sentence in paragraph)
                for paragraph in section.paragraphs
            ),
        )
        for section in document.sections
    )
    return Analysis(document.title, english, names, sections)


def content_words(tokens: Iterable[Token]) -> tuple[str, ...]:
    """The folded words that are neither function words nor single letters."""
    return tuple(fold(token.lower) for token in tokens if token.is_word and _carries_matter(token.lower))


def _carries_matter(word: str) -> bool:
    return word not in STOP_WORDS and (len(word) > 1 or not word.isascii())


def _analyse_sentence(sentence: Sentence, names: frozenset[str], *, english: bool) -> AnalysedSentence:
    return AnalysedSentence(
        sentence, content_words(sentence.tokens), _mentions(sentence.tokens, names, english=english)
    )


def _mentions(tokens: Sequence[Token], names: frozenset[str], *, english: bool) -> tuple[Mention, ...]:
    spellings = [_unowned(token.text) for token in tokens]
    if tokens:
        spellings[0] = _unowned(_cased(tokens[0], names))
    if not english:
        return tuple(
            Mention((fold(token.lower),), (spelling,))
            for token, spelling in zip(tokens, spellings, strict=True)
            if token.is_word and _may_be_foreign_term(token.lower)
        )
    tags = tag(tokens)
    mentions = []
    for phrase in noun_phrases(tokens, tags):
        words = tokens[phrase.start : phrase.end]
        if len(words) > 1 or _may_stand_alone(words[0], tags[phrase.start]):
            key = tuple(fold(word.lower) for word in words)
            mentions.append(Mention(key, tuple(spellings[phrase.start : phrase.end])))
    return tuple(mentions)


def _may_stand_alone(word: Token, part: Tag) -> bool:
    return part is Tag.NOUN and len(word.lower) > 2 and fold(word.lower) not in GENERIC_NOUNS


def _may_be_foreign_term(word: str) -> bool:
    return len(word) >= SHORTEST_FOREIGN_WORD or not word.isascii()


def _unowned(word: str) -> str:
    return word.removesuffix("'s").rstrip("'")


def _cased(word: Token, names: frozenset[str]) -> str:
    """A word as it is written inside a sentence: only names and words with capitals within keep theirs."""
    keeps = _unowned(word.text) in names or any(letter.isupper() for letter in word.text[1:])
    return word.text if keeps else word.lower


def _sentence_case(tokens: Sequence[Token], names: frozenset[str]) -> list[Token]:
    """A heading's tokens with the capitals of title case taken off."""
    return [Token(_cased(token, names), token.lower, token.start) for token in tokens]


def _names(sentences: Iterable[Sentence]) -> frozenset[str]:
    """Words more often capitalised than not inside a sentence, where grammar asks for no capital.

    A word that only ever opens sentences is a name if it stands there as a bare subject: "Venice became", but not
    "Merchants came".
    """
    inside = Counter(
        _unowned(token.text)
        for sentence in sentences
        for before, token in zip(sentence.tokens, sentence.tokens[1:], strict=False)
        if token.is_word and before.text not in "\"“‘':.!?"
    )
    names = {word for word, times in inside.items() if word[:1].isupper() and times > inside[word.lower()]}
    subjects = {sentence.tokens[0].text for sentence in sentences if _opens_with_bare_subject(sentence.tokens)}
    return frozenset(names | {word for word in subjects if not inside[word.lower()]})


def _opens_with_bare_subject(tokens: Sequence[Token]) -> bool:
    if len(tokens) < 2 or not tokens[0].text.istitle() or tokens[0].is_possessive:
        return False
    tags = tag(tokens[:3])
    plural = fold(tokens[0].lower) != tokens[0].lower
    return tags[0] is Tag.NOUN and not plural and tags[1] in (Tag.VERB, Tag.AUXILIARY, Tag.MODAL)


def _is_english(sentences: Iterable[Sentence]) -> bool:
    words = [token.lower for sentence in sentences for token in sentence.tokens if token.is_word]
    known = sum(1 for word in words if word in CLOSED_CLASSES)
    return bool(words) and known >= LEAST_ENGLISH_SHARE * len(words)
