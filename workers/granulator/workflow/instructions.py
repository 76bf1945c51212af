"""Which sentences of a text tell somebody to do something: the command, who is told, and on what condition.

A command is always in the source's own words, with its verb put into the infinitive where the source names an actor.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from workers.granulator.language.clauses import finite_verb, is_command, uncapitalised
from workers.granulator.language.english import (
    CLOSED_CLASSES,
    VERB_BASES,
    Tag,
    base_form,
    fold,
    is_participle,
    word_set,
)
from workers.granulator.language.people_and_places import is_person
from workers.granulator.language.tagging import Tagged, tag
from workers.granulator.language.tokens import Token, tokenize

LONGEST_INSTRUCTION_CHARACTERS = 400
# "The engineer on call should": so far may the verb of an order stand from its sentence's beginning.
LONGEST_SUBJECT_TOKENS = 7
# Who is told, and the verb, stand within so many characters; a long text need not be tokenised beyond.
LONGEST_OPENING_CHARACTERS = 120

Word = Literal["if", "unless", "otherwise", "when", "once"]
# A branch may be passed by; what waits "when" or "once" something is so only comes later.
BRANCHING: Final = ("if", "unless", "otherwise")

_OPENING = re.compile(
    r"^(?:(?:and\s+)?(?:then|next|now|first|second|third|finally|lastly|last|afterwards|meanwhile|also|always|again|"
    r"after that|after this|to begin|to start|at the same time|please|carefully|gently|immediately|slowly|quickly|"
    r"in addition|once more)\b,?\s+)+",
    re.IGNORECASE,
)
_CONDITIONED = re.compile(r"^(?P<word>if|unless|when|whenever|once|as soon as|in case)\s+(?P<rest>.+)$", re.IGNORECASE)
_OTHERWISE = re.compile(r"^(?:otherwise|if not|or else|else)\s*,\s+", re.IGNORECASE)
_TRAILING = re.compile(r"(?<!even)(?<!as)(?<!only),?\s+(?P<word>if|unless)\s+(?P<clause>[^,;]+)$")
_CAUTION = re.compile(r"^(?:do not|don't|never|avoid)\s+\w", re.IGNORECASE)
_COMMA = re.compile(r",\s+(?:then\s+)?")
_FRONTING = frozenset({Tag.PREPOSITION, Tag.SUBORDINATOR, Tag.TO})
_OBLIGING = word_set("must should shall will may can")
_OBLIGING_WITH_TO = word_set("has have needs need is are ought")
_SUBJECT_PARTS = frozenset({Tag.DETERMINER, Tag.ADJECTIVE, Tag.NOUN, Tag.NUMBER, Tag.PREPOSITION, Tag.VERB})
_OPENS_OBJECT = frozenset({Tag.DETERMINER, Tag.NUMBER, Tag.PRONOUN})
# Verbs of instructions that running prose uses otherwise, so that the tagger's lists leave them out.
_VERBS_OF_INSTRUCTIONS = word_set(
    "open post page file acknowledge preheat escalate reboot boot install uninstall click enter type tag ping mix "
    "score dust line grease knead roast email phone invite welcome thank log flag triage deploy archive back "
    "check gather state hand carry set put bring sprinkle"
)
_GOING = word_set("return go start begin wait stop repeat continue proceed")
_POINTING = word_set("this that these those such")
_GOES_ON = re.compile(
    r"(?P<joint>(?:,|,?\sand(?:\sthen)?)\s)(?P<verb>[a-z]+s)(?P<after>\s(?:an?|the|every|each|one|it)\b)"
)
_CONDITION_WORDS: Final[dict[str, Word]] = {
    "if": "if", "in case": "if", "unless": "unless", "when": "when", "whenever": "when", "once": "once",
    "as soon as": "once",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """When an instruction is to be followed; `clause` is without its word, and empty after "otherwise"."""

    word: Word
    clause: str

    @property
    def text(self) -> str:
        return f"{self.word} {self.clause}".strip()


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a sentence tells somebody to do; `command` opens with a bare verb and goes to the sentence's end."""

    command: str
    actor: str | None = None
    condition: Condition | None = None


