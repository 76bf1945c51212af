"""Words and sentences of running text: where each begins and ends, and nothing of what it means."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workers.granulator.language.english import word_set

LONGEST_SENTENCE_CHARACTERS = 1_000
LONGEST_ABBREVIATION = 12

_TOKEN = re.compile(r"[^\W\d_]\w*(?:['’‐-]\w+)*['’]?|\d+(?:[.,:/]\d+)*\w*|[^\w\s]")
# Chinese and Japanese set no spaces; a character there takes a reader about as long as a word does elsewhere.
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+(?:['’‐.,-][^\W{_UNSPACED}]+)*")
_TERMINATOR = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[”』」]*")
_ABBREVIATIONS = word_set(
    "mr mrs ms dr prof st mt sr jr rev gen col capt lt sgt hon messrs vs etc eg ie e.g i.e cf al ca approx fig figs "
    "no nos vol vols pp p ch sec ed eds trans dept est inc ltd co jan feb mar apr jun jul aug sept sep oct nov dec "
    "u.s u.k b.c a.d a.m p.m ph.d op cit ibid viz"
)
# "No. 5" and "vol. 2" hold on to the number behind them; "etc." and the months end a sentence before a capital.
_ENDS_BEFORE_CAPITAL = word_set("etc al jr sr inc ltd co a.m p.m b.c a.d u.s u.k")


class Token(NamedTuple):
    """A word, number or mark as it stands in the text, with its lower-case form and its offset.

    A tuple, because a long text has hundreds of thousands of them.
    """

    text: str
    lower: str
    start: int

    @property
    def is_word(self) -> bool:
        return self.text[0].isalpha()

    @property
    def is_possessive(self) -> bool:
        return self.lower.endswith(("'s", "’s", "s'", "s’"))


def tokenize(text: str) -> list[Token]:
    """Words (hyphens and apostrophes inside belong to them), numbers and single marks, in order."""
    text = text.replace("’", "'")
    return [Token(word := match[0], word.lower(), match.start()) for match in _TOKEN.finditer(text)]


def count_words(text: str) -> int:
    """How many words and numbers a reader reads in the text."""
    return sum(1 for _ in _WORD.finditer(text))


def split_sentences(text: str) -> list[str]:
    """The sentences of one paragraph, in order; white space is folded to single spaces.

    Where no mark ends a sentence for longer than anyone would read, it is cut at a comma, a space, or anywhere.
    """
    text = " ".join(text.split())
    return [piece for sentence in _cut(text) for piece in _bounded(sentence) if piece]


def _bounded(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST_SENTENCE_CHARACTERS:
        head = sentence[:LONGEST_SENTENCE_CHARACTERS]
        end = max(head.rfind(", "), head.rfind("; ")) + 1 or head.rfind(" ") + 1 or len(head)
        yield sentence[:end].strip()
        sentence = sentence[end:]
    yield sentence.strip()


def _cut(text: str) -> Iterator[str]:
    begin = 0
    for match in _TERMINATOR.finditer(text):
        if _ends_sentence(text, begin, match):
            yield text[begin : match.end()].strip()
            begin = match.end()
    yield text[begin:].strip()


def _ends_sentence(text: str, begin: int, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 2].lstrip()[:1]
    if not match.group().startswith("."):
        # A mark of exclamation or question inside a quotation runs on in lower case.
        return not following.islower()
    if match.group() == "." or match.group().startswith(".)"):
        last = text[max(begin, match.start() - LONGEST_ABBREVIATION) : match.start()].rsplit(None, 1)[-1:]
        word = last[0].lstrip("([\"'“‘").lower() if last else ""
        if word in _ABBREVIATIONS:
            return word in _ENDS_BEFORE_CAPITAL and following.isupper()
        if len(word) == 1 and word.isalpha() and word != "i":
            return False
    return not following.islower()
