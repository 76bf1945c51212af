"""What each action answers, as `stages.<id>.output` shows it."""

from workers.kit import Artifact
from workers.training.inputs import PreparedDataset
from workers.training.settings import Settings
from workers.training.wire import WireValue


class Prepared(WireValue):
    """The dataset, and every choice of the training, also those that nobody made."""

    dataset: PreparedDataset
    settings: Settings
    threshold: float


class Trained(WireValue):
    """The weights, and how the training went: mean loss and accuracy over its last epoch, on the rows it learned from.

    `began_at_step` is not 0 where the attempt has gone on from a checkpoint.
    """

    weights: Artifact
    parameters: int
    steps: int
    epochs: int
    loss: float
    accuracy: float
    began_at_step: int


class ClassScore(WireValue):
    """Of the `rows` of a class, the share that was recognised."""

    label: str
    rows: int
    accuracy: float


class Evaluated(WireValue):
    """Measured on the held-out rows. `confusion` has a row for each true class: how often each was answered."""

    accuracy: float
    loss: float
    rows: int
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...] | None


class Accepted(WireValue):
    """What was measured is good enough."""

    accepted: bool
    accuracy: float
    threshold: float
