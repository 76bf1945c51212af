"""Everything that a worker's author imports. `workers/README.md` shows how it is used."""

from workers.kit.answers import ActionError, Estimate, Refuse
from workers.kit.context import Context
from workers.kit.worker import Worker

__all__ = ["ActionError", "Context", "Estimate", "Refuse", "Worker"]
