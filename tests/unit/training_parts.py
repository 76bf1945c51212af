"""What the tests of the training worker share: a context whose artifacts are a dictionary, a small dataset, a clock."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from protocol.packets import AttemptKey, Log, Progress
from workers.kit import Artifact, Context
from workers.training.inputs import PreparedDataset

KEY = AttemptKey(execution_id="e", stage_id="e.train", attempt=1, fence=1)


class Orchestrator:
    """Keeps artifacts and what was reported. `on_step` is called with the number of each reported step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts: dict[str, bytes] = {}
        self.steps: list[dict[str, Any]] = []
        self.logs: list[str] = []
        self.on_step: Callable[[int], None] = lambda step: None

    def keep(self, content: bytes, content_type: str = "application/octet-stream") -> Artifact:
        digest = hashlib.sha256(content).hexdigest()
        self.artifacts[digest] = content
        return Artifact(sha256=digest, size_bytes=len(content), content_type=content_type)

    def context(self, stage: str = "train") -> "Attempt":
        """A new attempt of the stage; its folder is the one that the attempts before it had."""
        return Attempt(self, stage)

    def report(self, report: Progress | Log) -> None:
        if isinstance(report, Log):
            self.logs.append(report.message)
        elif report.metrics is not None:
            metrics = report.metrics.document()
            self.steps.append(metrics)
            self.on_step(metrics["step"])


class Attempt(Context):
    """The kit's context, with artifacts that travel no network."""

    def __init__(self, orchestrator: Orchestrator, stage: str) -> None:
        folder = orchestrator.folder / stage
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(KEY, stage, orchestrator.report, open_folder=lambda: folder)
        self._artifacts = orchestrator

    def upload_now(self, source: Path | bytes, content_type: str = "application/octet-stream") -> Artifact:
        return self._artifacts.keep(source if isinstance(source, bytes) else source.read_bytes(), content_type)

    def download_now(self, artifact: Artifact | str, to: Path) -> Path:
        digest = artifact if isinstance(artifact, str) else artifact.sha256
        to.write_bytes(self._artifacts.artifacts[digest])
        return to


class TickingClock:
    """A second passes with each look at it, so whatever is done now and then is done often."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def monotonic(self) -> float:
        self._seconds += 1
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def three_heaps(rows: int = 40, seed: int = 1) -> str:
    """A CSV file of three classes of so many rows each, which four features tell apart."""
    random = np.random.default_rng(seed)
    lines = ["a,b,c,d,label"]
    for number, name in enumerate(("low", "middle", "high")):
        for values in random.normal(loc=4 * number, scale=1, size=(rows, 4)):
            lines.append(",".join([*(f"{value:.4f}" for value in values), name]))
    return "\n".join(lines) + "\n"


def of_shape(rows: int = 100, features: int = 4, classes: int = 3) -> PreparedDataset:
    """A dataset that is only spoken of."""
    return PreparedDataset(
        artifact=Artifact(sha256="0" * 64, size_bytes=1),
        training_rows=rows - rows // 5,
        held_out_rows=rows // 5,
        features=features,
        classes=tuple(map(str, range(classes))),
    )
