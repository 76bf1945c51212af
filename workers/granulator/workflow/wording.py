"""How a command or a condition is said in few words: cut where it only adds to itself, never within a phrase."""

import re
from collections.abc import Iterator
from typing import Final

from workers.granulator.course.titles import sentence_case
from workers.granulator.language.clauses import finite_verb
from workers.granulator.quality.title_rules import is_fragment
from workers.granulator.workflow.instructions import Condition, commands_within

LONGEST_TITLE_WORDS: Final = 10
SHORTEST_TITLE_WORDS: Final = 2

# Where a command is already whole and what follows says why, when or how, from the least needed to the more needed.
_ADDITIONS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\s*[;:(—]|\s–\s",
        r",\s",
        r"\s(?:so that|because|even if|although|while|unless|if|as|since|in order to|just)\s",
        r"\s(?:until|till|before|after|when|once|as soon as)\s",
        r"\s(?:at|in|to|from|by|on|for) which\s|\s(?:that|which|who|whose|where|together with|along with)\s",
        r"\s(?:within|during|for|every|at|by|under|over|through|across|with|without|from|outside|between|against)\s",
        r"\s(?:and|or|into|onto|on|in|to)\s",
    )
)


def headline(command: str) -> str:
    """A command in at most ten words where its additions can be left out; the whole of it where they cannot."""
    command = _without_statement(command)
    head = commands_within(command)[0] if _length(command) > LONGEST_TITLE_WORDS else command
    for addition in _ADDITIONS:
        if _length(head) <= LONGEST_TITLE_WORDS:
            break
        head = next(_heads(head, addition), head)
    return head.strip(" ,")


def step_titles(commands: tuple[str, ...]) -> Iterator[str]:
    """Possible titles of a step that holds these commands, best first: the first two if they are short, else one."""
    heads = [headline(command) for command in commands]
    if (
        len(heads) > 1
        and " and " not in heads[0] + heads[1]
        and _length(f"{heads[0]} {heads[1]}") < LONGEST_TITLE_WORDS
    ):
        yield sentence_case(f"{heads[0]} and {heads[1]}")
    yield from (sentence_case(head) for head in heads)
    yield from (sentence_case(command) for command in commands)


def decision_title(condition: Condition) -> str:
    """ "Check whether the dough is sticky"."""
    head, _, _ = condition.clause.partition(", ")
    return f"Check whether {head if _length(head) >= SHORTEST_TITLE_WORDS else condition.clause}"


def _without_statement(command: str) -> str:
    """ "file the report, and the incident is over": what the command goes on to tell is no part of it."""
    head, joint, tail = command.partition(", and ")
    return head if joint and finite_verb(tail) and len(commands_within(command)) == 1 else command


def _heads(command: str, addition: re.Pattern[str]) -> Iterator[str]:
    """What stands before each addition, the longest that fits first; nothing that would be a fragment."""
    heads = [command[: match.start()].strip(" ,") for match in addition.finditer(command)]
    usable = [head for head in heads if _length(head) >= SHORTEST_TITLE_WORDS and not is_fragment(head)]
    yield from sorted(usable, key=lambda head: (_length(head) > LONGEST_TITLE_WORDS, -len(head)))


def _length(text: str) -> int:
    return len(text.split())
