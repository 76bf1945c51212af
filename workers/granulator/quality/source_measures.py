"""How much of its source a structure takes up: by weighted terms, by sections, and by sentences drawn on."""

from collections.abc import Iterable, Sequence

from workers.granulator.language.words import words_of
from workers.granulator.quality.finding import Finding, Measured, share
from workers.granulator.quality.texts import texts_of
from workers.granulator.quality.tree import Tree, runs_of
from workers.granulator.quality.yardstick import Yardstick

# A section counts as taken up if the structure names at least this share of its own terms.
TAKEN_UP_SHARE = 0.5
NAMED_FINDINGS = 5


def coverage(tree: Tree, yardstick: Yardstick) -> Measured:
    """The weighted share of the source's top terms that the structure's texts name."""
    missing = [(term, weight) for term, weight in yardstick.weights.items() if not tree.names(term)]
    findings = tuple(
        Finding(
            code="term_missing",
            severity="warning",
            path="",
            message=f"The source's term “{term}” ({weight:.1%} of all weight) is nowhere in the structure.",
        )
        for term, weight in missing[:NAMED_FINDINGS]
    )
    return Measured(max(0.0, sum(yardstick.weights.values()) - sum(weight for _, weight in missing)), findings)


def sections(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of the source's sections that are taken up, of those with terms of their own."""
    left_out = left_out_sections(tree, yardstick)
    if not yardstick.sections:
        return Measured(None)
    findings = tuple(_left_out(number, yardstick.sections[number]) for number in left_out[:NAMED_FINDINGS])
    return Measured(1 - share(len(left_out), len(yardstick.sections)), findings)


def left_out_sections(tree: Tree, yardstick: Yardstick) -> list[int]:
    """The numbers, from 1, of the sections with terms of their own that the structure does not take up."""
    return [number for number, own in yardstick.sections.items() if not _is_taken_up(tree, own)]


def span(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of the source's sentences inside the ranges that elements name as their source.

    A range counts only where the element speaks of a term of the source, so a structure of another text gains none.
    """
    drawn: list[tuple[int, int]] = []
    findings: list[Finding] = []
    terms = [words_of(term) for term in yardstick.weights]
    for placed in tree.elements:
        if placed.element.source is None:
            continue
        first, last = placed.element.source.sentences
        if not 1 <= first <= last <= yardstick.sentences:
            findings.append(_outside(placed.path, first, last, yardstick.sentences))
        elif _speaks_of(texts_of(placed.element), terms):
            drawn.append((first, last))
    return Measured(share(_union(drawn), yardstick.sentences), tuple(findings[:NAMED_FINDINGS]))


def _union(ranges: Iterable[tuple[int, int]]) -> int:
    """How many numbers lie in at least one of the ranges, both ends included."""
    total = end = 0
    for first, last in sorted(ranges):
        total += max(0, last - max(first - 1, end))
        end = max(end, last)
    return total


def _is_taken_up(tree: Tree, own: Sequence[str]) -> bool:
    return sum(tree.names(term) for term in own) >= TAKEN_UP_SHARE * len(own)


def _left_out(number: int, own: Sequence[str]) -> Finding:
    terms = ", ".join(f"“{term}”" for term in own[:3])
    message = f"Section {number} of the source, on {terms}, is not taken up."
    return Finding(code="section_uncovered", severity="warning", path="", message=message)


def _speaks_of(texts: Iterable[str], terms: Iterable[tuple[str, ...]]) -> bool:
    runs = {run for text in texts for run in runs_of(text)}
    return any(term in runs for term in terms)


def _outside(path: str, first: int, last: int, sentences: int) -> Finding:
    return Finding(
        code="source_outside_text",
        severity="error",
        path=f"{path}/source/sentences",
        message=f"Sentences {first} to {last} are not in the source, which has {sentences}.",
    )
