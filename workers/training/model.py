"""A trained model as a value: its weights, and all that is needed to use them on rows as they come.

The file is whole: the scaling of the features and the names of the classes are in it, so it works without its dataset.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np

from workers.training.settings import Activation, ModelConfig
from workers.training.table import Floats, UnusableData
from workers.training.tensor_file import NoTensorFile, TensorFile

MEAN, SCALE = "input.mean", "input.scale"


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Per feature what is taken off and what the rest is divided by."""

    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, values: Floats) -> "Scaling":
        """To mean 0 and deviation 1 over these rows. A feature that never changes is left at 0."""
        deviation = values.std(axis=0, dtype=np.float64)
        mean = values.mean(axis=0, dtype=np.float64)
        return cls(mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32))

    def apply(self, values: Floats) -> Floats:
        # In 64 bits, because the difference of two large numbers may not fit into 32.
        return ((values.astype(np.float64) - self.mean) / self.scale).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """`weight` is inputs by outputs, `bias` has an entry for each output."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Layers with the activation between them; the last one's outputs are a logit for each class."""

    scaling: Scaling
    layers: tuple[Layer, ...]
    activation: Activation
    classes: tuple[str, ...]

    @classmethod
    def fresh(cls, config: ModelConfig, scaling: Scaling, classes: tuple[str, ...], seed: int) -> "Model":
        """Untrained: weights normal with the variance 2 / inputs (He et al. 2015, arXiv:1502.01852), biases 0."""
        random = np.random.default_rng(seed)
        sizes = [len(scaling.mean), *[config.neurons] * config.layers, len(classes)]
        layers = []
        for inputs, outputs in pairwise(sizes):
            weight = random.standard_normal((inputs, outputs)) * np.sqrt(2 / inputs)
            layers.append(Layer(weight.astype(np.float32), np.zeros(outputs, dtype=np.float32)))
        return cls(scaling, tuple(layers), config.activation, classes)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(layer.weight.size + layer.bias.size for layer in self.layers)

    def encoded(self) -> bytes:
        """The content of its file."""
        arrays = {MEAN: self.scaling.mean, SCALE: self.scaling.scale}
        for position, layer in enumerate(self.layers):
            arrays |= {f"layers.{position}.weight": layer.weight, f"layers.{position}.bias": layer.bias}
        return TensorFile(arrays, {"activation": self.activation, "classes": json.dumps(self.classes)}).encoded()

    @classmethod
    def read(cls, path: Path) -> "Model":
        """From its file; raises UnusableData where the file is none of `train`'s, or does not fit together."""
        try:
            return _model(TensorFile.read(path))
        except (NoTensorFile, ValueError, TypeError) as error:
            raise UnusableData(f"The weights were not made by train: {error}.") from None


def parameters_of(config: ModelConfig, features: int, classes: int) -> int:
    """How many numbers a model of this shape learns."""
    sizes = [features, *[config.neurons] * config.layers, classes]
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def _model(file: TensorFile) -> Model:
    scaling = Scaling(file.array(MEAN, np.float32, 1), file.array(SCALE, np.float32, 1))
    count = sum(name.endswith(".weight") for name in file.arrays)
    layers = tuple(
        Layer(
            file.array(f"layers.{position}.weight", np.float32, 2), file.array(f"layers.{position}.bias", np.float32, 1)
        )
        for position in range(count)
    )
    classes = tuple(map(str, json.loads(file.word("classes"))))
    known: dict[str, Activation] = {name: name for name in get_args(Activation)}
    activation = known.get(file.word("activation"))
    sizes = [len(scaling.mean), *(len(layer.bias) for layer in layers)]
    fits = [layer.weight.shape for layer in layers] == list(
        pairwise(sizes)
    ) and scaling.scale.shape == scaling.mean.shape
    if activation is None or not layers or not fits or sizes[-1] != len(classes):
        raise NoTensorFile("its layers do not fit together")
    return Model(scaling, layers, activation, classes)
