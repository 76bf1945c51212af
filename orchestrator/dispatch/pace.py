"""The intervals by which the dispatcher lives, in seconds. Tests shorten them; nothing else differs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`lease` is how long an attempt outlives the last sign of its worker, and an execution the last sign of its
    owner. Workers are told to send heartbeats every `heartbeat`; quiet ones reached by URL are probed as often."""

    heartbeat: float = 5.0
    lease: float = 15.0
    offer_expires: float = 10.0
    cancel_grace: float = 5.0
    busy_again: float = 0.5
    refused_again: float = 2.0
    refused_longest: float = 60.0
    sweep: float = 0.1
    poll: float = 1.0
    talk: float = 0.05
    call_timeout: float = 10.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Pace":
        """BATON_LEASE_SECONDS sets the lease; heartbeats come three times as often. Raises ValueError for no number."""
        text = environ.get("BATON_LEASE_SECONDS", "15")
        try:
            lease = float(text)
        except ValueError:
            lease = 0.0
        if not 1 <= lease <= 3600:
            raise ValueError(f"BATON_LEASE_SECONDS is {text!r}; it has to be a number of seconds from 1 to 3600")
        return cls(lease=lease, heartbeat=lease / 3)
