"""How far a training has come, in one file that is replaced whole: after a kill it is there as it was before or after.

The file bears a digest and says which training it is of. One that is damaged or of another training is never used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.training.tensor_file import NoTensorFile, TensorFile

State = Mapping[str, NDArray[np.float32]]


class NoCheckpoint(Exception):
    """There is a file, and it cannot be gone on from; the text says why."""


@dataclass(frozen=True, slots=True)
class Position:
    """How many steps are behind, and what the steps of the epoch under way have summed up to.

    Which rows a step learns from follows from the seed and the step's number, so no more of the chance need be kept.
    """

    step: int = 0
    loss: float = 0.0
    accuracy: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A position, and the state of the network there."""

    position: Position
    state: State


class CheckpointFile:
    """The checkpoint of one training; `identity` is that of its data and settings."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._path = folder / "checkpoint.safetensors"
        self._identity = identity

    def write(self, checkpoint: Checkpoint) -> None:
        """Replaces what was there. It is on disk when this returns."""
        words = {
            "identity": self._identity,
            "position": json.dumps(asdict(checkpoint.position)),
        }
        words["digest"] = _digest(checkpoint.state, words)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(TensorFile(checkpoint.state, words).encoded())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def read(self) -> Checkpoint | None:
        """What was written last; None where nothing was, and NoCheckpoint where it is of no use."""
        try:
            file = TensorFile.read(self._path)
            words = {name: file.word(name) for name in ("identity", "position")}
            if file.word("digest") != _digest(file.arrays, words):
                raise NoCheckpoint("it is damaged")
            position = Position(**json.loads(words["position"]))
        except FileNotFoundError:
            return None
        except (NoTensorFile, ValueError, TypeError) as error:
            raise NoCheckpoint(str(error)) from None
        if words["identity"] != self._identity:
            raise NoCheckpoint("it is of another training")
        return Checkpoint(position, file.arrays)


def _digest(state: State, words: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(words.items())).encode())
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name]).tobytes())
    return digest.hexdigest()
