"""Which milestones a milestone requires: those that introduce what its own concepts are built on."""

from collections import defaultdict
from collections.abc import Sequence

from workers.granulator.graph import reduced
from workers.granulator.knowledge_map.build import ids_of
from workers.granulator.knowledge_map.concepts import choose_ideas
from workers.granulator.knowledge_map.prerequisites import prerequisites_of
from workers.granulator.knowledge_map.relations import links_between
from workers.granulator.parts import Part
from workers.granulator.source.facts import Fact
from workers.granulator.source.lexicon import Lexicon

CONCEPTS_PER_PART = 5


def required_parts(facts: Sequence[Fact], lexicon: Lexicon, parts: Sequence[Part], *, english: bool) -> list[list[int]]:
    """For each part the places of the earlier parts it requires; what one of these requires itself is left out.

    A part requires another if one of its concepts has a prerequisite that is at home there. Prerequisites follow the
    source's order, and so does a path: nothing is required that comes later.
    """
    ideas = choose_ideas(facts, lexicon, parts, CONCEPTS_PER_PART * len(parts), english=english)
    ids = ids_of(ideas)
    home = {ids[idea.key]: idea.theme for idea in ideas}
    required: dict[str, set[int]] = defaultdict(set)
    for id_, needed in prerequisites_of(ideas, facts, links_between(ideas, facts), ids).items():
        required[str(home[id_])].update(home[other] for other in needed if home[other] < home[id_])
    graph = {place: [str(other) for other in sorted(others)] for place, others in required.items()}
    shortest = reduced(graph)
    return [[int(other) for other in shortest.get(str(place), ())] for place in range(len(parts))]
