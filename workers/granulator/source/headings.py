"""Telling headings from prose: Markdown and underlined headings are taken at their word, plain ones are recognised.

A text that marks its headings is never second-guessed: plain lines count as headings only where no mark is found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_HEADING_WORDS = 12
LONGEST_HEADING_CHARACTERS = 120
LONGEST_TITLE_LINE_WORDS = 9
# Nobody heads a section with more; what stands beyond is dropped from the heading.
LONGEST_MARKED_LINE = 300
SHORTEST_PROSE_WORDS = 12

_ATX = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)\s*#*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-{3,})\s*$")
_NUMBERED = re.compile(
    r"^(?:(?:chapter|part|section|lesson|unit|module)\s+(?:\d+|[ivxlc]+|one|two|three|four|five|six|seven|eight|nine|ten)"
    r"\b[.:)\s–—-]*|(?P<decimal>\d+(?:\.\d+)*)[.)]?\s+|(?P<roman>[IVXLC]+)[.)]\s+|(?P<letter>[A-Z])[.)]\s+)(?P<rest>.*)$",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_SENTENCE_END = (".", "!", ";", ",", "…", "。", "！", "；", "，", ":")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive non-blank lines of the source."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(line.strip() for line in self.lines)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading's words as its author wrote them, without marks and numbers; level 1 is the highest."""

    text: str
    level: int


def marked_headings(blocks: Sequence[Block]) -> list[Block | Heading]:
    """The blocks with every Markdown (`#`) and underlined heading lifted out of the prose it may touch."""
    parts: list[Block | Heading] = []
    for block in blocks:
        prose: list[str] = []
        for line in block.lines:
            atx, underline = _ATX.match(line[:LONGEST_MARKED_LINE]), _SETEXT.match(line)
            if atx:
                _flush(prose, parts)
                parts.append(Heading(_bare(atx[2]), len(atx[1])))
            elif underline and len(prose) == 1 and len(prose[0].split()) <= LONGEST_HEADING_WORDS:
                parts.append(Heading(_bare(prose.pop()), 1 if underline[1].startswith("=") else 2))
            elif not underline:
                prose.append(line)
        _flush(prose, parts)
    return [part for part in parts if part.text]


def plain_headings(blocks: Sequence[Block]) -> list[Block | Heading]:
    """The blocks with every numbered, upper-case or stand-alone title line replaced by a heading."""
    parts: list[Block | Heading] = []
    for index, block in enumerate(blocks):
        following = blocks[index + 1] if index + 1 < len(blocks) else None
        parts.append(_plain_heading(block, following) or block)
    return parts


def _flush(prose: list[str], parts: list[Block | Heading]) -> None:
    if prose:
        parts.append(Block(tuple(prose)))
        prose.clear()


def _plain_heading(block: Block, following: Block | None) -> Heading | None:
    """A heading is one short line, not a sentence, with something to head below it."""
    line = block.lines[0].strip()
    words = line.split()
    too_long = len(words) > LONGEST_HEADING_WORDS or len(line) > LONGEST_HEADING_CHARACTERS
    if following is None or len(block.lines) > 1 or too_long:
        return None
    numbered = _NUMBERED.match(line)
    if numbered and not line.endswith(_SENTENCE_END[:-1]) and _may_head(numbered["rest"] or line):
        return Heading(_bare(line), _numbered_level(numbered))
    if not _may_head(line) or line.endswith(_SENTENCE_END):
        return None
    letters = [character for character in line if character.isalpha()]
    if len(letters) >= 3 and all(character.isupper() for character in letters):
        return Heading(_bare(line), 1)
    if len(words) <= LONGEST_TITLE_LINE_WORDS and _is_prose_or_short_line(following):
        return Heading(_bare(line), 2)
    return None


def _may_head(line: str) -> bool:
    first = line.lstrip("\"'“‘(")[:1]
    return first.isalnum() and not first.islower() and not _LIST_MARK.match(line)


def _is_prose_or_short_line(block: Block) -> bool:
    return len(block.text.split()) >= SHORTEST_PROSE_WORDS or (len(block.lines) == 1 and _may_head(block.lines[0]))


def _numbered_level(match: re.Match[str]) -> int:
    if match["decimal"]:
        return 1 + match["decimal"].count(".")
    return 2 if match["letter"] and not match["roman"] else 1


def _bare(heading: str) -> str:
    """A heading without its number, emphasis marks and closing colon; the number alone stays if it is all there is."""
    text = re.sub(r"(?::[a-z]+:)?[*_`]{1,3}(?=\S)(.+?)(?<=\S)[*_`]{1,3}", r"\1", heading.strip())
    numbered = _NUMBERED.match(text)
    if numbered and numbered["rest"].strip():
        text = numbered["rest"]
    text = text.strip().rstrip(":;,–—- ")
    letters = [character for character in text if character.isalpha()]
    if len(letters) > 5 and all(character.isupper() for character in letters):
        return text[:1] + text[1:].lower()
    return text
