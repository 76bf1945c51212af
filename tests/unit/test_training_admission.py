"""Which trainings are taken: what is invalid is a fault with its path, what is too large is refused."""

import subprocess
import sys
from typing import Any

import pytest

from orchestrator import bundled
from tests.unit.training_parts import of_shape
from workers.kit import ActionError, Estimate, Refuse
from workers.training.extra import PACKAGES
from workers.training.inputs import PrepareInput, TrainInput
from workers.training.settings import ModelConfig, Settings
from workers.training.worker import worker

REFERENCE = {"sha256": "0" * 64, "sizeBytes": 10}


def weigh(action: str, given: Any) -> Estimate:
    """What the worker says to an offer of this input."""
    declared = worker.actions[action]
    return declared.estimate(declared.read(given))


def a_training(**settings: Any) -> dict[str, Any]:
    return {"dataset": of_shape().model_dump(mode="json", by_alias=True), "settings": settings}


def test_nothing_need_be_said_of_a_training() -> None:
    assert PrepareInput().training.settings == Settings(
        epochs=20, batch_size=32, learning_rate=0.003, seed=0, architecture=ModelConfig(layers=2, neurons=64)
    )
    assert (PrepareInput().training.dataset, PrepareInput().training.threshold) == ("digits", 0.95)


def test_wishes_come_in_either_case_and_the_settings_are_their_part_of_them() -> None:
    camel = {"epochs": 3, "learningRate": 0.01, "batchSize": 8, "modelConfig": {"layers": 1, "neurons": 4}}
    snake = {"epochs": 3, "learning_rate": 0.01, "batch_size": 8, "model_config": {"layers": 1, "neurons": 4}}
    given = [PrepareInput.model_validate({"training": {**wishes, "threshold": 0.5}}) for wishes in (camel, snake)]

    assert given[0] == given[1]
    assert given[0].training.settings == Settings(
        epochs=3, learning_rate=0.01, batch_size=8, architecture=ModelConfig(layers=1, neurons=4)
    )
    assert Settings.model_validate(given[0].training.settings.model_dump(by_alias=True)) == given[1].training.settings


@pytest.mark.parametrize(
    ("wishes", "fault"),
    [
        ({"epochs": 0}, "training.epochs: Input should be greater than or equal to 1"),
        ({"epochs": "20"}, "training.epochs: Input should be a valid integer"),
        ({"epochs": True}, "training.epochs: Input should be a valid integer"),
        ({"learningRate": 0}, "training.learningRate: Input should be greater than 0"),
        ({"learningRate": 1}, "training.learningRate: Input should be less than 1"),
        ({"batchSize": -1}, "training.batchSize: Input should be greater than or equal to 1"),
        ({"seed": 2**32}, "training.seed: Input should be less than 4294967296"),
        ({"modelConfig": {"layers": 0}}, "training.modelConfig.layers: Input should be greater than or equal to 1"),
        ({"modelConfig": {"activation": "step"}}, "training.modelConfig.activation: Input should be 'relu' or 'tanh'"),
        ({"threshold": 95}, "training.threshold: Input should be less than or equal to 1"),
        ({"dataset": "iris"}, "training.dataset.name: Input should be 'digits'"),
        ({"dataset": {"sha256": "x", "sizeBytes": 1}}, "training.dataset.artifact.sha256: String should match pattern"),
    ],
)
def test_an_impossible_value_is_a_fault_with_its_path(wishes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ActionError, match="^" + fault):
        weigh("prepare", {"training": wishes})


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"epochs": 1_001}, "epochs is 1,001; this worker takes at most 1,000"),
        ({"batchSize": 257}, "batchSize is 257; this worker takes at most 256"),
        ({"modelConfig": {"layers": 9}}, "modelConfig.layers is 9; this worker takes at most 8"),
        ({"modelConfig": {"neurons": 1_025}}, "modelConfig.neurons is 1,025; this worker takes at most 1,024"),
        (
            {"dataset": {**REFERENCE, "sizeBytes": 2 * 10**8}},
            "dataset.sizeBytes is 200,000,000; this worker takes at most 67,108,864",
        ),
    ],
)
def test_a_training_beyond_a_limit_is_refused_as_too_large_before_it_begins(
    wishes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refuse) as refused:
        weigh("prepare", {"training": wishes})

    assert (refused.value.code, refused.value.reason) == ("too_large", reason)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"rows": 200_001}, "rows is 200,001; this worker takes at most 200,000"),
        ({"features": 4_097}, "features is 4,097; this worker takes at most 4,096"),
        ({"rows": 10_000, "features": 1_000}, "rows times features is 10,000,000; this worker takes at most 8,000,000"),
        ({"classes": 1_001}, "classes is 1,001; this worker takes at most 1,000"),
    ],
)
@pytest.mark.parametrize("action", ["train", "evaluate"])
def test_a_dataset_beyond_a_limit_is_refused_by_each_action_that_would_load_it(
    action: str, shape: dict[str, int], reason: str
) -> None:
    given = {"dataset": of_shape(**shape).model_dump(mode="json", by_alias=True), "weights": REFERENCE}

    with pytest.raises(Refuse) as refused:
        weigh(action, given)

    assert (refused.value.code, refused.value.reason) == ("too_large", reason)


