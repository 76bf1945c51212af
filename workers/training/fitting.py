"""Trains a model on the rows of a dataset, step by step, and can be stopped between any two of them.

Stopped by a drain or by force it goes on from its last checkpoint, and ends with the weights that it would have had
without the stop.
"""

import hashlib
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

from workers.kit import Context, Yield
from workers.kit.seams import Clock
from workers.training.checkpoint import Checkpoint, CheckpointFile, NoCheckpoint, Position
from workers.training.dataset import SplitTable
from workers.training.device import Device, Hand, Stopped
from workers.training.model import Model, Scaling
from workers.training.plan import Plan
from workers.training.settings import Settings

if TYPE_CHECKING:
    from workers.training.network import Step, Trainer

REPORT_S: Final = 0.2
CHECKPOINT_S: Final = 2.0
CHECKPOINT_SHARE: Final = 0.05
"""At most this part of the time goes into writing checkpoints, however large they are."""


class Diverged(Exception):
    """The loss is no number any more; the text says when, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The trained model, its mean loss and accuracy over the last epoch, and the step that this attempt began with."""

    model: Model
    loss: float
    accuracy: float
    began_at: int


class Fitting:
    """One training, for one attempt of its stage."""

    def __init__(
        self, dataset: SplitTable, dataset_hash: str, settings: Settings, device: Device, context: Context, clock: Clock
    ) -> None:
        rows = dataset.training
        scaling = Scaling.of(rows.values)
        self.plan: Final = Plan.of(len(rows), settings)
        self._values = scaling.apply(rows.values)
        self._labels = rows.labels
        self._rate = settings.learning_rate
        self._model = Model.fresh(settings.architecture, scaling, dataset.classes, settings.seed)
        self._device = device
        self._context = context
        self._clock = clock
        identity = hashlib.sha256(f"{dataset_hash} {settings.model_dump_json()}".encode()).hexdigest()
        self._checkpoints = CheckpointFile(context.folder, identity)
        self._report_due = self._checkpoint_due = clock.monotonic()

    def fit(self) -> Fitted:
        """Raises Diverged; Stopped on a cancel; Yield when the worker stops; NoCompiler."""
        self._context.progress(0, "making the model ready")
        with self._device.holding(self._trainer, self._context.cancelled) as trainer:
            position = self._resume(trainer)
            began_at = position.step
            self._checkpoint_due = self._clock.monotonic() + CHECKPOINT_S
            while position.step < self.plan.steps:
                self._stop_if_asked(trainer, position)
                position = self._advance(trainer, position, is_first=position.step == began_at)
                if self._clock.monotonic() >= self._checkpoint_due:
                    self._save(trainer, position)
            model = trainer(lambda held: held.model())
        batches = self.plan.batches
        return Fitted(model, position.loss / batches, position.accuracy / batches, began_at)

    def _trainer(self) -> "Trainer":
        # tinygrad looks at its surroundings when it is loaded: here, where the device has prepared them.
        from workers.training.network import Trainer

        return Trainer(self._model, self._rate, self.plan.batches, self.plan.batch_size)

    def _resume(self, trainer: "Hand[Trainer]") -> Position:
        """Where an earlier attempt of the stage had come, with the trainer brought there; else the beginning."""
        try:
            checkpoint = self._checkpoints.read()
            if checkpoint is None:
                return Position()
            state = checkpoint.state
            trainer(lambda held: held.restore(state))
        except (NoCheckpoint, ValueError) as error:
            self._context.log(f"the checkpoint cannot be used ({error}); training begins anew", "warning")
            return Position()
        position = checkpoint.position
        self._context.log(f"training goes on from its checkpoint: step {position.step} of {self.plan.steps}")
        return position

    def _stop_if_asked(self, trainer: "Hand[Trainer]", position: Position) -> None:
        if self._context.is_cancelled:
            raise Stopped
        if self._context.draining.is_set():
            self._save(trainer, position)
            raise Yield(f"the worker stops; the training is kept at step {position.step} of {self.plan.steps}")

    def _advance(self, trainer: "Hand[Trainer]", position: Position, *, is_first: bool) -> Position:
        """The position after one more step."""
        epoch, batch = divmod(position.step, self.plan.batches)
        if batch == 0 or is_first:
            order = self.plan.order(epoch)
            values, labels = self._values[order], self._labels[order]
            trainer(lambda held: held.feed(values, labels))
        found = trainer(lambda held: held.step(batch))
        if not isfinite(found.loss):
            raise Diverged(
                f"The training has diverged: at step {position.step + 1} the loss is no number any more. "
                f"Take a smaller learningRate than {self._rate:g}."
            )
        self._report(position.step + 1, epoch + 1, found)
        if batch == 0:
            return Position(position.step + 1, found.loss, found.accuracy)
        return Position(position.step + 1, position.loss + found.loss, position.accuracy + found.accuracy)

    def _report(self, step: int, epoch: int, found: "Step") -> None:
        now = self._clock.monotonic()
        if now < self._report_due and step < self.plan.steps:
            return
        self._report_due = now + REPORT_S
        metrics = {"step": step, "epoch": epoch, "loss": found.loss, "accuracy": found.accuracy}
        message = f"epoch {epoch} of {self.plan.epochs}, loss {found.loss:.4f}"
        self._context.progress(100 * step / self.plan.steps, message, metrics)

    def _save(self, trainer: "Hand[Trainer]", position: Position) -> None:
        began = self._clock.monotonic()
        try:
            self._checkpoints.write(Checkpoint(position, trainer(lambda held: held.state())))
        except OSError as error:  # a full disk is no reason to lose the training itself
            self._context.log(f"no checkpoint at step {position.step}: {error}", "warning")
        ended = self._clock.monotonic()
        self._checkpoint_due = ended + max(CHECKPOINT_S, (ended - began) / CHECKPOINT_SHARE)
