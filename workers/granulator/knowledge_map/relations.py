"""What concepts have to do with each other, read from the sentences that name both: never more than they say.

Two concepts have one relation at most, the most telling one that a sentence gives.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log

from workers.granulator.graph import reaches
from workers.granulator.knowledge_map.concepts import Idea
from workers.granulator.knowledge_map.structure import RelationType
from workers.granulator.language.clauses import without_article
from workers.granulator.language.english import Tag
from workers.granulator.language.readings import BEING, NAMING, Nature
from workers.granulator.language.words import Words, words_of
from workers.granulator.source.facts import Fact
from workers.granulator.source.lexicon import Place

# The most telling relation first: of two that the sentences give, the earlier here is kept.
ORDER: tuple[RelationType, ...] = ("is_a", "part_of", "requires", "causes", "contrasts_with", "related_to")
# How many concepts one is said to be related to for no better reason than that they are named together.
MOST_COMPANIONS = 2
LEAST_TOGETHER = 2

_FORWARD: dict[tuple[str, ...], RelationType] = {
    **dict.fromkeys([("needs",), ("need",), ("requires",), ("require",)], "requires"),
    **dict.fromkeys([("depends", "on"), ("depend", "on"), ("relies", "on"), ("rely", "on")], "requires"),
    **dict.fromkeys([("causes",), ("cause",), ("caused",), ("produces",), ("produce",), ("produced",)], "causes"),
    **dict.fromkeys([("creates",), ("create",), ("created",), ("releases",), ("release",), ("forms",)], "causes"),
    **dict.fromkeys([("generates",), ("generate",), ("raises",), ("raise",), ("drives",), ("drive",)], "causes"),
    **dict.fromkeys([("leads", "to"), ("lead", "to"), ("results", "in"), ("result", "in")], "causes"),
    **dict.fromkeys([("is", "part", "of"), ("are", "part", "of"), ("belongs", "to"), ("belong", "to")], "part_of"),
}
_BACKWARD: dict[tuple[str, ...], RelationType] = {
    **dict.fromkeys([("contains",), ("contain",), ("contained",), ("comprises",), ("comprise",)], "part_of"),
    **dict.fromkeys([("consists", "of"), ("consist", "of"), ("is", "made", "of"), ("are", "made", "of")], "part_of"),
    **dict.fromkeys([("is", "caused", "by"), ("are", "caused", "by"), ("is", "produced", "by")], "causes"),
    **dict.fromkeys([("is", "driven", "by"), ("are", "driven", "by"), ("are", "produced", "by")], "causes"),
    **dict.fromkeys([("results", "from"), ("result", "from"), ("comes", "from"), ("come", "from")], "causes"),
}
_LONGEST_TRIGGER = 3
_BETWEEN = frozenset({Tag.DETERMINER, Tag.ADJECTIVE, Tag.ADVERB, Tag.NUMBER})
_BEFORE_VERB = frozenset({Tag.ADVERB, Tag.MODAL})


@dataclass(frozen=True, slots=True)
class Link:
    """A relation of two ideas by their words, with the place of the fact that says so."""

    start: Words
    end: Words
    type: RelationType
    fact: int


def links_between(ideas: Sequence[Idea], facts: Sequence[Fact]) -> list[Link]:
    """The relations of some ideas, the most telling kind first; neither "is a" nor "part of" runs in a circle."""
    known = {idea.key: idea for idea in ideas}
    mentions: dict[int, list[tuple[Words, Place]]] = defaultdict(list)
    for idea in ideas:
        for place in idea.entry.places:
            mentions[place.fact].append((idea.key, place))
    found = [
        *_kinds(ideas, facts, known),
        *(link for index in sorted(mentions) for link in _said(index, facts[index], mentions[index])),
        *_contrasts(facts, known),
    ]
    links = _one_each(found)
    return links + _companions(ideas, facts, links)


def _kinds(ideas: Sequence[Idea], facts: Sequence[Fact], known: Mapping[Words, Idea]) -> Iterator[Link]:
    """ "A barrage is a dam": what a definition says; else what a name says by itself, "a neap tide"."""
    for idea in ideas:
        definition = None if idea.definition is None else facts[idea.definition]
        genus = (
            next((d.genus for d in definition.definitions if words_of(d.term) == idea.key), ()) if definition else ()
        )
        kind = _longest_end(genus, known)
        if kind and kind != idea.key and idea.definition is not None:
            yield Link(idea.key, kind, "is_a", idea.definition)
        elif not any(_is_defined(facts[index], idea.key) for index in idea.facts):
            head = _longest_end(idea.key[1:], known)
            if head:
                yield Link(idea.key, head, "is_a", max(idea.facts, key=lambda index: facts[index].weight))


def _longest_end(words: Words, known: Mapping[Words, Idea]) -> Words:
    return next((words[start:] for start in range(len(words)) if words[start:] in known), ())


def _is_defined(fact: Fact, key: Words) -> bool:
    """Whether a sentence says what the term is, and not only what it has."""
    says = BEING.match(fact.text) or NAMING.search(fact.text)
    return bool(says) and any(words_of(term) == key for term in fact.defined)


def _said(index: int, fact: Fact, mentions: Sequence[tuple[Words, Place]]) -> Iterator[Link]:
    """ "Wheat flour contains two proteins", "plants such as wheat": what words between two mentions say of them."""
    ordered = sorted(mentions, key=lambda item: item[1].start)
    yield from _examples(index, fact, ordered)
    lowered = tuple(token.lower for token in fact.sentence.tagged.tokens)
    for verb in range(1, len(lowered)):
        trigger = next(
            (
                words
                for size in range(_LONGEST_TRIGGER, 0, -1)
                if (words := lowered[verb : verb + size]) in _FORWARD or words in _BACKWARD
            ),
            None,
        )
        if trigger is None or fact.sentence.tagged.tags[verb] not in (Tag.VERB, Tag.AUXILIARY):
            continue
        subject = _subject(fact, ordered, verb)
        for thing in _objects(fact, ordered, verb + len(trigger)) if subject else ():
            if subject and thing != subject:
                forward = trigger in _FORWARD
                kind = _FORWARD[trigger] if forward else _BACKWARD[trigger]
                yield Link(subject, thing, kind, index) if forward else Link(thing, subject, kind, index)


def _examples(index: int, fact: Fact, mentions: Sequence[tuple[Words, Place]]) -> Iterator[Link]:
    tokens = fact.sentence.tagged.tokens
    for key, place in mentions:
        after = [token.lower for token in tokens[place.end : place.end + 3]]
        if after[:2] == ["such", "as"] or after == [",", "such", "as"]:
            begin = place.end + (3 if after[0] == "," else 2)
            yield from (Link(thing, key, "is_a", index) for thing in _objects(fact, mentions, begin) if thing != key)


def _subject(fact: Fact, mentions: Sequence[tuple[Words, Place]], verb: int) -> Words | None:
    """What does it: named right before the verb, or at the head of the sentence where "and" goes before the verb."""
    words = fact.sentence.tagged
    end = verb
    while end and words.tags[end - 1] in _BEFORE_VERB:
        end -= 1
    for key, place in mentions:
        if place.end == end:
            return key
    again = end > 0 and words.tokens[end - 1].lower == "and"
    key, place = mentions[0]
    return key if again and all(part in _BETWEEN for part in words.tags[: place.start]) else None


def _objects(fact: Fact, mentions: Sequence[tuple[Words, Place]], begin: int) -> Iterator[Words]:
    """What it is done to: the mention that begins here, and those that "and" or a comma joins to it."""
    words = fact.sentence.tagged
    for key, place in mentions:
        if place.start < begin:
            continue
        between = range(begin, place.start)
        if not all(words.tags[at] in _BETWEEN or words.tokens[at].lower in (",", "and", "or") for at in between):
            return
        yield key
        begin = place.end


def _contrasts(facts: Sequence[Fact], known: Mapping[Words, Idea]) -> Iterator[Link]:
    for index, fact in enumerate(facts):
        reading = fact.sentence.reading
        if reading and reading.nature is Nature.COMPARISON:
            first, second = (_longest_end(words_of(without_article(piece)), known) for piece in reading.pieces)
            if first and second and first != second:
                yield Link(first, second, "contrasts_with", index)


def _one_each(found: Sequence[Link]) -> list[Link]:
    """One relation for each pair, the most telling one, and none that would close a circle of its kind."""
    links: dict[frozenset[Words], Link] = {}
    above: dict[str, set[str]] = defaultdict(set)
    for link in sorted(found, key=lambda link: ORDER.index(link.type)):
        pair = frozenset((link.start, link.end))
        start, end = (f"{link.type} {' '.join(words)}" for words in (link.start, link.end))
        directed = link.type in ("is_a", "part_of", "requires")
        if pair not in links and not (directed and reaches(above, end, start)):
            links[pair] = link
            above[start].add(end)
    return list(links.values())


def _companions(ideas: Sequence[Idea], facts: Sequence[Fact], links: Sequence[Link]) -> list[Link]:
    """Concepts named together more often than chance would have it: normalised pointwise mutual information.

    After Bouma, "Normalized (pointwise) mutual information in collocation extraction" (2009). A concept with no
    relation yet is given its best companion even if they meet only once.
    """
    together: Counter[tuple[int, int]] = Counter()
    by_fact: dict[int, list[int]] = defaultdict(list)
    for place, idea in enumerate(ideas):
        for index in idea.facts:
            by_fact[index].append(place)
    for places in by_fact.values():
        together.update(combinations(places, 2))
    linked = {frozenset((link.start, link.end)) for link in links}
    having = Counter(key for link in links for key in (link.start, link.end))
    strength = {
        pair: _npmi(times, len(ideas[pair[0]].facts), len(ideas[pair[1]].facts), len(facts))
        for pair, times in together.items()
    }
    companions: Counter[Words] = Counter()
    found: list[Link] = []
    for first, second in sorted(strength, key=lambda pair: (-together[pair] * strength[pair], pair)):
        one, other = ideas[first], ideas[second]
        often = together[first, second] >= LEAST_TOGETHER and strength[first, second] > 0
        alone = not having[one.key] or not having[other.key]
        full = max(companions[one.key], companions[other.key]) >= MOST_COMPANIONS
        if frozenset((one.key, other.key)) not in linked and (alone or (often and not full)):
            found.append(Link(one.key, other.key, "related_to", _evidence(one, other, facts)))
            having.update((one.key, other.key))
            companions.update((one.key, other.key))
    return found


def _npmi(together: int, first: int, second: int, facts: int) -> float:
    """-1..1: 1 for two that only ever come together, 0 for two that meet by chance."""
    if together == facts:
        return 1.0
    return log(together * facts / (first * second)) / -log(together / facts)


def _evidence(one: Idea, other: Idea, facts: Sequence[Fact]) -> int:
    return max(set(one.facts) & set(other.facts), key=lambda index: (facts[index].weight, -index))