def read_instruction(sentence: str, names: Collection[str]) -> Instruction | None:
    """The instruction that a sentence gives; None for one that only tells, asks or warns."""
    text = sentence.strip().rstrip(".!… ").replace("’", "'")
    if not text or len(text) > LONGEST_INSTRUCTION_CHARACTERS or text.endswith(("?", ":")) or text[0] in '"“‘':
        return None
    text = _OPENING.sub("", text)
    if otherwise := _OTHERWISE.match(text):
        found = _plain(text[otherwise.end() :], names)
        return replace(found, condition=Condition("otherwise", "")) if found else None
    conditioned = _CONDITIONED.match(text)
    return _conditioned(conditioned, names) if conditioned else _with_trailing_condition(text, names)


def condition_of(sentence: str) -> Condition | None:
    """The condition that a sentence opens with, whatever it says then: "If it sounds hollow, the loaf is done"."""
    match = _CONDITIONED.match(_OPENING.sub("", sentence.strip()))
    clause, comma, _ = match["rest"].partition(",") if match else ("", "", "")
    return Condition(_CONDITION_WORDS[match["word"].lower()], clause) if match and comma else None


def is_caution(sentence: str) -> bool:
    """Whether a sentence says what is not to be done."""
    return bool(_CAUTION.match(_OPENING.sub("", sentence)))


def commands_within(command: str) -> list[str]:
    """A command cut where it goes on with another: "mix the flour and water, cover it and wait" makes three."""
    pieces = [command]
    for joint in re.finditer(r",?\s+and(?:\s+then)?\s+|,\s+(?:then\s+)?|;\s+(?:then\s+)?", command):
        head, tail = command[: joint.start()], command[joint.end() :]
        if _commands_strictly(tail) and len(head.split()) > 1:
            return [head, *commands_within(tail)]
    return pieces


def opens_with_verb(title: str) -> bool:
    """Whether a title reads as a command, "Open the dashboard" and not "Dashboard"; in doubt it does."""
    tokens = [token for token in tokenize(title) if token.text[0].isalnum()]
    if not tokens:
        return False
    first = tokens[0].lower
    if may_command(first) or first in ("do", "have", "be", "let"):
        return True
    after = CLOSED_CLASSES.get(tokens[1].lower) if len(tokens) > 1 else None
    return first not in CLOSED_CLASSES and (after in _OPENS_OBJECT or after is Tag.SUBORDINATOR or first.endswith("ly"))


def may_command(word: str) -> bool:
    """Whether a lower-case word is the bare form of a verb that instructions use."""
    return word in VERB_BASES or word in _VERBS_OF_INSTRUCTIONS


def _conditioned(match: re.Match[str], names: Collection[str]) -> Instruction | None:
    """ "If A, B, do C": the condition is all before the first comma behind which a command stands."""
    rest = match["rest"]
    for comma in _COMMA.finditer(rest):
        found = _plain(rest[comma.end() :], names)
        if found:
            condition = Condition(_CONDITION_WORDS[match["word"].lower()], rest[: comma.start()])
            return replace(found, condition=condition) if " " in condition.clause else found
    return None


def _with_trailing_condition(text: str, names: Collection[str]) -> Instruction | None:
    trailing = _TRAILING.search(text)
    if trailing and (found := _plain(text[: trailing.start()], names)):
        return replace(found, condition=Condition(_CONDITION_WORDS[trailing["word"]], trailing["clause"]))
    return _plain(text, names)


def _plain(text: str, names: Collection[str]) -> Instruction | None:
    """A command, perhaps behind a place, a time or a purpose: "In a large bowl, mix the flour and water"."""
    text = _OPENING.sub("", text)
    found = _order(text, names)
    if found or not text:
        return found
    first = text.partition(" ")[0].lower()
    if CLOSED_CLASSES.get(first) in _FRONTING:
        for comma in _COMMA.finditer(text):
            found = _order(text[comma.end() :], names)
            if found:
                return found
    return None


def _order(text: str, names: Collection[str]) -> Instruction | None:
    tokens = tokenize(text[:LONGEST_OPENING_CHARACTERS])
    if len(tokens) < 2 or _CAUTION.match(text):
        return None
    if _commands(tokens, text, names):
        return Instruction(uncapitalised(text, names))
    return _told_actor(text, tokens, names)


