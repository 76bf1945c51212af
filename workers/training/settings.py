"""How a model is trained: every choice with its default, so that the settings alone tell what was trained."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from workers.training.limits import BATCH_SIZE, EPOCHS, LAYERS, NEURONS, at_most
from workers.training.wire import WireValue

Activation = Literal["relu", "tanh"]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]


class ModelConfig(WireValue):
    """A multi-layer perceptron: so many hidden layers of so many neurons each."""

    layers: Count = 2
    neurons: Count = 64
    activation: Activation = "relu"


class Settings(WireValue):
    """A training. The seed decides the first weights and the order of the rows, and with them everything else."""

    epochs: Count = 20
    batch_size: Count = 32
    learning_rate: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.003
    seed: Seed = 0
    # Called otherwise inside, because `model_config` is where pydantic keeps its own settings.
    architecture: Annotated[
        ModelConfig,
        Field(validation_alias=AliasChoices("modelConfig", "model_config"), serialization_alias="modelConfig"),
    ] = ModelConfig()

    def check_size(self) -> None:
        """Raises `TooLarge`."""
        at_most(EPOCHS, epochs=self.epochs)
        at_most(BATCH_SIZE, batchSize=self.batch_size)
        at_most(LAYERS, **{"modelConfig.layers": self.architecture.layers})
        at_most(NEURONS, **{"modelConfig.neurons": self.architecture.neurons})
