"""The real code without one of its safeguards, so that it is seen that the simulation misses it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

ABLATIONS: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {}
