"""The training worker: trains multi-layer perceptrons with tinygrad, in steps that can be watched, stopped and resumed.

Each action is a plain function in a thread of its own. What is beyond the limits is refused when it is offered.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from workers.kit import Context, Estimate, Home, Refuse, Worker
from workers.kit.seams import SystemClock
from workers.training import actions, estimates
from workers.training.device import Device
from workers.training.inputs import AcceptInput, EvaluateInput, PrepareInput, TrainInput
from workers.training.limits import TooLarge
from workers.training.outputs import Accepted, Evaluated, Prepared, Trained

# Two trainings take turns on the device, so that a short stage need not wait until a long one is done.
SLOTS: Final = 2

Given = TypeVar("Given", PrepareInput, TrainInput, EvaluateInput)

worker = Worker("training", version="0.1", slots=SLOTS, default_action="train")

_clock = SystemClock()
_device = Device()


def within_limits(estimate: Callable[[Given], Estimate]) -> Callable[[Given], Estimate]:
    """The estimate, for what this worker can hold; anything larger is refused."""

    def weigh(given: Given) -> Estimate:
        try:
            given.check_size()
        except TooLarge as error:
            raise Refuse("too_large", str(error)) from None
        return estimate(given)

    return weigh


@worker.on_start
def open_device(home: Home) -> AbstractContextManager[None]:
    """Gives tinygrad's compiler and its cache a folder of the worker's own."""
    return _device.opened(home.data_folder / "tinygrad")


@worker.action("prepare", estimate=within_limits(estimates.of_preparing))
def prepare(given: PrepareInput, context: Context) -> Prepared:
    """Reads and splits a dataset, and settles how to train on it."""
    return actions.prepare(given, context)


@worker.action("train", estimate=within_limits(estimates.of_training))
def train(given: TrainInput, context: Context) -> Trained:
    """Trains a model, from its checkpoint where there is one."""
    return actions.train(given, context, _device, _clock)


@worker.action("evaluate", estimate=within_limits(estimates.of_evaluating))
def evaluate(given: EvaluateInput, context: Context) -> Evaluated:
    """Measures a model on the held-out rows."""
    return actions.evaluate(given, context, _device)


@worker.action("accept", estimate=1)
def accept(given: AcceptInput) -> Accepted:
    """Lets a model pass, or fails its stage."""
    return actions.accept(given)


if __name__ == "__main__":
    worker.main()