def test_the_largest_training_that_fits_every_limit_is_taken() -> None:
    largest = {"epochs": 1_000, "batchSize": 256, "modelConfig": {"layers": 8, "neurons": 1_024}}

    assert weigh("train", a_training(**largest)).key == "mlp-8x1024"
    assert weigh("prepare", {"training": {"dataset": {**REFERENCE, "sizeBytes": 64 * 1024 * 1024}}}).ms


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"epochs": 10}, {"epochs": 20}),
        ({"batchSize": 64}, {"batchSize": 32}),
        ({"modelConfig": {"neurons": 64}}, {"modelConfig": {"neurons": 65}}),
        ({"modelConfig": {"layers": 2}}, {"modelConfig": {"layers": 3}}),
    ],
)
def test_the_estimate_grows_with_epochs_steps_and_parameters(less: dict[str, Any], more: dict[str, Any]) -> None:
    smaller, larger = (weigh("train", a_training(**settings)) for settings in (less, more))

    assert (smaller.ms or 0) < (larger.ms or 0)


def test_the_estimate_grows_with_the_rows_in_time_and_in_memory() -> None:
    few, many = (worker.actions["train"].estimate(TrainInput(dataset=of_shape(rows))) for rows in (1_000, 100_000))

    assert ((few.ms or 0) < (many.ms or 0), (few.memory_mb or 0) < (many.memory_mb or 0)) == (True, True)


def test_without_its_extra_the_worker_says_in_one_sentence_how_to_get_it() -> None:
    without = "import sys; sys.modules['tinygrad'] = None; sys.argv[1:] = {arguments}; "
    arguments = ["workers.training.worker", "--orchestrator", "http://127.0.0.1:1"]
    script = without.format(arguments=arguments) + "from workers.kit.command import run_named; run_named()"

    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert outcome.returncode == 1
    assert outcome.stderr == ("error: the training worker needs tinygrad: pip install 'baton-orchestrator[training]'\n")


def test_the_orchestrator_looks_for_the_same_modules_as_the_worker() -> None:
    assert set(bundled.EXTRAS["training"]) == set(PACKAGES)


def test_all_bundled_workers_are_those_whose_extras_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundled.chosen(None) == bundled.BUNDLED

    monkeypatch.setattr(bundled, "find_spec", lambda module: None)

    assert sorted(bundled.chosen(None)) == ["echo", "granulator"]


def test_a_bundled_worker_that_is_asked_for_by_name_without_its_extra_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundled, "find_spec", lambda module: None)

    with pytest.raises(bundled.UnknownWorker) as refused:
        bundled.chosen(("training",))

    assert str(refused.value) == (
        "the worker training needs tinygrad, sklearn, safetensors: pip install 'baton-orchestrator[training]'"
    )
