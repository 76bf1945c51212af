"""The plan of a storm, made from its seed before anything runs.

The same seed gives the same plan and the same load. It does not give the same interleaving: that is the machine's.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from tests.torture.chance import stream
from tests.torture.faults import ESSENTIAL, LANES, LEAST, SPACING_S, Fault, Lane, Trigger

_STOPPED_LEASES: Final = 1.7
"""How many leases a stopped or silent part is away: long enough that its work has gone to others."""

_TRIGGERS: Final[Mapping[Fault, Trigger]] = {
    Fault.KILL_WORKER_BEFORE_ACCEPT: Trigger.OFFER,
    Fault.KILL_WORKER_AFTER_ACCEPT: Trigger.ACCEPT,
    Fault.KILL_WORKER_MID_PROCESS: Trigger.BEGIN,
    Fault.KILL_WORKER_BEFORE_ACK: Trigger.END,
    Fault.STOP_WORKER: Trigger.BEGIN,
    Fault.CUT_COMMIT_REPLY: Trigger.COMMIT,
    Fault.CUT_CLAIM_REPLY: Trigger.COMMIT,
    Fault.CUT_ANSWER: Trigger.SUBMITTED,
}
"""What goes well with a fault; the others are set off by anything."""


@dataclass(frozen=True, slots=True)
class Planned:
    """At the n-th `at` after `armed_s` seconds of storm, or `patience_s` after that, `do` to `target` for `for_s`.

    A fault of workers is done to the one that it was set off by; `target` is who it hits when patience is over.
    """

    armed_s: float
    at: Trigger
    n: int
    patience_s: float
    do: Fault
    target: str
    for_s: float

    def document(self) -> dict[str, Any]:
        return {
            "armedSeconds": self.armed_s,
            "at": self.at.value,
            "n": self.n,
            "patienceSeconds": self.patience_s,
            "do": self.do.value,
            "target": self.target,
            "forSeconds": self.for_s,
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> "Planned":
        return cls(
            armed_s=document["armedSeconds"],
            at=Trigger(document["at"]),
            n=document["n"],
            patience_s=document["patienceSeconds"],
            do=Fault(document["do"]),
            target=document["target"],
            for_s=document["forSeconds"],
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """The names of what can be hurt."""

    orchestrators: tuple[str, ...]
    workers: tuple[str, ...]
    """Processes that may be killed and stopped at any point."""
    links: tuple[str, ...]
    """Every link; those to PostgreSQL and those of clients are named again in the next two."""
    database_links: tuple[str, ...]
    client_links: tuple[str, ...]
    replica_pairs: tuple[str, ...]
    """Two orchestrators each, that can be cut from each other."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """All faults of a storm of `storm_s` seconds, in the order in which they are armed."""

    seed: int
    storm_s: float
    lease_s: float
    faults: tuple[Planned, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.encoded()).hexdigest()

    def planned(self) -> Counter[Fault]:
        return Counter(fault.do for fault in self.faults)

    def encoded(self) -> bytes:
        return orjson.dumps(
            {
                "seed": self.seed,
                "stormSeconds": self.storm_s,
                "leaseSeconds": self.lease_s,
                "faults": [fault.document() for fault in self.faults],
            },
            option=orjson.OPT_INDENT_2,
        )

    @classmethod
    def read(cls, path: Path) -> "Schedule":
        """The schedule of an earlier storm, to be replayed."""
        document = orjson.loads(path.read_bytes())
        faults = tuple(Planned.of_document(fault) for fault in document["faults"])
        return cls(document["seed"], document["stormSeconds"], document["leaseSeconds"], faults)


def make_schedule(seed: int, storm_s: float, lease_s: float, targets: Targets) -> Schedule:
    """Rounds of each lane's faults over the storm, every round in an order of its own."""
    faults = [
        planned for lane in Lane for planned in _lane(lane, stream(seed, "faults", lane), storm_s, lease_s, targets)
    ]
    return Schedule(seed, storm_s, lease_s, tuple(sorted(faults, key=lambda fault: fault.armed_s)))


