"""A knowledge map made from a text: what must hold of every map, what it says of tides, and which faults it shows."""

from contextlib import suppress
from functools import cache
from graphlib import TopologicalSorter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, ONE_SENTENCE, TIDES
from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.graph import find_cycle, reaches, reduced
from workers.granulator.knowledge_map.build import SIZES, build
from workers.granulator.knowledge_map.rules import check
from workers.granulator.knowledge_map.skeleton import skeleton
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap, Relation, Theme
from workers.granulator.language.definitions import Definition, definitions_in
from workers.granulator.language.words import words_of
from workers.granulator.quality.title_rules import Titled, near_duplicates
from workers.granulator.source.document import UnreadableText, read_document
from workers.granulator.source.outline import outline
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import UnusableTopic

TEXTS = [TIDES, BREAD, FLAT, FRENCH, CHINESE, ONE_SENTENCE]
PROSE = [TIDES, BREAD, FLAT]
BRIEF = Brief()
outlined = cache(outline)
TOPICS = ["Growing roses", "AI", "Growing old roses well", "Growing old roses on heavy clay soil in cold wet gardens"]
SHIPS = (
    "A vessel is a craft that floats. A boat is a vessel that one person can steer. A boat needs a crew. "
    "The hull contains a cabin and an engine. Small craft such as canoes stay near the shore. "
    "The mast carries a flag, whereas the keel carries ballast. The engine produces electricity."
)


def sentences_of(text: str) -> dict[int, str]:
    """The sentences of a text by number."""
    return {sentence.number: sentence.text for sentence in read_document(text).sentences}


def elements(found: KnowledgeMap) -> int:
    """How many elements a map has below its root."""
    return len(found.children) + len(found.concepts)


def relations_of(found: KnowledgeMap) -> set[tuple[str, str, str]]:
    """The relations without their evidence."""
    return {(relation.from_, relation.type, relation.to) for relation in found.relations}


@pytest.fixture(scope="module")
def tides() -> KnowledgeMap:
    return build(outlined(TIDES), BRIEF)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [1, 3, 5])
@pytest.mark.parametrize("most", [10, 100])
def test_a_map_made_here_keeps_every_rule_within_the_brief(text: str, level: int, most: int) -> None:
    found = build(outlined(text), Brief(granularity_level=level, max_elements=most))

    assert [finding for finding in check(found) if finding.severity == "error"] == []
    assert elements(found) <= most


@pytest.mark.parametrize("text", PROSE)
def test_a_map_of_prose_has_nothing_to_be_warned_of(text: str) -> None:
    assert check(build(outlined(text), BRIEF)) == ()


@pytest.mark.parametrize("text", PROSE)
@pytest.mark.parametrize("level", SIZES)
def test_a_map_has_fifteen_concepts_and_never_fewer_at_a_finer_level(text: str, level: int) -> None:
    counts = [len(build(outlined(text), Brief(granularity_level=at)).concepts) for at in (1, level, 5)]

    assert counts == sorted(counts)
    assert counts[0] >= 15


@pytest.mark.parametrize("text", TEXTS)
def test_every_concept_is_named_in_words_of_the_source_and_no_two_alike(text: str) -> None:
    concepts = build(outlined(text), BRIEF).concepts

    said = words_of(text)
    runs = {said[start : start + length] for start in range(len(said)) for length in range(1, 6)}
    assert [concept.title for concept in concepts if words_of(concept.title) not in runs] == []
    assert near_duplicates([Titled(concept.title, concept.id) for concept in concepts]) == []


@pytest.mark.parametrize("text", TEXTS)
def test_every_mention_is_a_sentence_that_speaks_of_the_concept(text: str) -> None:
    sentences = sentences_of(text)

    for concept in build(outlined(text), BRIEF).concepts:
        words = words_of(concept.title)
        for number in concept.mentions:
            said = words_of(sentences[number])
            assert words in [said[start : start + len(words)] for start in range(len(said))], concept.title
        assert concept.mentions


