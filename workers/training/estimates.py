"""How long each action will take and how much memory, from the size of what it is given.

Starting values, measured on one core of a shared two-core cloud machine with Python 3.11 and halved in speed, so that a
busy machine keeps its word. The kit moves them by what attempts really take.
"""

from typing import Final

from workers.kit import Artifact, Estimate
from workers.training.inputs import EvaluateInput, PrepareInput, TrainInput
from workers.training.model import parameters_of

MAKING_READY_MS: Final = 8_000
"""Loading tinygrad and compiling a model's kernels, the first time in a process."""
STEP_MS: Final = 3.0
"""What a step costs however small the model: starting its forty kernels."""
PRODUCTS_PER_MS: Final = 10_000_000
"""Multiplications with their additions, in the kernels that tinygrad makes for one core."""
PRODUCTS_PER_WEIGHT: Final = 3
"""For each row: forward, back to the inputs, back to the weights."""
BYTES_READ_PER_MS: Final = 5_000
PROCESS_MB: Final = 200
FLOATS_PER_WEIGHT: Final = 8
"""The weight, its gradient, Adam's two moments, what they are computed into, and a checkpoint's copy."""
FLOATS_PER_VALUE: Final = 4
FLOAT_BYTES: Final = 4


def of_preparing(given: PrepareInput) -> Estimate:
    """By the size of the file; the digits are read in the time that their library takes to load."""
    dataset = given.training.dataset
    size = dataset.size_bytes if isinstance(dataset, Artifact) else 0
    return Estimate(ms=2_000 + size / BYTES_READ_PER_MS, memory_mb=PROCESS_MB + 5 * size / 2**20, cpu=1)


def of_training(given: TrainInput) -> Estimate:
    """By rows, epochs and parameters. Learned apart for each shape of model."""
    dataset, settings = given.dataset, given.settings
    config = settings.architecture
    parameters = parameters_of(config, dataset.features, len(dataset.classes))
    rows = settings.epochs * dataset.training_rows
    products = PRODUCTS_PER_WEIGHT * rows * parameters
    return Estimate(
        ms=MAKING_READY_MS + rows / settings.batch_size * STEP_MS + products / PRODUCTS_PER_MS,
        memory_mb=_memory_mb(FLOATS_PER_WEIGHT * parameters + FLOATS_PER_VALUE * dataset.rows * dataset.features),
        cpu=1,
        key=f"mlp-{config.layers}x{config.neurons}",
    )


def of_evaluating(given: EvaluateInput) -> Estimate:
    """By the sizes of the weights and of the rows."""
    weights = given.weights.size_bytes // FLOAT_BYTES
    return Estimate(
        ms=MAKING_READY_MS / 4 + weights * given.dataset.held_out_rows / PRODUCTS_PER_MS,
        memory_mb=_memory_mb(2 * weights + FLOATS_PER_VALUE * given.dataset.rows * given.dataset.features),
        cpu=1,
    )


def _memory_mb(floats: int) -> float:
    return PROCESS_MB + floats * FLOAT_BYTES / 2**20
