"""A model on tinygrad: one step of training, and the logits of rows. The adapter: no other file knows tinygrad's types.

Every call must be made on the device's thread. The same state, rows and order of calls give the same numbers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tinygrad import Variable, helpers
from tinygrad.engine.jit import TinyJit
from tinygrad.nn.optim import Adam
from tinygrad.tensor import Tensor

from workers.training.model import Layer, Model
from workers.training.settings import Activation
from workers.training.table import Floats, Ints

LEARNING: Final[Any] = helpers.Context(TRAINING=1)  # type: ignore[no-untyped-call]
State = Mapping[str, NDArray[np.float32]]


class Step(NamedTuple):
    """What one step found on its batch, before it changed the weights."""

    loss: float
    accuracy: float


class Trainer:
    """A model in training by Adam on batches of one size, which cross-entropy is lowered on."""

    def __init__(self, model: Model, learning_rate: float, batches: int, batch_size: int) -> None:
        self._model = model
        self._weights = _weights(model)
        self._adam: Any = Adam(self._weights, lr=learning_rate)
        features = len(model.scaling.mean)
        self._values = _tensor(np.zeros((batches, batch_size, features), dtype=np.float32))
        self._labels = _tensor(np.zeros((batches, batch_size), dtype=np.int32))
        self._batch = Variable("batch", 0, max(1, batches - 1))
        # Compiled once for all batches: which of them it is comes in as a number.
        self._jit: Any = TinyJit(self._step)

    def feed(self, values: Floats, labels: Ints) -> None:
        """Takes the scaled rows of an epoch, in the order in which they are learned from: batches times their size."""
        self._values.assign(Tensor(values.reshape(self._values.shape))).realize()
        self._labels.assign(Tensor(labels.reshape(self._labels.shape))).realize()

    def step(self, batch: int) -> Step:
        """Learns from the batch of that number."""
        loss, accuracy = self._jit(self._batch.bind(batch)).tolist()
        return Step(loss, accuracy)

    def model(self) -> Model:
        """The model as it is now."""
        arrays = [_array(weight) for weight in self._weights]
        layers = tuple(Layer(*pair) for pair in zip(arrays[::2], arrays[1::2], strict=True))
        return replace(self._model, layers=layers)

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Weights and optimizer: with the same rows after it, training goes on as if it had never stopped."""
        return {name: _array(tensor) for name, tensor in self._tensors().items()}

    def restore(self, state: State) -> None:
        """Takes up a state; raises ValueError, without a change, where it is another model's."""
        tensors = self._tensors()
        if {name: array.shape for name, array in state.items()} != {name: own.shape for name, own in tensors.items()}:
            raise ValueError("it is of another model")
        for name, tensor in tensors.items():
            tensor.assign(Tensor(state[name])).realize()

    def _tensors(self) -> dict[str, Any]:
        adam = self._adam
        named = {f"weights.{position}": tensor for position, tensor in enumerate(self._weights)}
        named |= {f"adam.first.{position}": tensor for position, tensor in enumerate(adam.m)}
        named |= {f"adam.second.{position}": tensor for position, tensor in enumerate(adam.v)}
        return named | {"adam.first.decay": adam.b1_t, "adam.second.decay": adam.b2_t}

    def _step(self, batch: Any) -> Any:
        values, labels = self._values[batch], self._labels[batch]
        with LEARNING:
            self._adam.zero_grad()
            logits = _forward(self._weights, self._model.activation, values)
            loss = logits.sparse_categorical_crossentropy(labels)
            loss.backward()
            accuracy = (logits.argmax(axis=1) == labels).cast("float").mean()
            found = loss.stack(accuracy)
            Tensor.realize(found, *self._adam.schedule_step())
            return found


class Predictor:
    """A model that only answers."""

    def __init__(self, model: Model) -> None:
        self._activation = model.activation
        self._weights = _weights(model)

    def logits(self, values: Floats) -> Floats:
        """Rows by classes, for scaled rows."""
        return _array(_forward(self._weights, self._activation, Tensor(values)))


def _weights(model: Model) -> list[Any]:
    return [_tensor(array) for layer in model.layers for array in (layer.weight, layer.bias)]


def _forward(weights: list[Any], activation: Activation, values: Any) -> Any:
    for position in range(0, len(weights), 2):
        if position:
            values = values.relu() if activation == "relu" else values.tanh()
        values = values @ weights[position] + weights[position + 1]
    return values


def _tensor(array: NDArray[Any]) -> Any:
    # Copied by tinygrad, so that no weight shares its memory with the model it came from.
    return Tensor(array).clone().realize()


def _array(tensor: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.numpy()
    return array.copy()
