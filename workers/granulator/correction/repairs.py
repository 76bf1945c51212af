"""What can be put right in a structure by rule, whoever made it: nothing is invented, and nothing sound is changed."""

from collections.abc import Sequence
from typing import Final, TypeVar

from workers.granulator.correction.rebuilding import rebuilt
from workers.granulator.correction.references import with_references
from workers.granulator.course.titles import TitleRegister, made_titles, sentence_case
from workers.granulator.kinds import check
from workers.granulator.language.tokens import count_words
from workers.granulator.pacing import study_minutes
from workers.granulator.quality.claims import Range, ranges_of
from workers.granulator.quality.texts import minutes_of
from workers.granulator.quality.title_rules import Titled, is_fragment, near_duplicates
from workers.granulator.quality.tree import Placed, lay_out, placed_below
from workers.granulator.source.facts import Fact, facts_of
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Element, Structure

S = TypeVar("S", bound=Structure)

DROPPABLE: Final = ("question", "concept")
"""Leaves that the others do without. A step or a scene is missed by its neighbours, and a lesson by its module."""


def repaired(structure: Structure, outline: Outline | None) -> Structure:
    """The structure without what breaks a rule and can be spared, and with true references, titles and times.

    Titles and citations are put right where there is an outline to do it by.
    """
    structure = with_references(without_faulty_leaves(structure))
    if outline is not None:
        structure = with_whole_titles(with_true_citations(structure, outline.sentences), outline)
    return with_times(structure, outline)


def without_faulty_leaves(structure: S) -> S:
    """The structure without the questions and concepts that an error is about, and the parts that hold no other."""
    errors = [finding.path for finding in check(structure) if finding.severity == "error"]
    faulty = {
        placed.path
        for placed in placed_below(structure)
        if placed.element.type in DROPPABLE and any(_is_within(path, placed.path) for path in errors)
    }

    def change(element: Element, path: str) -> Element | None:
        was_emptied = not element.children and any(_is_within(place, path) for place in faulty)
        return None if path in faulty or was_emptied else element

    return rebuilt(structure, change) if faulty else structure


def with_true_citations(structure: S, sentences: int) -> S:
    """The structure without citations of sentences that a source of so many does not have."""

    def change(element: Element, path: str) -> Element:
        if element.source is None:
            return element
        first, last = element.source.sentences
        return element if 1 <= first <= last <= sentences else element.model_copy(update={"source": None})

    return rebuilt(structure, change)


def with_whole_titles(structure: S, outline: Outline) -> S:
    """The structure with titles that are broken off, or read like another, made anew from what their elements cite.

    An element that cites nothing keeps its title.
    """
    tree = lay_out(structure)
    facts = facts_of(outline)
    titles: dict[str, str] = {}
    for types in tree.view.compared:
        group = tree.of(types)
        wrong = _wrong_titles(group)
        register = TitleRegister()
        for placed in group:
            if placed.path not in wrong:
                register.claim([placed.element.title])
        for placed in group:
            if placed.path in wrong and (made := _titles_from(placed.element, outline, facts)):
                titles[placed.path] = register.claim(made)
    return rebuilt(
        structure,
        lambda element, path: element.model_copy(update={"title": titles[path]}) if path in titles else element,
    )


def with_times(structure: S, outline: Outline | None) -> S:
    """The structure with parents that last as long as their children, and no leaf that takes no time."""

    def timed(element: Element) -> Element:
        minutes = minutes_of(element)
        if minutes is None:
            return element
        if element.children:
            minutes = sum(minutes_of(child) or 0 for child in element.children)
        return element.model_copy(update={"duration_minutes": minutes or study_minutes(_words(element, outline), 1)})

    changed = rebuilt(structure, lambda element, path: timed(element))
    minutes = minutes_of(changed)
    total = sum(minutes_of(child) or 0 for child in changed.children)
    return changed if minutes is None else changed.model_copy(update={"duration_minutes": total})


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _wrong_titles(group: Sequence[Placed]) -> set[str]:
    titled = [Titled(placed.element.title, placed.path) for placed in group]
    alike = {item.path for item, _ in near_duplicates(titled)}
    return alike | {item.path for item in titled if is_fragment(item.title)}


def _titles_from(element: Element, outline: Outline, facts: Sequence[Fact]) -> list[str]:
    """Titles that what an element cites would make, best first; none where it cites nothing."""
    ranges = ranges_of(element)
    passages = [
        passage
        for section in outline.sections
        for passage in section.passages
        if any(first <= passage.sentences[1] and passage.sentences[0] <= last for first, last in ranges)
    ]
    terms = {term.term: term.weight for passage in passages for term in passage.terms}
    said = [fact.sentence for fact in facts if _is_cited(fact.number, ranges)]
    made = made_titles(terms, said, frozenset(outline.names)) if outline.english and said else []
    return [title for title in (*made, *map(sentence_case, terms)) if not is_fragment(title)]


def _is_cited(sentence: int, ranges: Sequence[Range]) -> bool:
    return any(first <= sentence <= last for first, last in ranges)


def _words(element: Element, outline: Outline | None) -> int:
    """How many words of the source an element cites, as far as they are known."""
    if outline is None or element.source is None:
        return 0
    lines = (line for section in outline.sections for passage in section.passages for line in passage.lines)
    return sum(count_words(line.text) for line in lines if _is_cited(line.sentence, [element.source.sentences]))
