"""Everything that a worker's author imports. `workers/README.md` shows how it is used."""

from protocol.packets import Artifact
from workers.kit.answers import ActionError, Estimate, Refuse, Yield
from workers.kit.context import Context
from workers.kit.home import Home
from workers.kit.worker import Worker

__all__ = ["ActionError", "Artifact", "Context", "Estimate", "Home", "Refuse", "Worker", "Yield"]
