"""How hard English prose is to read, by the two usual formulas, and whether that is too hard for an audience.

It is measured and told; no score depends on it, for a formula on lengths is no judge of clarity.
"""

import re
from collections.abc import Iterable
from typing import Final

from workers.granulator.language.tokens import split_sentences, tokenize
from workers.granulator.quality.finding import Finding
from workers.granulator.wire import WireValue

# Titles and the like are no sentences, and would make any text seem easy.
SHORTEST_SENTENCE_WORDS: Final = 4
FEWEST_WORDS: Final = 100
"""The length of the samples that the formulas were made on; on less they say little."""
GRADE_MARGIN: Final = 2.0
"""How far a text may lie above its audience: the formulas' own error is of this size."""
FIRST_GRADE_AGE: Final = 6

_VOWELS: Final = re.compile(r"[aeiouy]+")
_SILENT: Final = re.compile(r"(?:[^laeiouy]es?|[^dt]ed)$")
_GRADE: Final = re.compile(r"\b(?:grade|year|class)\s*(\d{1,2})\b|\b(\d{1,2})(?:st|nd|rd|th)[- ]grade", re.IGNORECASE)
_AGE: Final = re.compile(r"\b(?:aged?|ages)\s*(\d{1,2})\b|\b(\d{1,2})[- ]years?[- ]old", re.IGNORECASE)
_SCHOOLS: Final = (
    (re.compile(r"\b(?:child|children|kids|primary|elementary)\b", re.IGNORECASE), 5),
    (re.compile(r"\b(?:middle school|teenagers?|teens)\b", re.IGNORECASE), 8),
    (re.compile(r"\b(?:secondary|high)[- ]school\b", re.IGNORECASE), 12),
)


class Readability(WireValue):
    """Flesch's reading ease (100 is very easy, 0 very hard) and Kincaid's grade, the American school year."""

    reading_ease: float
    grade: float
    words: int


def readability(texts: Iterable[str]) -> Readability | None:
    """The readability of the sentences among English texts; None where they are too few to tell.

    Formulas: Flesch, "A new readability yardstick", Journal of Applied Psychology 32, 1948; Kincaid and others,
    "Derivation of new readability formulas", Naval Technical Training Command, 1975. Syllables are counted by groups
    of vowels.
    """
    sentences = [words for text in texts for sentence in split_sentences(text) if (words := _words(sentence))]
    words = [word for sentence in sentences for word in sentence]
    if len(words) < FEWEST_WORDS:
        return None
    length = len(words) / len(sentences)
    syllables = sum(map(_syllables, words)) / len(words)
    return Readability(
        reading_ease=round(206.835 - 1.015 * length - 84.6 * syllables, 1),
        grade=round(0.39 * length + 11.8 * syllables - 15.59, 1),
        words=len(words),
    )


def grade_of(audience: str) -> int | None:
    """The school grade that a description of an audience names, by grade, age or school; None where it names none."""
    if named := _GRADE.search(audience):
        return int(named.group(1) or named.group(2))
    if named := _AGE.search(audience):
        return max(1, int(named.group(1) or named.group(2)) - FIRST_GRADE_AGE + 1)
    return next((grade for school, grade in _SCHOOLS if school.search(audience)), None)


def too_hard(measured: Readability, audience: str) -> tuple[Finding, ...]:
    """A finding where prose lies above the grade that its audience is in; none where the audience names no grade."""
    grade = grade_of(audience)
    if grade is None or measured.grade <= grade + GRADE_MARGIN:
        return ()
    message = f"The texts read like grade {measured.grade:.0f}; “{audience}” is grade {grade}."
    return (Finding(code="too_hard_for_audience", severity="warning", path="", message=message),)


def _words(sentence: str) -> list[str]:
    words = [token.lower for token in tokenize(sentence) if token.is_word]
    return words if len(words) >= SHORTEST_SENTENCE_WORDS else []


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word))
    return max(1, groups - 1 if groups > 1 and _SILENT.search(word) else groups)
