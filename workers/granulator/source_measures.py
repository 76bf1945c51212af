"""How much of its source a structure teaches: by weighted terms, by sections, and by sentences drawn on."""

from collections.abc import Iterable

from workers.granulator.finding import Finding, Measured, share
from workers.granulator.tree import Tree, runs_of, texts_of
from workers.granulator.words import words_of
from workers.granulator.yardstick import Yardstick

# A section counts as taught if the structure names at least this share of its own terms.
TAUGHT_SHARE = 0.5
NAMED_FINDINGS = 5


def coverage(tree: Tree, yardstick: Yardstick) -> Measured:
    """The weighted share of the source's top terms that titles, outlines or objectives name."""
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
    """The share of the source's sections that are taught, of those with terms of their own."""
    measurable = [(number, own) for number, own in enumerate(yardstick.sections, 1) if own]
    untaught = [
        (number, own) for number, own in measurable if sum(tree.names(term) for term in own) < TAUGHT_SHARE * len(own)
    ]
    findings = tuple(
        Finding(
            code="section_uncovered",
            severity="warning",
            path="",
            message=f"Section {number} of the source, on {', '.join(f'“{term}”' for term in own[:3])}, is not taught.",
        )
        for number, own in untaught[:NAMED_FINDINGS]
    )
    return Measured(share(len(measurable) - len(untaught), len(measurable)) if measurable else None, findings)


def span(tree: Tree, yardstick: Yardstick) -> Measured:
    """The share of the source's sentences inside the ranges that nodes name as their source.

    A range counts only where the node speaks of a term of the source, so that a structure of another text gains none.
    """
    drawn: set[int] = set()
    findings: list[Finding] = []
    terms = [words_of(term) for term in yardstick.weights]
    for placed in tree.nodes:
        if placed.node.source is None:
            continue
        first, last = placed.node.source.sentences
        if not 1 <= first <= last <= yardstick.sentences:
            findings.append(_outside(placed.path, first, last, yardstick.sentences))
        elif _speaks_of(texts_of(placed.node), terms):
            drawn.update(range(first, last + 1))
    return Measured(share(len(drawn), yardstick.sentences), tuple(findings[:NAMED_FINDINGS]))


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
