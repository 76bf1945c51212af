"""The procedure that a text gives: what is to be done, section by section, before it is cut to size and wired.

Every sentence of the source lies in exactly one phase, and every instruction in exactly one of its deeds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from workers.granulator.language.tokens import count_words, tokenize
from workers.granulator.source.analysis import content_words
from workers.granulator.source.outline import Outline, OutlineSection
from workers.granulator.source.points import Point
from workers.granulator.workflow.instructions import (
    BRANCHING,
    Condition,
    Instruction,
    commands_within,
    condition_of,
    is_caution,
    read_instruction,
)

# A text is a procedure if so many of its sentences are instructions; running prose seldom has one in ten.
LEAST_INSTRUCTIONS: Final = 5
LEAST_SHARE: Final = 0.3
# Conditions speak of the same thing if they share at least half of the shorter one's words.
LIKE_CONDITIONS: Final = 0.5
MOST_NOTES: Final = 3


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do: its commands, the sentences it draws on, their weight, and what else they say."""

    commands: tuple[str, ...]
    sentences: tuple[int, int]
    words: int
    weight: float
    actors: tuple[str, ...] = ()
    condition: Condition | None = None
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return ". ".join(self.commands)


@dataclass(frozen=True, slots=True)
class Choice:
    """Deeds of which at most one is done, each on its condition."""

    deeds: tuple[Deed, ...]

    @property
    def sentences(self) -> tuple[int, int]:
        return self.deeds[0].sentences[0], self.deeds[-1].sentences[1]

    @property
    def weight(self) -> float:
        return max(deed.weight for deed in self.deeds)


Unit: TypeAlias = Deed | Choice


@dataclass(frozen=True, slots=True)
class PhaseDraft:
    """The units under one heading; `notes` are what it says beside them, `words` the length of its text."""

    heading: str | None
    terms: tuple[str, ...]
    sentences: tuple[int, int]
    words: int
    units: tuple[Unit, ...]
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many steps the units make: a choice is one, and each of its deeds is."""
        return sum(steps_of(unit) for unit in self.units)

    @property
    def actors(self) -> tuple[str, ...]:
        """Who is told to do something, in the order of the text."""
        deeds = (deed for unit in self.units for deed in (unit.deeds if isinstance(unit, Choice) else (unit,)))
        return tuple(actor for deed in deeds for actor in deed.actors)


def steps_of(unit: Unit) -> int:
    """How many steps a unit makes."""
    return 1 + len(unit.deeds) if isinstance(unit, Choice) else 1


def read_procedure(outline: Outline, *, finely: bool) -> list[PhaseDraft] | None:
    """The phases of a text's procedure, each command a deed of its own if `finely`; None for a text that gives none.

    A section without an instruction belongs to the phase behind it, or to the last one.
    """
    read = [_section(section, outline.names) for section in outline.sections if section.passages]
    instructions = sum(instruction is not None for section in read for _, instruction in section.lines)
    sentences = sum(len(section.lines) for section in read)
    if not outline.english or instructions < max(LEAST_INSTRUCTIONS, LEAST_SHARE * sentences):
        return None
    return _merged([_phase(section, finely=finely) for section in read])


@dataclass(frozen=True, slots=True)
class _ReadSection:
    section: OutlineSection
    lines: tuple[tuple[Point, Instruction | None], ...]


def _section(section: OutlineSection, names: Sequence[str]) -> _ReadSection:
    known = frozenset(names)
    lines = [line for passage in section.passages for line in passage.lines]
    read = [read_instruction(line.text, known) for line in lines]
    for place, (before, instruction) in enumerate(pairwise(read), 1):
        if before is None and instruction is not None:
            read[place] = _answering(lines[place - 1].text, instruction)
    return _ReadSection(section, tuple(zip(lines, read, strict=True)))


def _answering(before: str, instruction: Instruction) -> Instruction:
    """ "If it sounds hollow, the loaf is done. Otherwise, ...": what is otherwise done is done unless it sounds so."""
    asked = condition_of(before)
    if asked is None or asked.word not in ("if", "unless") or instruction.condition != Condition("otherwise", ""):
        return instruction
    return replace(instruction, condition=Condition("unless" if asked.word == "if" else "if", asked.clause))


def _phase(read: _ReadSection, *, finely: bool) -> PhaseDraft:
    section = read.section
    sentences = section.passages[0].sentences[0], section.passages[-1].sentences[1]
    starts = [place for place, (_, instruction) in enumerate(read.lines) if instruction is not None]
    told = [
        deed
        for place, following in pairwise([*starts, len(read.lines)])
        for deed in _deeds(read.lines[place:following], finely=finely)
    ]
    lead = read.lines[: starts[0]] if starts else read.lines
    return PhaseDraft(
        heading=section.heading,
        terms=tuple(term.term for term in section.terms),
        sentences=sentences,
        words=section.word_count,
        units=tuple(_units(_stretched(told, sentences))),
        notes=_weightiest([line for line, _ in lead]),
    )


def _deeds(lines: Sequence[tuple[Point, Instruction | None]], *, finely: bool) -> Iterator[Deed]:
    """The deeds of an instruction and of what is said about it, up to the next one."""
    (lead, instruction), *about = lines
    assert instruction is not None, "a deed begins at an instruction"
    commands = commands_within(instruction.command) if finely else [instruction.command]
    whole = Deed(
        commands=(instruction.command,),
        sentences=(lead.sentence, lines[-1][0].sentence),
        words=count_words(instruction.command),
        weight=lead.weight,
        actors=(instruction.actor,) if instruction.actor else (),
        condition=instruction.condition,
        notes=_weightiest([line for line, _ in about]),
    )
    if len(commands) == 1 or instruction.condition is not None:
        yield whole
        return
    for command in commands[:-1]:
        yield replace(whole, commands=(command,), sentences=(lead.sentence, lead.sentence), notes=())
    yield replace(whole, commands=(commands[-1],))


def _weightiest(lines: Sequence[Point]) -> tuple[str, ...]:
    """The cautions and the weightiest of the other sentences, in the order of the text."""
    ranked = sorted(lines, key=lambda line: (not is_caution(line.text), -line.weight, line.sentence))[:MOST_NOTES]
    return tuple(line.text for line in sorted(ranked, key=lambda line: line.sentence))


def _stretched(deeds: Sequence[Deed], sentences: tuple[int, int]) -> list[Deed]:
    """The deeds with their sentences' ranges drawn together, so that they leave no gap in the section."""
    stretched = list(deeds)
    for place, deed in enumerate(deeds):
        first = sentences[0] if place == 0 else deed.sentences[0]
        after = deeds[place + 1].sentences[0] - 1 if place + 1 < len(deeds) else sentences[1]
        stretched[place] = replace(deed, sentences=(first, max(after, deed.sentences[0])))
    return stretched