def _commands(tokens: Sequence[Token], text: str, names: Collection[str]) -> bool:
    first, after = tokens[0].lower, CLOSED_CLASSES.get(tokens[1].lower)
    if is_command(tokens):
        return True
    if not tokens[0].is_word or first in CLOSED_CLASSES or tokens[0].text in names or tokens[0].is_possessive:
        return False
    if may_command(first):
        has_object = after in _OPENS_OBJECT or after is Tag.SUBORDINATOR
        return has_object or (tokens[1].is_word and after is not Tag.MODAL and finite_verb(text) is None)
    unlisted = not is_participle(first, "ing") and not is_participle(first, "ed") and not first.endswith(("ly", "s"))
    return unlisted and after is Tag.DETERMINER


def _commands_strictly(text: str) -> bool:
    """Whether words behind "and" are a command: there a noun is as likely, so only a verb with its object counts."""
    tokens = tokenize(text)
    if len(tokens) < 2:
        return False
    first, after = tokens[0].lower, CLOSED_CLASSES.get(tokens[1].lower)
    goes = first in _GOING and after in (Tag.PREPOSITION, Tag.TO, Tag.ADVERB)
    return goes or is_command(tokens) or (may_command(first) and after in _OPENS_OBJECT)


def _told_actor(text: str, tokens: Sequence[Token], names: Collection[str]) -> Instruction | None:
    """ "The scribe must write ...", "The scribe writes ...", "You should write ..."."""
    opening = tokens[: LONGEST_SUBJECT_TOKENS + 2]
    if not any(token.lower == "you" or token.text in names or is_person(token.lower) for token in opening):
        return None
    words = Tagged(text, tuple(opening), tuple(tag(opening)))
    for index in range(1, len(opening) - 1):
        verb = _verb_of_order(words, index)
        if verb is not None:
            return _order_to(words, index, verb, names)
        if words.tags[index] not in _SUBJECT_PARTS:
            return None
    return None


def _order_to(words: Tagged, index: int, verb: int, names: Collection[str]) -> Instruction | None:
    """The order to the subject before `index`, where that is someone: "you", a trade, or a name that is obliged."""
    first, last, done = words.tokens[0], words.tokens[index - 1], words.tokens[verb]
    subject = words.text[: last.start + len(last.text)]
    obliged = verb > index
    base = done.lower if obliged else base_form(done.lower) or fold(done.lower)
    command = base + words.text[done.start + len(done.text) :]
    if subject.lower() == "you":
        return Instruction(command) if obliged else None
    head = _head(words, index)
    named = obliged and index == 1 and last.text in names
    if head is None or not (is_person(head.lower) or named) or first.lower in _POINTING:
        return None
    return Instruction(command if obliged else _in_infinitives(command), uncapitalised(subject, names))


def _verb_of_order(words: Tagged, index: int) -> int | None:
    """The place of the verb that says what to do, where an obligation or a present tense begins at `index`."""
    tokens = words.tokens
    word = tokens[index].lower
    if word in _OBLIGING or (word in _OBLIGING_WITH_TO and tokens[index + 1].lower == "to"):
        place = index + (1 if word in _OBLIGING else 2)
        while place < len(tokens) - 1 and words.tags[place] is Tag.ADVERB:
            place += 1
        usable = place < len(tokens) and tokens[place].is_word and tokens[place].lower not in CLOSED_CLASSES
        return place if usable else None
    return index if words.tags[index] is Tag.VERB and word.endswith("s") and not word.endswith("ss") else None


def _head(words: Tagged, end: int) -> Token | None:
    """The noun that a subject is about: "engineer" of "the engineer on call"."""
    tags = words.tags[:end]
    before = tags.index(Tag.PREPOSITION) if Tag.PREPOSITION in tags else end
    nouns = [token for token, part in zip(words.tokens[:before], tags, strict=False) if part is Tag.NOUN]
    return nouns[-1] if nouns else None


def _in_infinitives(command: str) -> str:
    """ "open a call and names one person": each verb that goes on in the present is put into the infinitive too."""

    def put(match: re.Match[str]) -> str:
        verb = match["verb"]
        base = base_form(verb) if verb.endswith("s") else None
        return match[0] if base is None else f"{match['joint']}{base}{match['after']}"

    return _GOES_ON.sub(put, command)
