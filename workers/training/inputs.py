"""What each action takes, as a worker's `inputData` brings it. An impossible value is a fault here, with its path.

What is possible but too much for this worker passes here and is refused by `limits`, for another worker to take.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from workers.kit import Artifact
from workers.training.limits import ARTIFACT_BYTES, CLASSES, FEATURES, ROWS, VALUES, at_most
from workers.training.settings import Settings
from workers.training.wire import WireValue

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
DEFAULT_THRESHOLD = 0.95


def _kind(dataset: Any) -> str:
    return "name" if isinstance(dataset, str) else "artifact"


Dataset = Annotated[
    Annotated[Literal["digits"], Tag("name")] | Annotated[Artifact, Tag("artifact")], Discriminator(_kind)
]
"""scikit-learn's handwritten digits, or a CSV or NPZ file by reference."""


class Wishes(Settings):
    """A whole training as a client asks for it; all of it may be left out.

    `label_column`: the name of the CSV's column that holds the labels. `held_out_share`: how much of the rows is kept
    from the training to measure with. `threshold`: the least accuracy on those that is accepted.
    """

    dataset: Dataset = "digits"
    label_column: str | None = None
    held_out_share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.2
    threshold: Share = DEFAULT_THRESHOLD

    @property
    def settings(self) -> Settings:
        """The part that the training itself depends on."""
        return Settings.model_validate({name: getattr(self, name) for name in Settings.model_fields})


class PrepareInput(WireValue):
    """The wishes stand under a name of their own, so that a template can hand on its whole input."""

    training: Wishes = Wishes()

    def check_size(self) -> None:
        """Raises `TooLarge`."""
        self.training.check_size()
        if isinstance(self.training.dataset, Artifact):
            at_most(ARTIFACT_BYTES, **{"dataset.sizeBytes": self.training.dataset.size_bytes})


class PreparedDataset(WireValue):
    """What `prepare` has made: the artifact with the split rows, and its shape."""

    artifact: Artifact
    training_rows: Annotated[int, Field(ge=1, strict=True)]
    held_out_rows: Annotated[int, Field(ge=1, strict=True)]
    features: Annotated[int, Field(ge=1, strict=True)]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]

    @property
    def rows(self) -> int:
        return self.training_rows + self.held_out_rows

    def check_size(self) -> None:
        """Raises `TooLarge`."""
        at_most(ROWS, rows=self.rows)
        at_most(FEATURES, features=self.features)
        at_most(VALUES, **{"rows times features": self.rows * self.features})
        at_most(CLASSES, classes=len(self.classes))


class TrainInput(WireValue):
    """A prepared dataset, and how to train on it."""

    dataset: PreparedDataset
    settings: Settings = Settings()

    def check_size(self) -> None:
        """Raises `TooLarge`."""
        self.dataset.check_size()
        self.settings.check_size()


class EvaluateInput(WireValue):
    """A prepared dataset, whose held-out rows are used, and the weights to measure."""

    dataset: PreparedDataset
    weights: Artifact

    def check_size(self) -> None:
        """Raises `TooLarge`."""
        self.dataset.check_size()
        at_most(ARTIFACT_BYTES, **{"weights.sizeBytes": self.weights.size_bytes})


class AcceptInput(WireValue):
    """What was measured, and what is asked for."""

    accuracy: Share
    threshold: Share = DEFAULT_THRESHOLD
