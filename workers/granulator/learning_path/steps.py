"""The steps to a milestone: what to read, what to practise on it, and the question that tells whether it is reached."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from workers.granulator.course.objectives import (
    ORDER,
    account_of,
    objective_from_heading,
    objective_from_terms,
    objectives_from,
    quoted,
)
from workers.granulator.course.title_index import TitleIndex, title_words
from workers.granulator.course.titles import TitleRegister
from workers.granulator.language.readings import ReadSentence
from workers.granulator.learning_path.structure import Step
from workers.granulator.pacing import ANSWER_MINUTES, EXERCISE_MINUTES, reading_minutes
from workers.granulator.parts import Part, Piece
from workers.granulator.source.facts import Fact
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Source

NAMED_TERMS = 2

Reading = Sequence[Piece]


class StepWriter:
    """Writes the steps of one path and sees to it that no two of them read alike and no outcome comes twice."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._names = frozenset(outline.names)
        self._titles = TitleRegister()
        self._outcomes = TitleIndex()

    def outcomes(self, part: Part, facts: Sequence[Fact], wanted: int) -> tuple[str, ...]:
        """What a learner can do after the part, terms before what is said with them; at least one."""
        sentences = [fact.sentence for fact in facts if part.holds(fact)]
        found = objectives_from(sentences, self._names) if self._outline.english else []
        fresh = list(islice((item for item in found if self._is_new(item.text)), wanted))
        if not fresh:
            plain = list(self._plain_outcomes(part, sentences))
            return (next((text for text in plain if self._is_new(text)), plain[-1]),)
        return tuple(item.text for item in sorted(fresh, key=lambda item: ORDER.index(item.nature)))

    def reading(self, pieces: Reading) -> Step:
        """To read some neighbouring passages of one section."""
        words = sum(piece.content.words for piece in pieces)
        return Step(
            activity="read",
            title=self._titles.claim(self._reading_titles(pieces)),
            duration_minutes=max(1, reading_minutes(words)),
            source=self._source(pieces),
        )

    def practice(self, outcome: str, part: Part) -> Step:
        """To practise what is to be learnt."""
        return Step(
            activity="practise",
            title=self._titles.claim([outcome.rstrip("."), f"Practise: {outcome.rstrip('.')}"]),
            duration_minutes=EXERCISE_MINUTES,
            source=Source(section=part.heading, sentences=part.sentences),
        )

    def check(self, part: Part, fact: Fact) -> Step:
        """To answer the milestone's checkpoint."""
        return Step(
            activity="check",
            title=self._titles.claim([f"Check yourself on “{part.title}”", f"Answer the checkpoint of “{part.title}”"]),
            duration_minutes=ANSWER_MINUTES,
            source=Source(section=self._heading(fact.section), sentences=(fact.number, fact.number)),
        )

    def _is_new(self, outcome: str) -> bool:
        """Whether no outcome so far reads like it; from now on one does."""
        words = title_words(outcome)
        new = self._outcomes.like(words) is None
        self._outcomes.add(words, outcome)
        return new

    def _plain_outcomes(self, part: Part, sentences: Sequence[ReadSentence]) -> Iterator[str]:
        """For a part none of whose sentences makes an objective; no two parts have one title, so the last is new."""
        if part.heading and self._outline.english:
            yield objective_from_heading(part.heading, sentences, self._names)
        terms = [term.term for piece in part.pieces for term in piece.content.terms][:NAMED_TERMS]
        if terms:
            yield objective_from_terms(terms)
        yield account_of(part.title)

    def _reading_titles(self, pieces: Reading) -> Iterator[str]:
        heading = self._heading(pieces[0].section)
        terms = quoted([term.term for piece in pieces for term in piece.content.terms][:NAMED_TERMS] or ["the rest"])
        first, last = pieces[0].content.sentences[0], pieces[-1].content.sentences[1]
        if heading and self._is_whole(pieces):
            yield f"Read “{heading}”"
        yield f"Read “{heading}” on {terms}" if heading else f"Read about {terms}"
        yield f"Read sentences {first} to {last} on {terms}"

    def _is_whole(self, pieces: Reading) -> bool:
        return len(pieces) == len(self._outline.sections[pieces[0].section].passages)

    def _source(self, pieces: Reading) -> Source:
        sentences = (pieces[0].content.sentences[0], pieces[-1].content.sentences[1])
        return Source(section=self._heading(pieces[0].section), sentences=sentences)

    def _heading(self, section: int) -> str | None:
        return self._outline.sections[section].heading


def readings_of(part: Part, most: int, *, fine: bool) -> list[Reading]:
    """The passages of a part in at most so many portions: by section, or each by itself where a path is `fine`."""
    portions: list[list[Piece]] = [[piece] for piece in part.pieces]
    if not fine:
        portions = [list(pieces) for _, pieces in groupby(part.pieces, key=lambda piece: piece.section)]
    while len(portions) > max(1, most):
        lengths = [sum(piece.content.words for piece in portion) for portion in portions]
        place = min(range(len(portions) - 1), key=lambda index: lengths[index] + lengths[index + 1])
        portions[place : place + 2] = [portions[place] + portions[place + 1]]
    return list(portions)
