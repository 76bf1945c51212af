"""The four actions: a validated input in, a value out. What cannot be done is an `ActionError` that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from workers.kit import ActionError, Artifact, Context
from workers.kit.seams import Clock
from workers.training.compiler import NoCompiler
from workers.training.csv_table import read_csv
from workers.training.dataset import SplitTable, split
from workers.training.device import Device, Stopped
from workers.training.digits import digits
from workers.training.fitting import Diverged, Fitting
from workers.training.inputs import AcceptInput, EvaluateInput, PreparedDataset, PrepareInput, TrainInput, Wishes
from workers.training.limits import ARTIFACT_BYTES
from workers.training.model import Model
from workers.training.npz_table import MAGIC, read_npz
from workers.training.outputs import Accepted, ClassScore, Evaluated, Prepared, Trained
from workers.training.prediction import predict
from workers.training.scores import Scores
from workers.training.table import Table, UnusableData
from workers.training.tensor_file import CONTENT_TYPE

CLASSES_CONFUSED: Final = 50
"""Of more classes the table of confusion would be too large to look at."""


def prepare(given: PrepareInput, context: Context) -> Prepared:
    """Reads the dataset, holds rows out, and keeps both parts as an artifact."""
    wishes = given.training
    with _explained():
        context.progress(0, "reading the dataset")
        parts = split(_table(wishes, context), wishes.held_out_share, wishes.seed)
        context.progress(50, "keeping the dataset")
        artifact = context.upload_now(parts.encoded(), CONTENT_TYPE)
    dataset = PreparedDataset(
        artifact=artifact,
        training_rows=len(parts.training),
        held_out_rows=len(parts.held_out),
        features=parts.features,
        classes=parts.classes,
    )
    return Prepared(dataset=dataset, settings=wishes.settings, threshold=wishes.threshold)


def train(given: TrainInput, context: Context, device: Device, clock: Clock) -> Trained:
    """Trains a model on the rows that were not held out, and keeps its weights as an artifact."""
    with _explained():
        dataset = _dataset(given.dataset, context)
        fitting = Fitting(dataset, given.dataset.artifact.sha256, given.settings, device, context, clock)
        fitted = fitting.fit()
        weights = context.upload_now(fitted.model.encoded(), CONTENT_TYPE)
    return Trained(
        weights=weights,
        parameters=fitted.model.parameters,
        steps=fitting.plan.steps,
        epochs=given.settings.epochs,
        loss=fitted.loss,
        accuracy=fitted.accuracy,
        began_at_step=fitted.began_at,
    )


def evaluate(given: EvaluateInput, context: Context, device: Device) -> Evaluated:
    """Measures weights on the held-out rows."""
    with _explained():
        dataset = _dataset(given.dataset, context)
        model = Model.read(_fetch(given.weights, context, "weights.safetensors"))
        if model.classes != dataset.classes:
            raise UnusableData("The weights are of other classes than the dataset.")
        logits = predict(model, dataset.held_out.values, device, context.cancelled)
    scores = Scores.of(logits, dataset.held_out.labels)
    rows = scores.confusion.sum(axis=1)
    per_class = tuple(
        ClassScore(label=label, rows=int(rows[at]), accuracy=float(scores.confusion[at, at] / rows[at]))
        for at, label in enumerate(dataset.classes)
        if rows[at]
    )
    confusion = tuple(map(tuple, scores.confusion.tolist())) if len(dataset.classes) <= CLASSES_CONFUSED else None
    return Evaluated(
        accuracy=scores.accuracy, loss=scores.loss, rows=int(rows.sum()), per_class=per_class, confusion=confusion
    )


def accept(given: AcceptInput) -> Accepted:
    """Fails for good where the accuracy is below the threshold."""
    if given.accuracy < given.threshold:
        raise ActionError(
            "below_threshold",
            f"The accuracy on held-out rows is {given.accuracy:.2%}, and {given.threshold:.2%} is the least that is "
            "accepted. Train for more epochs or with a larger model, or lower the threshold.",
        )
    return Accepted(accepted=True, accuracy=given.accuracy, threshold=given.threshold)


def _table(wishes: Wishes, context: Context) -> Table:
    if not isinstance(wishes.dataset, Artifact):
        return digits()
    content = _fetch(wishes.dataset, context, "source").read_bytes()
    return read_npz(content) if content.startswith(MAGIC) else read_csv(content, wishes.label_column)


def _dataset(dataset: PreparedDataset, context: Context) -> SplitTable:
    return SplitTable.read(_fetch(dataset.artifact, context, "dataset.safetensors"))


def _fetch(artifact: Artifact, context: Context, name: str) -> Path:
    """The artifact as a file of the stage's folder. Its size is that of the file: a reference can say anything."""
    path = context.download_now(artifact, context.folder / name)
    size = path.stat().st_size
    if size > ARTIFACT_BYTES:
        raise UnusableData(f"The artifact is too large: {size:,} bytes; at most {ARTIFACT_BYTES:,} are read.")
    return path


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what can be said about data, settings and machine into the failure of the stage."""
    try:
        yield
    except UnusableData as error:
        raise ActionError("unusable_data", str(error)) from error
    except Diverged as error:
        raise ActionError("diverged", str(error)) from error
    except NoCompiler as error:
        raise ActionError("no_compiler", str(error), retryable=True) from error
    except Stopped:
        raise ActionError("cancelled", "the attempt was told to stop") from None
