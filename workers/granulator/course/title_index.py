"""Finding titles that read alike among many, without comparing each with each."""

from collections import defaultdict
from math import ceil

from workers.granulator.language.english import STOP_WORDS
from workers.granulator.language.words import words_of

# Titles that share so many of their words read as the same title.
NEAR_DUPLICATE = 0.75

TitleWords = frozenset[str]


def title_words(title: str) -> TitleWords:
    """What two titles are compared by: folded words without function words, or all words where none is left."""
    words = frozenset(words_of(title))
    return frozenset(word for word in words if word not in STOP_WORDS) or words


def jaccard(words: TitleWords, others: TitleWords) -> float:
    """The share of the words of two sets that both have, 0..1; two empty sets are alike."""
    return len(words & others) / len(words | others) if words or others else 1.0


class TitleIndex:
    """Titles under a name each, by their words; keeps the first title of every set of words."""

    def __init__(self) -> None:
        self._names: dict[TitleWords, str] = {}
        self._holders: dict[str, list[TitleWords]] = defaultdict(list)

    def add(self, words: TitleWords, name: str) -> None:
        """Add a title's words under a name."""
        if words not in self._names:
            self._names[words] = name
            for word in words:
                self._holders[word].append(words)

    def like(self, words: TitleWords) -> str | None:
        """The name of a title nearly like these words; None where there is none.

        A title alike shares at least three quarters of the words, so it is found at any few of them that are one more
        than those it may lack; the rarest are the cheapest to look under.
        """
        if words in self._names:
            return self._names[words]
        needed = len(words) - ceil(NEAR_DUPLICATE * len(words)) + 1
        rarest = sorted(words, key=lambda word: (len(self._holders.get(word, ())), word))[:needed]
        for word in rarest:
            for others in self._holders.get(word, ()):
                if jaccard(words, others) >= NEAR_DUPLICATE:
                    return self._names[others]
        return None
