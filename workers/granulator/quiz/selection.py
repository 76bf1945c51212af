"""Which questions a quiz asks: every part of the source has its share, and no answer or form comes too often.

Depends on the facts alone: the same text and the same size give the same questions.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from workers.granulator.course.title_index import TitleIndex, title_words
from workers.granulator.parts import Part
from workers.granulator.quiz.questions import Candidate, Questioner
from workers.granulator.source.facts import Fact
from workers.granulator.source.outline import Outline

# How many sentences are tried for each question that is wanted.
TRIED = 3
# Statements are the hardest to answer: about one question in eight.
STATEMENT_SHARE = 1 / 8
# A question on what was asked for before is worth so much of a fresh one; where the same is asked, nothing.
ASKED_BEFORE = 0.3
# How many questions of one form a section takes before it wants another.
FORM_PATIENCE = 0.35


class Selection:
    """The questions chosen so far, and how much the next one would add."""

    def __init__(self) -> None:
        self.chosen: list[Candidate] = []
        self._facts: set[int] = set()
        self._stems = TitleIndex()
        self._asks: Counter[str] = Counter()
        self._forms: Counter[str] = Counter()
        self._sections: Counter[int] = Counter()

    def take(self, candidate: Candidate) -> None:
        """Choose a question."""
        self.chosen.append(candidate)
        self._facts.add(candidate.fact.number)
        self._stems.add(title_words(candidate.stem), candidate.stem)
        self._asks[candidate.asks] += 1
        self._forms[candidate.form] += 1
        self._sections[candidate.fact.section] += 1

    def has(self, candidate: Candidate) -> bool:
        """Whether its sentence is asked about already, or a question reads like it."""
        return candidate.fact.number in self._facts or self._stems.like(title_words(candidate.stem)) is not None

    def gain(self, candidate: Candidate) -> float:
        """What a question adds: its worth, the less the more its section, form and answer were asked for."""
        repeated: float = ASKED_BEFORE ** self._asks[candidate.asks]
        crowded = 1 + self._sections[candidate.fact.section]
        forms = 1 + FORM_PATIENCE * self._forms[candidate.form]
        return candidate.worth * repeated / crowded / forms


def select(
    outline: Outline, parts: Sequence[Part], facts: Sequence[Fact], questioner: Questioner, wanted: int
) -> list[Candidate]:
    """At most so many questions: one for each section first, taking turns among the parts, then the best of all."""
    selection = Selection()
    by_section: dict[int, list[int]] = defaultdict(list)
    for index in sorted(range(len(facts)), key=lambda index: (not facts[index].stands, -facts[index].weight)):
        by_section[facts[index].section].append(index)
    most = 2 + TRIED * wanted // max(1, len(by_section))
    pool: list[Candidate] = []
    for section in _longest_of_each(parts, outline)[:wanted]:
        candidates = [item for index in by_section[section][:most] for item in questioner.about(index)]
        first = next(
            (item for item in sorted(candidates, key=selection.gain, reverse=True) if not selection.has(item)), None
        )
        spare = questioner.open(by_section[section][0], outline.sections[section].heading)
        if first or not selection.has(spare):
            selection.take(first or spare)
        pool += candidates
    _take_statements(selection, parts, facts, questioner, wanted)
    while pool and len(selection.chosen) < wanted:
        best = max(pool, key=selection.gain)
        if not selection.has(best):
            selection.take(best)
        pool = [item for item in pool if item.fact is not best.fact]
    return sorted(selection.chosen, key=lambda item: item.fact.number)


def _longest_of_each(parts: Sequence[Part], outline: Outline) -> list[int]:
    """The places of all sections: the longest of each part, then the second of each, and so on."""
    ranked = [
        (rank, -outline.sections[section].word_count, section)
        for part in parts
        for rank, section in enumerate(sorted(part.sections, key=lambda place: -outline.sections[place].word_count))
    ]
    return list(dict.fromkeys(section for _, _, section in sorted(ranked)))


def _take_statements(
    selection: Selection, parts: Sequence[Part], facts: Sequence[Fact], questioner: Questioner, wanted: int
) -> None:
    """One on each of the longest parts, as far as their share goes."""
    left = min(round(STATEMENT_SHARE * wanted), wanted - len(selection.chosen))
    for part in sorted(parts, key=lambda part: -part.words):
        asked = {item.fact.number for item in selection.chosen}
        free = [index for index, fact in enumerate(facts) if part.holds(fact) and fact.number not in asked]
        candidate = questioner.statement(free, part.title) if left > 0 else None
        if candidate and not selection.has(candidate):
            selection.take(candidate)
            left -= 1
