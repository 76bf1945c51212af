"""The store as one replica sees it: its parts, each behind a Protocol, so that a simulation can stand in for it.

One suite of tests holds PostgreSQL and the simulated store to the same rules.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.core.seams import Clock
from orchestrator.store.blobs import Blobs
from orchestrator.store.database import Database
from orchestrator.store.executions import Executions, PostgresExecutions
from orchestrator.store.flushing import Flushing, PostgresFlushing
from orchestrator.store.hints import Hints, PostgresHints
from orchestrator.store.loading import Loading, Versions
from orchestrator.store.low_water import LowWater
from orchestrator.store.ownership import Ownership, PostgresOwnership
from orchestrator.store.workers import PostgresWorkerRegistry, WorkerRegistry


@dataclass(frozen=True, slots=True)
class Store:
    """What one replica reads and writes. `open_flushing` gives each of the journal's writers its own way in."""

    ownership: Ownership
    executions: Executions
    registry: WorkerRegistry
    open_flushing: Callable[[], Flushing]
    open_hints: Callable[[Clock], Hints]
    blobs: Blobs


def postgres_store(database: Database, templates: Versions, blobs: Blobs, replica_id: str, clock: Clock) -> Store:
    """The store of this replica in an open PostgreSQL database. The clock is the one that its ids are made by."""
    loading, low_water = Loading(templates, blobs), LowWater(clock)
    return Store(
        ownership=PostgresOwnership(database, loading, replica_id, low_water),
        executions=PostgresExecutions(database, loading, low_water),
        registry=PostgresWorkerRegistry(database),
        open_flushing=lambda: PostgresFlushing(database, low_water),
        open_hints=lambda clock: PostgresHints(database, clock, replica_id),
        blobs=blobs,
    )