@pytest.mark.parametrize("text", PROSE)
def test_a_definition_is_the_sentence_that_gives_it_with_the_one_it_leans_on(text: str) -> None:
    sentences = sentences_of(text)
    defined = [concept for concept in build(outlined(text), BRIEF).concepts if concept.definition]

    assert defined
    for concept in defined:
        assert concept.source is not None
        number = concept.source.sentences[0]
        assert concept.definition in (sentences[number], f"{sentences.get(number - 1)} {sentences[number]}")
        assert set(words_of(concept.title)) <= set(words_of(sentences[number]))


@pytest.mark.parametrize("text", TEXTS)
def test_the_evidence_of_a_relation_is_a_sentence_that_names_both_ends(text: str) -> None:
    found = build(outlined(text), BRIEF)
    titles = {concept.id: set(words_of(concept.title)) for concept in found.concepts}
    sentences = sentences_of(text)

    for relation in found.relations:
        assert relation.source is not None
        assert relation.evidence == sentences[relation.source.sentences[0]]
        assert titles[relation.from_] | titles[relation.to] <= set(words_of(relation.evidence))


@pytest.mark.parametrize("text", PROSE)
def test_prerequisites_can_be_learnt_in_an_order_and_come_earlier_in_the_source(text: str) -> None:
    found = build(outlined(text), BRIEF)
    first = {concept.id: min(concept.mentions) for concept in found.concepts}
    defined = {concept.id: concept.source.sentences[0] for concept in found.concepts if concept.source}

    order = list(TopologicalSorter({concept.id: concept.prerequisites for concept in found.concepts}).static_order())
    assert sorted(order) == sorted(first)
    assert any(concept.prerequisites for concept in found.concepts)
    for concept in found.concepts:
        assert all(first[other] <= defined[concept.id] for other in concept.prerequisites)


@pytest.mark.parametrize("text", TEXTS)
def test_every_section_has_a_concept_that_it_speaks_of(text: str) -> None:
    source = outlined(text)
    mentions = {number for concept in build(source, BRIEF).concepts for number in concept.mentions}

    for section in source.sections:
        first, last = section.passages[0].sentences[0], section.passages[-1].sentences[1]
        assert mentions & set(range(first, last + 1)), section.heading


def test_the_map_of_tides_holds_what_a_teacher_would_put_there(tides: KnowledgeMap) -> None:
    titles = {concept.title for concept in tides.concepts}

    assert {"Tide", "High water", "Low water", "Tidal force", "Spring tides", "Neap tides", "Slack water"} <= titles
    assert {"Storm surge", "Tidal barrage", "Intertidal zone", "Declination", "Moon", "Sun"} <= titles
    assert {"Round", "Fall", "Drive", "Slops"} & titles == set()


def test_the_relations_of_tides_say_what_the_sentences_say(tides: KnowledgeMap) -> None:
    relations = relations_of(tides)

    assert ("spring-tides", "is_a", "tide") in relations
    assert ("overfalls", "is_a", "wave") in relations
    assert ("sun", "causes", "tide") in relations
    assert ("spring-tides", "contrasts_with", "neap-tides") in relations
    # High water is a level and no kind of water: its definition says what it is, and its name does not.
    assert ("high-water", "is_a", "water") not in relations
    assert ("slack-water", "is_a", "water") not in relations


def test_relations_are_read_from_verbs_examples_and_definitions() -> None:
    relations = relations_of(build(outline(SHIPS), BRIEF))

    assert {
        ("boat", "is_a", "vessel"),
        ("boat", "requires", "crew"),
        ("cabin", "part_of", "hull"),
        ("engine", "part_of", "hull"),
        ("canoes", "is_a", "craft"),
        ("engine", "causes", "electricity"),
        ("mast", "contrasts_with", "keel"),
    } <= relations


def test_a_concept_requires_what_its_definition_and_its_name_speak_of(tides: KnowledgeMap) -> None:
    required = {concept.id: concept.prerequisites for concept in tides.concepts}

    assert required["neap-tides"] == ("tide",)
    assert "moon" in required["declination"]
    assert "low-water" in required["intertidal-zone"]
    assert required["high-water"] == ()


def test_the_themes_of_a_text_with_headings_are_its_sections(tides: KnowledgeMap) -> None:
    assert [theme.title for theme in tides.children][:3] == [
        "What a tide is",
        "Why there are two bulges",
        "The Sun, the Moon and the calendar",
    ]
    spring = next(theme for theme in tides.children if "spring-tides" in [concept.id for concept in theme.children])
    assert spring.title == "The Sun, the Moon and the calendar"


