"""Source text to sections, paragraphs and numbered sentences; every later step reads this and never the raw text."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import TypeGuard

from workers.granulator.language.tokens import Token, count_words, split_sentences, tokenize
from workers.granulator.source.headings import Block, Heading, marked_headings, plain_headings

SHORTEST_SENTENCE_WORDS = 4
MOST_CONTROL_SHARE = 0.02

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•‣]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_TABLE_ROW = re.compile(r"^\s*\||^\s*\S.*\|.*\|")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT = re.compile(r"<!--(?:[^<]|<(?!!--))*?-->")
# What a mark may hold is bounded, so that a text of nothing but opening marks is still read in linear time.
_INLINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[[^\[\]]{0,300}\]\([^()\s]{0,2000}\)"), ""),
    (re.compile(r"\[([^\[\]]{1,300})\]\([^()\s]{0,2000}\)"), r"\1"),
    (re.compile(r"\[\^?\d{1,4}\]"), ""),
    (re.compile(r"</?[A-Za-z][^<>]{0,300}>"), ""),
    (re.compile(r"(?<!\w)(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"(?::[a-z]{1,20}:)?`{1,2}([^`]{1,300})`{1,2}"), r"\1"),
)


class UnreadableText(ValueError):
    """The text cannot be made into a document; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; `number` counts from 1 through the whole document."""

    number: int
    text: str
    words: int
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between one heading and the next; `heading` is None for text before the first heading."""

    heading: str | None
    level: int
    paragraphs: tuple[tuple[Sentence, ...], ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(sentence for paragraph in self.paragraphs for sentence in paragraph)


@dataclass(frozen=True, slots=True)
class Document:
    """A titled text; sections are in reading order and a level deeper than the one above means a subsection."""

    title: str | None
    sections: tuple[Section, ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(sentence for section in self.sections for sentence in section.sentences)


def read_document(text: str, title: str | None = None) -> Document:
    """Read plain text or Markdown; `title`, where given, stands over any title found in the text.

    Raises UnreadableText for text that is empty, is not text, or holds no sentence of four words.
    """
    found, parts = _parts(_normalised(text))
    sections = _sections(parts)
    if not any(sentence.words >= SHORTEST_SENTENCE_WORDS for section in sections for sentence in section.sentences):
        raise UnreadableText(f"The text has no sentence of at least {SHORTEST_SENTENCE_WORDS} words.")
    given = " ".join(title.split()) if title else None
    return Document(given or found, sections)


def _normalised(text: str) -> str:
    if not text.strip():
        raise UnreadableText("The text is empty.")
    strange = len(_CONTROL.findall(text)) + text.count("\ufffd")
    if "\0" in text or strange > MOST_CONTROL_SHARE * len(text):
        raise UnreadableText("The text is not text: it holds control characters, as binary data does.")
    text = unicodedata.normalize("NFC", text.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text.replace("\f", "\n\n"))
    return _COMMENT.sub("", _FRONT_MATTER.sub("", text))


def _parts(text: str) -> tuple[str | None, list[Block | Heading]]:
    """The title that the text gives itself, if any, and the rest of it."""
    blocks = list(_blocks(text.split("\n")))
    parts = marked_headings(blocks)
    marked = any(isinstance(part, Heading) for part in parts)
    return _titled(parts if marked else plain_headings(blocks), marked=marked)


def _blocks(lines: Iterable[str]) -> Iterator[Block]:
    """Runs of non-blank lines; fenced code and table rows are no prose and end a run."""
    run: list[str] = []
    fenced = False
    for line in lines:
        fence = bool(_FENCE.match(line))
        if fence or fenced or not line.strip() or _TABLE_ROW.match(line):
            if run:
                yield Block(tuple(run))
                run = []
            fenced = fenced != fence
        else:
            run.append(line.lstrip().removeprefix("> ") if line.lstrip().startswith(">") else line)
    if run:
        yield Block(tuple(run))


def _titled(parts: list[Block | Heading], *, marked: bool) -> tuple[str | None, list[Block | Heading]]:
    """A heading that opens the text is its title if none other is as high, or if another follows at once.

    Marked headings that follow at once must be as high, for a part may well open with its first chapter.
    """
    headings = [part for part in parts if isinstance(part, Heading)]
    if len(parts) < 2 or not isinstance(opening := parts[0], Heading):
        return None, parts
    alone = all(opening.level < heading.level for heading in headings[1:])
    follower = parts[1]
    stacked = isinstance(follower, Heading) and (not marked or follower.level <= opening.level)
    return (opening.text, parts[1:]) if alone or stacked else (None, parts)


def _sections(parts: Sequence[Block | Heading]) -> tuple[Section, ...]:
    numbers = count(1)
    headings: list[Heading | None] = [None]
    paragraphs: list[list[tuple[Sentence, ...]]] = [[]]
    for part in parts:
        if isinstance(part, Heading):
            headings.append(part)
            paragraphs.append([])
        else:
            paragraphs[-1] += _paragraphs(part, numbers)
    sections = [
        Section(heading.text if heading else None, heading.level if heading else 0, tuple(texts))
        for heading, texts in zip(headings, paragraphs, strict=True)
    ]
    return _levelled([section for section, follower in pairwise([*sections, None]) if _is_kept(section, follower)])


def _is_kept(section: Section | None, follower: Section | None) -> TypeGuard[Section]:
    """A section without text stands only for the subsections below it."""
    if section is None:
        return False
    return bool(section.paragraphs) or (follower is not None and follower.level > section.level > 0)


def _levelled(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Levels counted from 1 without gaps: a section is at most one level below the one it stands in."""
    levels: list[int] = []
    ancestors: list[int] = []
    for section in sections:
        if section.heading is not None:
            while ancestors and ancestors[-1] >= section.level:
                ancestors.pop()
            ancestors.append(section.level)
        levels.append(max(1, len(ancestors)))
    return tuple(replace(section, level=level) for section, level in zip(sections, levels, strict=True))


def _paragraphs(block: Block, numbers: Iterator[int]) -> Iterator[tuple[Sentence, ...]]:
    sentences = [
        Sentence(next(numbers), text, words, tuple(tokenize(text)))
        for item in _items(block)
        for text in split_sentences(_without_markup(item))
        if (words := count_words(text))
    ]
    if sentences:
        yield tuple(sentences)


def _items(block: Block) -> Iterator[str]:
    """The block's running texts: each list item is its own, other lines flow together."""
    item: list[str] = []
    for line in block.lines:
        mark = _LIST_ITEM.match(line)
        if mark and item:
            yield " ".join(item)
            item = []
        item.append(line[mark.end() :] if mark else line.strip())
    yield " ".join(item)


def _without_markup(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text
