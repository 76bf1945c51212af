"""How many steps a procedure is cut into: neighbours are joined until it fits, and no instruction is lost.

What branches is joined last, for a decision that is not shown is one that nobody takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from workers.granulator.structure import Brief
from workers.granulator.workflow.procedure import MOST_NOTES, Choice, Deed, PhaseDraft, Unit

# A workflow that can be kept in mind has ten to twenty-five steps; the other levels stand below and above that.
MOST_STEPS: Final = {1: 10, 2: 16, 3: 25, 4: 40, 5: 80}
MOST_PHASES: Final = 12
# A phase of two steps and itself.
_PHASE_ROOM: Final = 3
# A choice takes two or three steps, and should leave room for as many others.
_CHOICE_ROOM: Final = 4


def fitted(phases: Sequence[PhaseDraft], brief: Brief) -> list[PhaseDraft]:
    """The phases with phases and steps joined, the shortest neighbours first, until they fit the brief."""
    fewer = _with_fewer_phases(phases, min(MOST_PHASES, brief.max_elements // _PHASE_ROOM))
    most = max(len(fewer), min(MOST_STEPS[brief.granularity_level], brief.max_elements - len(fewer)))
    return _with_fewer_steps(_with_fewer_choices(fewer, most // _CHOICE_ROOM), most)


def _with_fewer_phases(phases: Sequence[PhaseDraft], most: int) -> list[PhaseDraft]:
    joined = list(phases)
    while len(joined) > most:
        place = min(range(len(joined) - 1), key=lambda index: joined[index].words + joined[index + 1].words)
        joined[place : place + 2] = [_join_phases(joined[place], joined[place + 1])]
    return joined


def _join_phases(first: PhaseDraft, second: PhaseDraft) -> PhaseDraft:
    larger = second if first.heading is None or second.words > first.words else first
    return replace(
        larger,
        sentences=(first.sentences[0], second.sentences[1]),
        words=first.words + second.words,
        units=first.units + second.units,
        notes=(*first.notes, *second.notes)[:MOST_NOTES],
    )


def _with_fewer_choices(phases: Sequence[PhaseDraft], most: int) -> list[PhaseDraft]:
    """Only the weightiest choices stay; each of the others is one deed with its conditions in its words."""
    choices = [unit for phase in phases for unit in phase.units if isinstance(unit, Choice)]
    kept = sorted(choices, key=lambda choice: (-choice.weight, choice.sentences))[: max(1, most)]
    return [
        replace(
            phase,
            units=tuple(
                _plain(unit) if isinstance(unit, Choice) and unit not in kept else unit for unit in phase.units
            ),
        )
        for phase in phases
    ]


def _plain(choice: Choice) -> Deed:
    """A choice as one deed, each command behind its condition."""
    deeds = choice.deeds
    commands = tuple(
        f"{command}, {deed.condition.text}" if deed.condition else command
        for deed in deeds
        for command in deed.commands
    )
    return replace(
        deeds[0],
        commands=commands,
        sentences=choice.sentences,
        words=sum(deed.words for deed in deeds),
        condition=None,
        notes=tuple(note for deed in deeds for note in deed.notes)[:MOST_NOTES],
    )


def _on_condition(deed: Deed, command: str) -> str:
    return f"{command}, {deed.condition.text}" if deed.condition else command


def _with_fewer_steps(phases: Sequence[PhaseDraft], most: int) -> list[PhaseDraft]:
    fewer = list(phases)
    # Far above the mark pairs are joined wholesale, so that a long text costs no more than its length.
    while sum(phase.steps for phase in fewer) > 2 * most and any(_pairs(phase) for phase in fewer):
        fewer = [replace(phase, units=tuple(_in_pairs(phase.units))) for phase in fewer]
    while sum(phase.steps for phase in fewer) > most:
        places = [(pair, row) for row, phase in enumerate(fewer) for pair in _pairs(phase)]
        if places:
            (_, _, place), row = min(places)
            fewer[row] = _with_joined(fewer[row], place)
        elif not _flatten_one(fewer):
            break
    return fewer


def _pairs(phase: PhaseDraft) -> list[tuple[bool, int, int]]:
    """The places of neighbours that may be joined, each behind whether their actors differ and their words."""
    return [
        (first.actors != second.actors, first.words + second.words, place)
        for place, (first, second) in enumerate(zip(phase.units, phase.units[1:], strict=False))
        if isinstance(first, Deed) and isinstance(second, Deed) and _may_join(first, second)
    ]


def _may_join(first: Deed, second: Deed) -> bool:
    """What waits for its condition begins a step of its own."""
    return second.condition is None or first.condition == second.condition


def _join(first: Deed, second: Deed) -> Deed:
    return replace(
        first,
        commands=first.commands + second.commands,
        sentences=(first.sentences[0], second.sentences[1]),
        words=first.words + second.words,
        actors=tuple(dict.fromkeys((*first.actors, *second.actors))),
        notes=(*first.notes, *second.notes)[:MOST_NOTES],
    )


def _with_joined(phase: PhaseDraft, place: int) -> PhaseDraft:
    first, second = phase.units[place : place + 2]
    assert isinstance(first, Deed), "only deeds are joined"
    assert isinstance(second, Deed), "only deeds are joined"
    return replace(phase, units=(*phase.units[:place], _join(first, second), *phase.units[place + 2 :]))


def _in_pairs(units: Sequence[Unit]) -> Iterator[Unit]:
    waiting: Deed | None = None
    for unit in units:
        if waiting is not None and isinstance(unit, Deed) and _may_join(waiting, unit):
            yield _join(waiting, unit)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = unit if isinstance(unit, Deed) else None
        if waiting is None:
            yield unit
    if waiting is not None:
        yield waiting


def _flatten_one(phases: list[PhaseDraft]) -> bool:
    """Make the least of what stands in the way a plain deed: a choice, or what waits; False where nothing does."""
    standing = [
        (unit.weight, row, place)
        for row, phase in enumerate(phases)
        for place, unit in enumerate(phase.units)
        if isinstance(unit, Choice) or unit.condition is not None
    ]
    if not standing:
        return False
    _, row, place = min(standing)
    unit = phases[row].units[place]
    plain = _plain(unit if isinstance(unit, Choice) else Choice((unit,)))
    phases[row] = replace(phases[row], units=(*phases[row].units[:place], plain, *phases[row].units[place + 1 :]))
    return True
