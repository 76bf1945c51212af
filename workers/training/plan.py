"""Which rows are learned from in which step. It follows from the seed alone, so a training can go on from any step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.training.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """`batches` of `batch_size` rows make an epoch. Steps and epochs are counted from 0."""

    rows: int
    batch_size: int
    batches: int
    epochs: int
    seed: int

    @classmethod
    def of(cls, rows: int, settings: Settings) -> "Plan":
        """For so many rows. With fewer than a batch has, one batch of all of them."""
        batch_size = min(settings.batch_size, rows)
        return cls(rows, batch_size, rows // batch_size, settings.epochs, settings.seed)

    @property
    def steps(self) -> int:
        return self.epochs * self.batches

    def order(self, epoch: int) -> NDArray[np.intp]:
        """The rows of an epoch, shuffled anew. A rest that fills no batch is left out, each time another."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return order[: self.batches * self.batch_size]