@pytest.mark.parametrize("text", TEXTS)
def test_a_map_depends_on_the_text_alone_and_survives_the_wire(text: str) -> None:
    found = build(outlined(text), BRIEF)

    assert build(outline(text), BRIEF) == found
    assert KnowledgeMap.model_validate_json(found.model_dump_json(by_alias=True)) == found


def test_a_relation_crosses_the_wire_with_its_two_ends_as_from_and_to() -> None:
    relation = Relation(from_="boat", to="vessel", type="is_a")

    assert relation.model_dump(mode="json", by_alias=True) == {
        "from": "boat",
        "to": "vessel",
        "type": "is_a",
        "evidence": "",
        "source": None,
    }


def test_an_audience_is_named_and_changes_nothing_else(tides: KnowledgeMap) -> None:
    named = build(outlined(TIDES), Brief(audience="harbour pilots"))

    assert named.description == f"{tides.description} For harbour pilots."
    assert (named.children, named.relations) == (tides.children, tides.relations)


def test_a_text_that_names_nothing_makes_no_map() -> None:
    with pytest.raises(EmptyOutline):
        build(outline("It is so, and they are there too."), BRIEF)


FRAGMENTS = st.sampled_from(
    [*TIDES.split("\n"), *BREAD.split("\n"), *CHINESE.split("\n"), "# Part", "- item", "'", "…"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAGMENTS | st.text(max_size=40), max_size=40), st.integers(1, 5), st.integers(10, 60))
def test_any_text_makes_a_map_without_a_fault_or_is_refused(fragments: list[str], level: int, most: int) -> None:
    with suppress(UnreadableText, EmptyOutline):
        found = build(outline("\n\n".join(fragments)), Brief(granularity_level=level, max_elements=most))
        assert [finding for finding in check(found) if finding.severity == "error"] == []
        assert elements(found) <= most


def test_a_topic_alone_makes_a_scaffold_that_says_what_it_is() -> None:
    found = skeleton("Growing  roses", BRIEF)

    assert (found.title, found.sourced, found.notice) == ("Growing roses", False, NOTICE)
    assert {concept.definition for concept in found.concepts} == {None}
    assert [finding.code for finding in check(found)] == ["unusual_size"]


@pytest.mark.parametrize("most", [10, 11, 12, 14])
def test_a_scaffold_obeys_the_brief_and_keeps_the_rules(most: int) -> None:
    found = skeleton("Growing roses", Brief(max_elements=most))

    assert elements(found) == most
    assert [finding for finding in check(found) if finding.severity != "info"] == []


def test_a_scaffold_refuses_what_is_no_topic() -> None:
    with pytest.raises(UnusableTopic):
        skeleton("123", BRIEF)


def map_of(*concepts: Concept, relations: tuple[Relation, ...] = ()) -> KnowledgeMap:
    """A map of one theme with these concepts."""
    return KnowledgeMap(
        title="Boats", relations=relations, children=(Theme(id="theme:1", title="Boats", children=concepts),)
    )


def concept(id_: str, *prerequisites: str, definition: str | None = None) -> Concept:
    """A concept whose title is its id."""
    return Concept(id=id_, title=id_.capitalize(), prerequisites=prerequisites, definition=definition)


def link(start: str, end: str, **given: str) -> Relation:
    """A relation with evidence, of type is_a unless it is given."""
    return Relation.model_validate({"from": start, "to": end, "type": "is_a", "evidence": "So it is.", **given})


KEEL, MAST, SAIL = concept("keel"), concept("mast"), concept("sail")

