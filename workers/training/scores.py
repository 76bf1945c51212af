"""How good a model's answers are: accuracy, cross-entropy, and which class was taken for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.training.table import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """`confusion[truth, answer]` counts rows; `loss` is the mean cross-entropy in nats."""

    loss: float
    confusion: NDArray[np.intp]

    @property
    def accuracy(self) -> float:
        """The share of the rows whose most likely class is the true one."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @classmethod
    def of(cls, logits: Floats, labels: Ints) -> "Scores":
        """`logits` is rows by classes; `labels` holds the true class of each row, of which there is at least one."""
        exact = logits.astype(np.float64)
        top = exact.max(axis=1, keepdims=True)
        # The largest logit is taken off first, so that no exponential overflows.
        total = np.log(np.exp(exact - top).sum(axis=1)) + top[:, 0]
        losses = total - exact[np.arange(len(labels)), labels]
        classes = logits.shape[1]
        pairs = labels.astype(np.intp) * classes + exact.argmax(axis=1)
        confusion = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        return cls(float(losses.mean()), confusion)
