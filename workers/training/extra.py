"""What the training worker needs beyond Baton's own dependencies. Looked for here, not loaded: that takes long."""

from importlib.util import find_spec
from typing import Final

from workers.kit.loading import NoSuchWorker

PACKAGES: Final = {"tinygrad": "tinygrad", "sklearn": "scikit-learn", "safetensors": "safetensors"}
"""The modules, and the packages that hold them. `ziglang` is not among them: a `clang` on PATH does as well."""


class MissingExtra(NoSuchWorker):
    """The extra `training` is not installed; the text says how it is."""


def require_extra() -> None:
    """Does nothing where all packages are installed; raises `MissingExtra` where one is not."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise MissingExtra(
            f"the training worker needs {', '.join(missing)}: pip install 'baton-orchestrator[training]'"
        )
