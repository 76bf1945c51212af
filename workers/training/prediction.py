"""The answers of a model to rows, a piece at a time, so that a cancel is heard in between."""

import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from workers.training.device import Device
from workers.training.model import Model
from workers.training.table import Floats, UnusableData

if TYPE_CHECKING:
    from workers.training.network import Predictor

ROWS_AT_ONCE: Final = 2_048


def predict(model: Model, values: Floats, device: Device, stop: threading.Event) -> Floats:
    """A logit for each row and class; `values` is rows by features, unscaled.

    Raises UnusableData for rows of another width, and Stopped.
    """
    wanted = len(model.scaling.mean)
    if values.shape[1] != wanted:
        raise UnusableData(f"The model takes {wanted:,} features, and the rows have {values.shape[1]:,}.")

    def predictor() -> "Predictor":
        # Loads tinygrad: only on the device's thread, which has prepared its surroundings.
        from workers.training.network import Predictor

        return Predictor(model)

    scaled = model.scaling.apply(values)
    with device.holding(predictor, stop) as held:

        def answers(piece: Floats) -> Floats:
            return held(lambda network: network.logits(piece))

        starts = range(0, len(scaled), ROWS_AT_ONCE)
        return np.concatenate([answers(scaled[start : start + ROWS_AT_ONCE]) for start in starts])