FAULTS = {
    "empty_structure": (map_of(), ""),
    "empty_theme": (map_of(), "/children/0"),
    "id_repeated": (map_of(KEEL, KEEL), "/children/0/children/1/id"),
    "id_missing": (map_of(KEEL, MAST.model_copy(update={"id": " "})), "/children/0/children/1/id"),
    "near_duplicate_title": (map_of(KEEL, concept("keels")), "/children/0/children/1/title"),
    "definition_empty": (map_of(concept("keel", definition=" ")), "/children/0/children/0/definition"),
    "definition_repeated": (
        map_of(*(concept(id_, definition="It floats.") for id_ in ("keel", "mast", "sail", "rope"))),
        "/children/0/children/3/definition",
    ),
    "reference_dangling": (map_of(KEEL, relations=(link("keel", "hull"),)), "/relations/0/to"),
    "relation_to_itself": (map_of(KEEL, relations=(link("keel", "keel"),)), "/relations/0"),
    "relation_repeated": (
        map_of(
            KEEL, MAST, relations=(link("keel", "mast", type="related_to"), link("mast", "keel", type="related_to"))
        ),
        "/relations/1",
    ),
    "evidence_missing": (map_of(KEEL, MAST, relations=(link("keel", "mast", evidence=""),)), "/relations/0/evidence"),
    "relations_circular": (
        map_of(KEEL, MAST, SAIL, relations=(link("keel", "mast"), link("mast", "sail"), link("sail", "keel"))),
        "/relations",
    ),
    "prerequisites_circular": (
        map_of(concept("keel", "mast"), concept("mast", "sail"), concept("sail", "mast")),
        "/children/0/children/1/prerequisites",
    ),
    "concepts_unrelated": (map_of(KEEL, MAST, SAIL), "/relations"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_the_rules_find_a_planted_fault_at_its_place(code: str) -> None:
    spoilt, path = FAULTS[code]

    sound = map_of(KEEL, MAST, relations=(link("keel", "mast"),))
    assert [finding.code for finding in check(sound)] == ["unusual_size"]
    assert path in [finding.path for finding in check(spoilt) if finding.code == code]


def test_the_rules_find_a_prerequisite_that_is_not_there() -> None:
    found = check(map_of(concept("keel", "hull"), MAST))

    assert ("reference_dangling", "/children/0/children/0/prerequisites/0") in [
        (item.code, item.path) for item in found
    ]


def test_a_definition_is_read_with_its_body_and_the_kind_of_thing_it_names() -> None:
    assert definitions_in("Yeast is a single-celled fungus that feeds on sugar.", ()) == (
        Definition("yeast", "a single-celled fungus that feeds on sugar", ("single-celled", "fungus")),
    )
    assert definitions_in("The flow that goes with the tide is called a tidal stream.", ()) == (
        Definition("tidal stream", "the flow that goes with the tide", ("flow",)),
    )
    assert definitions_in("It raises short steep waves called overfalls.", ()) == (
        Definition("overfalls", "short steep waves", ("short", "steep", "wave")),
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Such a wave is called a tidal bore.",
        "This is called oven spring.",
        "The crust browns at high heat, which is known as the Maillard reaction.",
        "Slack water is the short pause between the two.",
        "The tide rises and falls twice a day.",
    ],
)
def test_a_sentence_that_cannot_be_taken_apart_defines_nothing(sentence: str) -> None:
    assert definitions_in(sentence, ()) == ()


def test_a_cycle_is_named_from_a_node_back_to_itself() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ("b", "c", "b")
    assert find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is None
    assert find_cycle({"a": ["a"]}) == ("a", "a")


GRAPHS = st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7)), max_size=8)


@given(GRAPHS)
def test_a_reduced_graph_reaches_the_same_with_no_edge_too_many(numbers: dict[int, set[int]]) -> None:
    graph = {str(node): sorted(str(goal) for goal in goals if goal < node) for node, goals in numbers.items()}

    thin = reduced(graph)
    nodes = [str(number) for number in range(8)]
    assert [reaches(thin, a, b) for a in nodes for b in nodes] == [reaches(graph, a, b) for a in nodes for b in nodes]
    for node, goals in thin.items():
        for goal in goals:
            without = {**thin, node: tuple(other for other in goals if other != goal)}
            assert not reaches(without, node, goal)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_scaffold_for_any_topic_keeps_the_rules_and_cites_nothing(topic: str) -> None:
    made = skeleton(topic, BRIEF)

    tolerated = {"unusual_size", "answer_missing"}
    assert {finding.code for finding in check(made)} <= tolerated
    assert {child.source for child in made.children} == {None}
