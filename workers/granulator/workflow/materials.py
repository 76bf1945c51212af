"""What a step takes and what it makes, in the noun phrases of its own commands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from workers.granulator.language.english import AMBIGUOUS_FORMS, VERB_BASES, Tag, fold, word_set
from workers.granulator.language.people_and_places import is_person
from workers.granulator.language.tagging import Tagged, noun_phrases, tagged
from workers.granulator.language.words import Words, words_of
from workers.granulator.workflow.instructions import may_command
from workers.granulator.workflow.wording import headline

MOST_NAMED: Final = 4
# A step of more commands than these has its few names long before.
MOST_READ: Final = 12

_MODIFIERS: Final = (Tag.NOUN, Tag.ADJECTIVE, Tag.DETERMINER)
_MAKING: Final = word_set(
    "make write create open prepare record produce form draw generate shape build assemble draft post publish list "
    "collect estimate choose assign mix note print send agree compile design define plan schedule save name "
    "find calculate compute determine measure file register document describe summarise invent hold order cut "
    "select decide set develop establish start report issue submit install number weigh"
)
_LOOKING: Final = word_set(
    "check read confirm ask test look measure compare watch inspect review see observe monitor examine verify consult "
    "wait thank update tell inform notify page call acknowledge press stop close return remember go leave"
)
# Nouns that measure, place or point, and are nothing that could be handed on.
_NO_THINGS: Final = word_set(
    "minute hour day week month year second time moment level degree half quarter beginning end thing way part kind "
    "sort type case fact point side amount lot rest top bottom middle front back reason purpose place order sense turn "
    "person people once most least first last next bit cent percent centimetre metre kilometre millimetre inch foot "
    "mile gram kilogram pound ounce litre"
)


@dataclass(frozen=True, slots=True)
class Materials:
    """What commands take and what they make; `handled` is taken and may come out changed."""

    taken: tuple[str, ...]
    made: tuple[str, ...]
    handled: tuple[str, ...]


def materials_of(commands: Sequence[str]) -> Materials:
    """The materials of some commands, each named once and in the order of the text."""
    found = [_of_command(command) for command in commands[:MOST_READ]]
    made = _distinct(name for one in found for name in one.made)
    return Materials(
        taken=tuple(name for name in _distinct(n for one in found for n in one.taken) if name not in made),
        made=made,
        handled=_distinct(name for one in found for name in one.handled),
    )


def things_named(clause: str) -> tuple[str, ...]:
    """The things that a clause speaks of."""
    words = tagged(clause)
    return _distinct(name for name, _ in _phrases(words, words.tags, 0))


def _of_command(command: str) -> Materials:
    """ "Write a note" makes the note, "shape the dough into a loaf" takes dough and makes a loaf."""
    # Behind "to" the tagger knows a verb that it has in no list.
    words = tagged(f"to {headline(command)}")
    verb = words.tokens[1].lower
    taken: list[str] = []
    made: list[str] = []
    handled: list[str] = []
    phrases = _phrases(words, _with_nouns(words), 2)
    turned = any(preposition == "into" for _, preposition in phrases)
    for place, (name, preposition) in enumerate(phrases):
        makes = place == 0 and preposition in (None, "on") and verb in _MAKING and not turned
        if makes or preposition == "into":
            made.append(name)
        else:
            taken.append(name)
            if place == 0 and preposition is None and verb not in _LOOKING:
                handled.append(name)
    return Materials(tuple(taken), tuple(made), tuple(handled))


def _phrases(words: Tagged, tags: Sequence[Tag], begin: int) -> list[tuple[str, str | None]]:
    """The things in running text with the preposition before each; times, measures and people are no things."""
    found = []
    for phrase in noun_phrases(words.tokens, tags):
        start = max(phrase.start, begin)
        tokens = words.tokens[start : phrase.end]
        if not tokens or _is_said_or_done(words, start) or not _is_thing(tuple(fold(token.lower) for token in tokens)):
            continue
        last = tokens[-1]
        name = words.text[tokens[0].start : last.start + len(last.text)].removesuffix("'s").rstrip("'")
        found.append((name, _preposition_before(words, start)))
    return found


def _with_nouns(words: Tagged) -> list[Tag]:
    """The tags, with "logs" of "read the service logs" a noun: no second verb follows the object of a command."""
    tags = list(words.tags)
    for index in range(2, len(tags)):
        if tags[index] is Tag.VERB and tags[index - 1] in _MODIFIERS and words.tokens[index].lower in AMBIGUOUS_FORMS:
            tags[index] = Tag.NOUN
    return tags


def _is_said_or_done(words: Tagged, start: int) -> bool:
    """ "it is healthy" and "close the alert and stop": what follows "is" is no thing, nor is a second command."""
    before, first = words.tags[start - 1] if start else None, words.tokens[start].lower
    return before is Tag.AUXILIARY or (before is Tag.CONJUNCTION and may_command(first))


def _is_thing(key: Words) -> bool:
    if key[-1] in _NO_THINGS or is_person(key[-1]) or (key[-1].endswith("est") and key[-1] not in VERB_BASES):
        return False
    return len(key[-1]) > 2


def _preposition_before(words: Tagged, start: int) -> str | None:
    index = start - 1
    while index > 1 and words.tags[index] in (Tag.DETERMINER, Tag.ADJECTIVE, Tag.NUMBER):
        index -= 1
    part = words.tags[index]
    return words.tokens[index].lower if part in (Tag.PREPOSITION, Tag.TO) and index > 0 else None


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The names without those that only differ in number or case, and no more than a reader takes in."""
    seen: dict[Words, str] = {}
    for name in names:
        seen.setdefault(words_of(name), name)
    return tuple(seen.values())[:MOST_NAMED]
