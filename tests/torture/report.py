"""A verdict for people, and the figures of it for programs."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.torture.recovery import Recovery
from tests.torture.torture import Verdict

_MOST_SHOWN: Final = 40
_ALLOWANCE_S: Final = 2.0
"""Beyond a lease; what took longer to come back is listed."""
_COUNTED: Final = ("lost", "duplicated", "stuck", "zombieCommits")


def figures_of(verdict: Verdict, ablations: Mapping[str, int | None] | None) -> dict[str, Any]:
    """The one line of JSON; `ablations` is left out where there are none to try."""
    submissions = verdict.evidence.intents("submit")
    kinds = Counter(finding.kind for finding in verdict.findings)
    fired = verdict.storm.fired
    figures: dict[str, Any] = {
        "seed": verdict.schedule.seed,
        "faults": {
            "planned": verdict.schedule.planned().total(),
            "fired": fired.total(),
            **{fault.value: number for fault, number in sorted(fired.items())},
        },
        "submissions": len(submissions),
        "acknowledged": sum(intent["outcome"] == "ack" for intent in submissions),
        **{kind: kinds[kind] for kind in _COUNTED},
        "recoveryMs": _percentiles(verdict.recoveries),
        "sometimes": {rarity.value: times for rarity, times in verdict.sometimes.items()},
    }
    return figures | ({} if ablations is None else {"ablations": dict(ablations)})


def _percentiles(recoveries: Sequence[Recovery]) -> dict[str, int]:
    milliseconds = [recovery.seconds * 1000 for recovery in recoveries]
    if len(milliseconds) < 2:
        return {}
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": round(cuts[49]), "p99": round(cuts[98])}


def report_of(verdict: Verdict, folder: Path) -> str:
    """What a person reads."""
    return "\n".join(_lines(verdict, folder)) + "\n"


def _lines(verdict: Verdict, folder: Path) -> Iterator[str]:
    schedule, evidence, fired = verdict.schedule, verdict.evidence, verdict.storm.fired
    yield f"seed {schedule.seed}  storm {schedule.storm_s:g} s  lease {schedule.lease_s:g} s"
    yield f"schedule {schedule.digest[:16]}  in {folder}"
    yield f"faults fired {fired.total()}/{schedule.planned().total()}: " + _counted(fired)
    outcomes = Counter(intent["outcome"] for intent in evidence.intents("submit"))
    statuses = Counter(row["status"] for row in evidence.executions.values())
    yield f"submissions {outcomes.total()}: {_counted(outcomes)}"
    yield f"executions {statuses.total()}: {_counted(statuses)}"
    begun = Counter(entry["stage"] for entry in evidence.entries("begin"))
    twice = 100 * sum(times - 1 for times in begun.values()) / max(begun.total(), 1)
    yield f"work {begun.total()} attempts of {len(begun)} stages; done again {twice:.1f} % (at least once, allowed)"
    kinds = Counter(finding.kind for finding in verdict.findings)
    yield "  ".join(f"{kind} {kinds[kind]}" for kind in _COUNTED)
    yield from _recovery_lines(verdict.recoveries, schedule.lease_s + _ALLOWANCE_S)
    yield "sometimes: " + "  ".join(f"{rarity} {times}" for rarity, times in verdict.sometimes.items())
    ended: defaultdict[str, list[int]] = defaultdict(list)
    for death in verdict.deaths:
        ended[f"{death.who} ({death.how})"].append(death.pid)
    yield "processes that died: " + "; ".join(
        f"{who}: {', '.join(map(str, pids))}" for who, pids in sorted(ended.items())
    )
    for finding in verdict.findings[:_MOST_SHOWN]:
        yield f"VIOLATION {finding.kind}: {finding.what}"
    if len(verdict.findings) > _MOST_SHOWN:
        yield f"and {len(verdict.findings) - _MOST_SHOWN} more violations"
    if verdict.unfired:
        yield f"NOT FIRED {verdict.unfired}"
    if verdict.unseen:
        yield f"NEVER SEEN {', '.join(verdict.unseen)}"
    yield "everything held" if verdict.holds else "NOT everything held"


def _recovery_lines(recoveries: Sequence[Recovery], expected_s: float) -> Iterator[str]:
    by_fault: defaultdict[str, list[float]] = defaultdict(list)
    for recovery in recoveries:
        by_fault[recovery.fault.value].append(recovery.seconds)
    figures = _percentiles(recoveries)
    yield f"recovery of {len(recoveries)} wounds: " + "  ".join(f"{name} {ms} ms" for name, ms in figures.items())
    for fault, seconds in sorted(by_fault.items()):
        yield f"  {fault}: {len(seconds)} wounds, median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s"
    for recovery in recoveries:
        if recovery.seconds > expected_s:
            at = datetime.fromtimestamp(recovery.at, UTC).isoformat(timespec="milliseconds")
            yield f"  LATE {recovery.seconds:.2f} s: {recovery.fault} of {recovery.target} at {at}: {recovery.what}"


def _counted(counter: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items()))