def _units(deeds: Iterable[Deed]) -> Iterator[Unit]:
    """Neighbours that turn on one question become one choice; what waits for its condition stays a deed."""
    pending: list[Deed] = []
    before: Deed | None = None
    for deed in deeds:
        deed, branches = _settled(deed, before)
        if not branches or (pending and not _turns_on_the_same(pending[-1], deed)):
            yield from _choice(pending)
            pending = []
        if branches and (pending or _condition(deed).word != "otherwise"):
            pending.append(deed)
        else:
            yield replace(deed, condition=None) if branches else deed
        before = deed
    yield from _choice(pending)


def _choice(deeds: Sequence[Deed]) -> Iterator[Choice]:
    if deeds:
        yield Choice(tuple(deeds))


def _condition(deed: Deed) -> Condition:
    assert deed.condition is not None, "only a conditioned deed is asked"
    return deed.condition


def _settled(deed: Deed, before: Deed | None) -> tuple[Deed, bool]:
    """The deed, and whether it may be passed by.

    "When" waits if its clause is of something done ("has doubled") or of what was just handled, and else it branches.
    """
    condition = deed.condition
    if condition is None:
        return deed, False
    if condition.word != "when":
        return deed, condition.word in BRANCHING
    words = condition.clause.lower().split()
    done = "has" in words or "have" in words
    handled = before is not None and bool(words_in(condition.clause) & words_in(before.text))
    return deed, not (done or handled)


def _turns_on_the_same(first: Deed, second: Deed) -> bool:
    one, other = _condition(first), _condition(second)
    if other.word == "otherwise":
        return True
    words, others = words_in(one.clause), words_in(other.clause)
    return len(words & others) >= LIKE_CONDITIONS * max(1, min(len(words), len(others)))


def words_in(text: str) -> frozenset[str]:
    """The folded content words of a text."""
    return frozenset(content_words(tokenize(text)))


def _merged(phases: Sequence[PhaseDraft]) -> list[PhaseDraft]:
    """The phases with those that ask for nothing folded into the next one, or into the last."""
    merged: list[PhaseDraft] = []
    waiting: PhaseDraft | None = None
    for phase in phases:
        whole = phase if waiting is None else _told_by(waiting, phase)
        waiting = None if whole.units else whole
        if whole.units:
            merged.append(whole)
    return merged if waiting is None else [*merged[:-1], _told_by(merged[-1], waiting)]


def _told_by(first: PhaseDraft, second: PhaseDraft) -> PhaseDraft:
    """Two neighbours, one of which only tells, as one phase under the heading of the one that asks for something."""
    asks = first if first.units else second
    return replace(
        asks,
        sentences=(first.sentences[0], second.sentences[1]),
        words=first.words + second.words,
        notes=(*first.notes, *second.notes)[:MOST_NOTES],
    )
