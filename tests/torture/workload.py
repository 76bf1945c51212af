"""What the clients ask for, and what has to come out of it."""

from collections.abc import Mapping, Sequence
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
BULK: Final = "torture_bulk"
"""What goes in and comes out is larger than a row takes."""
LIE: Final = "torture_lie"
"""Only liars do it: whoever lies is asked last for what others do as well, and would hardly get to it."""
BOAST: Final = "torture_boast"
"""Its worker first reports more than is taken, as a frame and over HTTP, and then what is right."""
BRAG: Final = "torture_brag"
"""Its worker answers with more than is taken, and that is all it has."""

_DEFAULTS: Final = f"defaults: {{timeout: 30s, retry: {{max: {MOST_ATTEMPTS}, backoff: 50ms..500ms}}}}"


def templates_of(adds: int) -> Sequence[str]:
    """The sources of all templates of a tenant; the first stage of each adds so much."""
    values = f'values: ["${{input.value}}", {adds}]'
    first = f'action: work, with: {{{values}, ms: "${{input.ms}}"}}'
    return (
        f"""template: {CHAIN}
{_DEFAULTS}
stages:
  one: {{{first}}}
  two: {{{_after("one")}}}
  three: {{{_after("two")}}}
output: "${{stages.three.output.value}}"
""",
        f"""template: {FAN}
{_DEFAULTS}
stages:
{_fan(first)}
output: "${{stages.last.output.value}}"
""",
        f"""template: {SIGNAL}
{_DEFAULTS}
stages:
  before: {{{first}}}
  approval: {{needs: [before], wait: {{signal: approved, timeout: 10m}}}}
  after:
    needs: [before, approval]
    action: work
    with: {{values: ["${{stages.before.output.value}}", "${{stages.approval.output}}"], ms: "${{input.ms}}"}}
output: "${{stages.after.output.value}}"
""",
        f"""template: {BULK}
{_DEFAULTS}
stages:
  one:
    action: work
    with: {{{values}, ms: "${{input.ms}}", bulk: "${{input.bulk}}"}}
  two:
    needs: [one]
    action: work
    with: {{values: ["${{stages.one.output.value}}"], ms: "${{input.ms}}", bulk: "${{stages.one.output.bulk}}"}}
output: {{value: "${{stages.two.output.value}}", bulk: "${{stages.two.output.bulk}}"}}
""",
        *(
            f"""template: {name}
{_DEFAULTS}
stages:
  only: {{action: {action}, with: {{{values}, ms: "${{input.ms}}"}}}}
output: "${{stages.only.output.value}}"
"""
            for name, action in ((SLOW, "work"), (SINGLE, "work"), (LIE, "lie"), (BOAST, "boast"), (BRAG, "brag"))
        ),
        f"""template: {POISON}
defaults: {{timeout: 30s, retry: {{max: {POISON_ATTEMPTS}, backoff: 50ms..50ms}}}}
stages:
  only: {{action: poison, with: {{{values}, ms: 0}}}}
output: "${{stages.only.output.value}}"
""",
    )


def _after(*stages: str) -> str:
    values = ", ".join(f'"${{stages.{stage}.output.value}}"' for stage in stages)
    return f'needs: [{", ".join(stages)}], action: work, with: {{values: [{values}], ms: "${{input.ms}}"}}'


def _fan(first: str) -> str:
    branches = [f"branch{number}" for number in range(BRANCHES)]
    lines = [f"  {branch}: {{{_after('first')}}}" for branch in branches]
    return "\n".join([f"  first: {{{first}}}", *lines, f"  last: {{{_after(*branches)}}}"])


SIGNAL_VALUE: Final = 1000
_BULK_BYTES: Final = 100_000
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
        given: dict[str, Any] = {"value": self.value, "ms": self.ms, "key": key}
        if self.template == BULK:
            given["bulk"] = bulk_of(self.value)
        return {"template": self.template, "input": given}


def drawn(chance: Random) -> Order:
    """An order as chance has it: mostly short, some wide, some that wait, some slow, some large, some lies."""
    template = chance.choices((CHAIN, FAN, SIGNAL, SLOW, SINGLE, BULK, LIE), (36, 18, 12, 6, 10, 6, 12))[0]
    ms = chance.randint(3000, 6000) if template == SLOW else chance.choice((1, 10, 50, 200))
    return Order(template, chance.randint(0, 10**6), ms)


def bulk_of(value: int) -> str:
    """Text that no row takes, another for every value."""
    return f"{value}, " * (_BULK_BYTES // len(f"{value}, "))


def expected(template: str, value: int, adds: int) -> Any:
    """The result of a completed execution whose tenant's templates add so much; None for one that never completes."""
    whole = value + adds
    match template:
        case "torture_chain":
            return whole + 3
        case "torture_fan":
            return BRANCHES * (whole + 2) + 1
        case "torture_signal":
            return whole + 1 + SIGNAL_VALUE + 1
        case "torture_bulk":
            return {"value": whole + 2, "bulk": bulk_of(value)}
        case "torture_poison" | "torture_brag":
            return None
        case _:
            return whole + 1


def made(given: Mapping[str, Any], fence: int, worker_id: str) -> dict[str, Any]:
    """What an honest worker answers: the sum and one, under which fence who made it, and the bulk that it was given."""
    bulk = {"bulk": given["bulk"]} if given.get("bulk") is not None else {}
    return {"value": sum(given["values"]) + 1, "fence": fence, "by": worker_id, **bulk}
