"""What a worker's process has of its own, for the hooks that run before it takes its first offer."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """`worker_id` names the worker. `data_folder` is its alone, survives a restart, and is never emptied by the kit.

    Only a process that was given no data directory, as tests are, has a folder that ends with it.
    """

    worker_id: str
    data_folder: Path