def _lane(lane: Lane, chance: Random, storm_s: float, lease_s: float, targets: Targets) -> list[Planned]:
    number = max(int(storm_s / SPACING_S[lane]), LEAST[lane])
    gap = storm_s / number
    turns = _Turns(chance, targets)
    planned = []
    for place, fault in zip(range(number), _rounds(lane, chance), strict=False):
        begins = _TRIGGERS.get(fault) or chance.choice((Trigger.ACCEPT, Trigger.BEGIN, Trigger.ACK, Trigger.COMMIT))
        planned.append(
            Planned(
                armed_s=round((place + chance.uniform(0.0, 0.5)) * gap, 3),
                at=begins,
                n=chance.randint(1, 5),
                patience_s=round(gap / 2, 3),
                do=fault,
                target=turns.target(fault),
                for_s=round(_lasts(fault, chance, lease_s), 3),
            )
        )
    return planned


def _rounds(lane: Lane, chance: Random) -> Iterator[Fault]:
    """A lane's faults in shuffled rounds; the essential ones of the first round come first."""
    faults, essential = LANES[lane], ESSENTIAL[lane]
    yield from chance.sample(faults[:essential], essential)
    yield from chance.sample(faults[essential:], len(faults) - essential)
    while True:
        yield from chance.sample(faults, len(faults))


class _Turns:
    """Whom a fault hits: everybody in turn, from a place that chance chooses."""

    def __init__(self, chance: Random, targets: Targets) -> None:
        self._targets = targets
        self._turns = {
            kind: count(chance.randrange(1000)) for kind in ("orchestrator", "worker", "link", "db", "client", "pair")
        }

    def target(self, fault: Fault) -> str:
        match fault:
            case Fault.KILL_ORCHESTRATOR | Fault.STOP_ORCHESTRATOR | Fault.END_ORCHESTRATOR:
                return self._next("orchestrator", self._targets.orchestrators)
            case Fault.CUT_COMMIT_REPLY | Fault.CUT_CLAIM_REPLY:
                return self._next("db", self._targets.database_links)
            case Fault.CUT_ANSWER:
                return self._next("client", self._targets.client_links)
            case Fault.PARTITION_REPLICAS:
                return self._next("pair", self._targets.replica_pairs)
            case _ if fault in LANES[Lane.WORKERS]:
                return self._next("worker", self._targets.workers)
            case _ if fault in LANES[Lane.NETWORK]:
                return self._next("link", self._targets.links)
            case _:
                return ""

    def _next(self, kind: str, names: Sequence[str]) -> str:
        return names[next(self._turns[kind]) % len(names)]


def _lasts(fault: Fault, chance: Random, lease_s: float) -> float:
    match fault:
        case Fault.KILL_ORCHESTRATOR:
            # Either its next life is there before its lease is over, or others have to take over.
            return chance.choice((0.2, _STOPPED_LEASES * lease_s))
        case Fault.STOP_ORCHESTRATOR | Fault.STOP_WORKER | Fault.HALF_OPEN_LINK | Fault.PARTITION_REPLICAS:
            return _STOPPED_LEASES * lease_s
        case Fault.END_ORCHESTRATOR:
            return 0.2
        case Fault.READ_ONLY_POSTGRES | Fault.LOCK_POSTGRES:
            return chance.uniform(0.5, 1.5)
        case Fault.FILL_DISK | Fault.SLOW_POSTGRES | Fault.BLOCK_ARTIFACTS:
            return chance.uniform(1.0, 2.0)
        case Fault.REFUSE_LINK | Fault.SWALLOW_LINK | Fault.SLOW_LINK:
            return chance.uniform(0.3, 1.2 * lease_s)
        case _:
            return 0.0
