"""What the clients ask for, and what has to come out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

MOST_ATTEMPTS: Final = 12
POISON_ATTEMPTS: Final = 3
BRANCHES: Final = 6

CHAIN: Final = "torture_chain"
FAN: Final = "torture_fan"
SIGNAL: Final = "torture_signal"
SLOW: Final = "torture_slow"
SINGLE: Final = "torture_single"
POISON: Final = "torture_poison"

_DEFAULTS: Final = f"defaults: {{timeout: 30s, retry: {{max: {MOST_ATTEMPTS}, backoff: 50ms..500ms}}}}"
_FIRST: Final = 'action: work, with: {values: ["${input.value}"], ms: "${input.ms}"}'


def _after(*stages: str) -> str:
    values = ", ".join(f'"${{stages.{stage}.output.value}}"' for stage in stages)
    return f'needs: [{", ".join(stages)}], action: work, with: {{values: [{values}], ms: "${{input.ms}}"}}'


def _fan() -> str:
    branches = [f"branch{number}" for number in range(BRANCHES)]
    lines = [f"  {branch}: {{{_after('first')}}}" for branch in branches]
    return "\n".join([f"  first: {{{_FIRST}}}", *lines, f"  last: {{{_after(*branches)}}}"])


TEMPLATES: Final[Mapping[str, str]] = {
    CHAIN: f"""template: {CHAIN}
{_DEFAULTS}
stages:
  one: {{{_FIRST}}}
  two: {{{_after("one")}}}
  three: {{{_after("two")}}}
output: "${{stages.three.output.value}}"
""",
    FAN: f"""template: {FAN}
{_DEFAULTS}
stages:
{_fan()}
output: "${{stages.last.output.value}}"
""",
    SIGNAL: f"""template: {SIGNAL}
{_DEFAULTS}
stages:
  before: {{{_FIRST}}}
  approval: {{needs: [before], wait: {{signal: approved, timeout: 10m}}}}
  after:
    needs: [before, approval]
    action: work
    with: {{values: ["${{stages.before.output.value}}", "${{stages.approval.output}}"], ms: "${{input.ms}}"}}
output: "${{stages.after.output.value}}"
""",
    SLOW: f"""template: {SLOW}
{_DEFAULTS}
stages:
  only: {{{_FIRST}}}
output: "${{stages.only.output.value}}"
""",
    SINGLE: f"""template: {SINGLE}
{_DEFAULTS}
stages:
  only: {{{_FIRST}}}
output: "${{stages.only.output.value}}"
""",
    POISON: f"""template: {POISON}
defaults: {{timeout: 30s, retry: {{max: {POISON_ATTEMPTS}, backoff: 50ms..50ms}}}}
stages:
  only: {{action: poison, with: {{values: ["${{input.value}}"], ms: 0}}}}
output: "${{stages.only.output.value}}"
""",
}

SIGNAL_VALUE: Final = 1000
NEEDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    FAN: {"last": tuple(f"branch{number}" for number in range(BRANCHES))},
}
"""The stages that must not be offered before all of these are done."""


@dataclass(frozen=True, slots=True)
class Order:
    """One execution as a client asks for it."""

    template: str
    value: int
    ms: int

    def body(self, key: str | None) -> dict[str, Any]:
        return {"template": self.template, "input": {"value": self.value, "ms": self.ms, "key": key}}


def drawn(chance: Random) -> Order:
    """An order as chance has it: mostly short, some wide, some that wait, some slow."""
    template = chance.choices((CHAIN, FAN, SIGNAL, SLOW, SINGLE), (40, 20, 12, 8, 20))[0]
    ms = chance.randint(3000, 6000) if template == SLOW else chance.choice((1, 10, 50, 200))
    return Order(template, chance.randint(0, 10**6), ms)


def expected(template: str, value: int) -> int | None:
    """The result of a completed execution; None for one that never completes."""
    match template:
        case "torture_chain":
            return value + 3
        case "torture_fan":
            return BRANCHES * (value + 2) + 1
        case "torture_signal":
            return value + 1 + SIGNAL_VALUE + 1
        case "torture_poison":
            return None
        case _:
            return value + 1


def made(given: Mapping[str, Any], fence: int, worker_id: str) -> dict[str, Any]:
    """What an honest worker answers: the sum and one, and under which fence who made it."""
    return {"value": sum(given["values"]) + 1, "fence": fence, "by": worker_id}
