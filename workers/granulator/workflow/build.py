"""A workflow from an outline: of the procedure that the text gives, else of the study of what it says.

Every section of the source lies in a phase, and no two titles are alike.
"""

from collections.abc import Sequence

from workers.granulator.course.titles import TitleRegister, sentence_case
from workers.granulator.language.words import Words, words_of
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Source
from workers.granulator.workflow.granularity import fitted
from workers.granulator.workflow.materials import Materials, materials_of, things_named
from workers.granulator.workflow.procedure import Choice, Deed, PhaseDraft, read_procedure
from workers.granulator.workflow.structure import Phase, Step, Workflow
from workers.granulator.workflow.study import study
from workers.granulator.workflow.wiring import Graph, Node, wired
from workers.granulator.workflow.wording import decision_title, step_titles

UNTITLED = "Untitled procedure"
# From this level on every command is a step of its own, whichever sentence it shares with others.
FINE_LEVEL = 4


def build(outline: Outline, brief: Brief) -> Workflow:
    """The workflow of a text; equal outlines and briefs give equal workflows. Raises EmptyOutline."""
    phases = read_procedure(outline, finely=brief.granularity_level >= FINE_LEVEL)
    if phases is None:
        return study(outline, brief)
    fitting = fitted(phases, brief)
    graph = wired(fitting)
    title = outline.title or next(map(sentence_case, (term.term for term in outline.terms)), UNTITLED)
    writer = _Writer(title, fitting, graph)
    children = tuple(writer.phase(number) for number in range(len(fitting)))
    return Workflow(
        title=title,
        description=" ".join(fitting[0].notes),
        actors=tuple(dict.fromkeys(actor for phase in phases for actor in phase.actors)),
        starts=graph.starts,
        ends=graph.ends,
        children=children,
    )


class _Writer:
    """Writes phases and steps from a graph; gives each title once, and each thing made to those who come after."""

    def __init__(self, title: str, phases: Sequence[PhaseDraft], graph: Graph) -> None:
        self._phases = phases
        self._nodes = graph.nodes
        self._register = TitleRegister()
        self._register.claim([title])
        self._phase_titles = [self._register.claim(_phase_titles(phase)) for phase in phases]
        self._materials = [_materials(node) for node in graph.nodes]
        self._wanted = _wanted_later(self._materials)

    def phase(self, number: int) -> Phase:
        draft = self._phases[number]
        steps = [self._step(place) for place, node in enumerate(self._nodes) if node.phase == number]
        return Phase(
            id=str(number + 1),
            title=self._phase_titles[number],
            description=" ".join(draft.notes) if number else "",
            source=Source(section=draft.heading, sentences=draft.sentences),
            children=tuple(steps),
        )

    def _step(self, place: int) -> Step:
        node = self._nodes[place]
        materials = self._materials[place]
        section = self._phases[node.phase].heading
        if isinstance(node.what, Choice):
            conditions = [deed.condition for deed in node.what.deeds if deed.condition]
            return Step(
                type="decision",
                id=node.id,
                title=self._register.claim(map(decision_title, conditions[:1])),
                inputs=materials.taken,
                branches=node.branches,
                next=node.next,
                source=Source(section=section, sentences=node.what.sentences),
            )
        deed = node.what
        changed = tuple(name for name in materials.handled if words_of(name) in self._wanted[place])
        return Step(
            id=node.id,
            title=self._register.claim(step_titles(deed.commands)),
            description=" ".join(deed.notes),
            actor=" and ".join(deed.actors) or None,
            actions=tuple(f"{sentence_case(command)}." for command in deed.commands),
            inputs=materials.taken,
            outputs=tuple(dict.fromkeys((*materials.made, *changed))),
            branches=node.branches,
            next=node.next,
            source=Source(section=section, sentences=deed.sentences),
        )


def _phase_titles(phase: PhaseDraft) -> list[str]:
    """The heading, else the terms that tell the phase from the others, else its first command."""
    headings = [phase.heading] if phase.heading else []
    terms = [sentence_case(term) for term in phase.terms]
    named = [f"{heading}: {term}" for heading in headings for term in phase.terms]
    return [*headings, *named, *terms, "Further steps"]


def _materials(node: Node) -> Materials:
    if isinstance(node.what, Deed):
        return materials_of(node.what.commands)
    asked = [name for deed in node.what.deeds if deed.condition for name in things_named(deed.condition.clause)]
    distinct = {words_of(name): name for name in reversed(asked)}
    return Materials(taken=tuple(reversed(distinct.values())), made=(), handled=())


def _wanted_later(materials: Sequence[Materials]) -> list[frozenset[Words]]:
    """For each step, what the steps behind it take."""
    wanted: list[frozenset[Words]] = []
    seen: frozenset[Words] = frozenset()
    for one in reversed(materials):
        wanted.append(seen)
        seen = seen | {words_of(name) for name in one.taken}
    return wanted[::-1]
