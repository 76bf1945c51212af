"""The actions of the training worker on a real, small model: learning, measuring, stopping and going on."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.training_parts import Attempt, Orchestrator, TickingClock, three_heaps
from workers.kit import ActionError, Yield
from workers.training import actions
from workers.training.checkpoint import Checkpoint, CheckpointFile, Position
from workers.training.device import Device, Stopped
from workers.training.inputs import AcceptInput, EvaluateInput, PrepareInput, TrainInput
from workers.training.model import Model
from workers.training.outputs import Accepted, ClassScore, Prepared, Trained
from workers.training.tensor_file import TensorFile

STEPS = 24
WISHES = {"epochs": 4, "batchSize": 16, "learningRate": 0.02, "modelConfig": {"layers": 1, "neurons": 8}}


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """The process's only one; everything in this module is made small, because its kernels are compiled anew."""
    device = Device()
    with device.opened(tmp_path_factory.mktemp("device")):
        yield device


@pytest.fixture
def orchestrator(tmp_path: Path) -> Orchestrator:
    return Orchestrator(tmp_path)


def prepare(orchestrator: Orchestrator, content: str | None = None, **wishes: Any) -> Prepared:
    """Three heaps of 40 points, 32 of each to learn from: 6 batches of 16 in an epoch."""
    artifact = orchestrator.keep((content or three_heaps()).encode(), "text/csv")
    given = {"dataset": artifact.document(), **WISHES, **wishes}
    return actions.prepare(PrepareInput.model_validate({"training": given}), orchestrator.context("prepare"))


def train(prepared: Prepared, device: Device, context: Attempt) -> Trained:
    return actions.train(
        TrainInput(dataset=prepared.dataset, settings=prepared.settings), context, device, TickingClock()
    )


def test_what_is_prepared_names_the_dataset_and_every_choice(orchestrator: Orchestrator) -> None:
    prepared = prepare(orchestrator, seed=3, threshold=0.8)

    assert prepared.model_dump(mode="json", by_alias=True) == {
        "dataset": {
            "artifact": {
                "sha256": prepared.dataset.artifact.sha256,
                "sizeBytes": len(orchestrator.artifacts[prepared.dataset.artifact.sha256]),
                "contentType": "application/vnd.safetensors",
            },
            "trainingRows": 96,
            "heldOutRows": 24,
            "features": 4,
            "classes": ["high", "low", "middle"],
        },
        "settings": {
            "epochs": 4,
            "batchSize": 16,
            "learningRate": 0.02,
            "seed": 3,
            "modelConfig": {"layers": 1, "neurons": 8, "activation": "relu"},
        },
        "threshold": 0.8,
    }


def test_a_dataset_that_cannot_be_used_fails_its_stage_with_the_reason(orchestrator: Orchestrator) -> None:
    with pytest.raises(ActionError) as failed:
        prepare(orchestrator, "a,label\n1,x\n?,y\n")

    assert failed.value.failure.model_dump() == {
        "code": "unusable_data",
        "message": 'Line 3, column 1: "?" is no number.',
        "retryable": False,
    }


def test_an_artifact_that_is_larger_than_its_reference_says_is_not_read(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ARTIFACT_BYTES", 100)

    with pytest.raises(ActionError, match=r"^The artifact is too large: \d,\d+ bytes; at most 100 are read\.$"):
        prepare(orchestrator)


def test_a_model_learns_and_is_measured_on_rows_that_it_has_not_seen(
    orchestrator: Orchestrator, device: Device
) -> None:
    prepared = prepare(orchestrator, epochs=20)
    trained = train(prepared, device, orchestrator.context())
    evaluated = actions.evaluate(
        EvaluateInput(dataset=prepared.dataset, weights=trained.weights), orchestrator.context("evaluate"), device
    )

    assert (trained.parameters, trained.steps, trained.began_at_step) == (4 * 8 + 8 + 8 * 3 + 3, 120, 0)
    assert trained.loss < 0.2 < orchestrator.steps[0]["loss"]
    assert (evaluated.rows, evaluated.accuracy >= 0.95, evaluated.loss < 0.3) == (24, True, True)
    assert np.array(evaluated.confusion).sum(axis=1).tolist() == [8, 8, 8]
    assert [ClassScore(label=score.label, rows=8, accuracy=score.accuracy) for score in evaluated.per_class] == list(
        evaluated.per_class
    )


def test_each_report_bears_the_step_its_epoch_loss_and_accuracy(orchestrator: Orchestrator, device: Device) -> None:
    train(prepare(orchestrator), device, orchestrator.context())

    assert [report["step"] for report in orchestrator.steps] == list(range(1, STEPS + 1))
    assert [report["epoch"] for report in orchestrator.steps] == [1 + step // 6 for step in range(STEPS)]
    assert all(set(report) == {"step", "epoch", "loss", "accuracy"} for report in orchestrator.steps)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(
    orchestrator: Orchestrator, device: Device
) -> None:
    first, again, other = (
        train(prepare(orchestrator, seed=seed), device, orchestrator.context(f"train-{number}")).weights.sha256
        for number, seed in enumerate((1, 1, 2))
    )

    assert first == again != other


def test_a_drained_training_goes_on_where_it_was_and_ends_with_the_same_weights(
    orchestrator: Orchestrator, device: Device
) -> None:
    prepared = prepare(orchestrator)
    whole = train(prepared, device, orchestrator.context("whole"))
    drained = orchestrator.context()
    orchestrator.on_step = lambda step: drained.draining.set() if step == 9 else None

    with pytest.raises(Yield, match=r"^the worker stops; the training is kept at step 9 of 24$"):
        train(prepared, device, drained)
    resumed = train(prepared, device, orchestrator.context())

    assert orchestrator.logs == ["training goes on from its checkpoint: step 9 of 24"]
    assert resumed == whole.model_copy(update={"began_at_step": 9})


def test_a_training_that_was_killed_goes_on_from_its_last_checkpoint_and_ends_with_the_same_weights(
    orchestrator: Orchestrator, device: Device
) -> None:
    prepared = prepare(orchestrator)
    whole = train(prepared, device, orchestrator.context("whole"))
    killed = orchestrator.context()
    orchestrator.on_step = lambda step: killed.cancelled.set() if step == 15 else None

    with pytest.raises(ActionError, match=r"^the attempt was told to stop$"):
        train(prepared, device, killed)
    orchestrator.steps.clear()
    resumed = train(prepared, device, orchestrator.context())

    assert 0 < resumed.began_at_step < 15
    assert orchestrator.steps[0]["step"] == resumed.began_at_step + 1
    assert resumed == whole.model_copy(update={"began_at_step": resumed.began_at_step})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("a byte", "it is damaged"),
        ("other settings", "it is of another training"),
        ("a model", "it is of another model"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_told_and_training_begins_anew(
    orchestrator: Orchestrator, device: Device, damage: str, reason: str
) -> None:
    prepared = prepare(orchestrator)
    drained = orchestrator.context()
    drained.draining.set()
    with pytest.raises(Yield):
        train(prepared, device, drained)
    path = drained.folder / "checkpoint.safetensors"
    match damage:
        case "a byte":
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "other settings":
            prepared = prepare(orchestrator, seed=9)
        case "a model":
            identity = TensorFile.read(path).word("identity")
            CheckpointFile(drained.folder, identity).write(
                Checkpoint(Position(), {"weights.0": np.zeros(3, np.float32)})
            )

    trained = train(prepared, device, orchestrator.context())

    assert orchestrator.logs == [f"the checkpoint cannot be used ({reason}); training begins anew"]
    assert trained == train(prepared, device, orchestrator.context("whole"))


def test_a_cancelled_training_ends_between_two_steps(orchestrator: Orchestrator, device: Device) -> None:
    context = orchestrator.context()
    orchestrator.on_step = lambda step: context.cancelled.set() if step == 5 else None

    with pytest.raises(ActionError, match=r"^the attempt was told to stop$"):
        train(prepare(orchestrator), device, context)

    assert orchestrator.steps[-1]["step"] == 5


def test_a_cancel_is_heard_while_the_device_is_busy_and_the_device_goes_on_afterwards(device: Device) -> None:
    is_begun, may_end, stop = threading.Event(), threading.Event(), threading.Event()

    def work(_: str) -> None:
        is_begun.set()
        assert may_end.wait(30)

    def cancel() -> None:
        assert is_begun.wait(30)
        stop.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Stopped), device.holding(lambda: "held", stop) as use:
        use(work)
    canceller.join()
    may_end.set()

    with device.holding(lambda: "next", threading.Event()) as use:
        assert use(str.upper) == "NEXT"


def test_two_trainings_at_once_do_not_touch_each_other(orchestrator: Orchestrator, device: Device) -> None:
    prepared = [prepare(orchestrator, seed=seed) for seed in (1, 2)]
    alone = [train(each, device, orchestrator.context(f"alone-{number}")) for number, each in enumerate(prepared)]
    together: dict[int, Trained] = {}

    def run(number: int) -> None:
        together[number] = train(prepared[number], device, orchestrator.context(f"together-{number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [together[0], together[1]] == alone


def test_a_loss_that_is_no_number_ends_the_training_with_advice(
    orchestrator: Orchestrator, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(orchestrator)
    train(prepared, device, orchestrator.context("before"))
    monkeypatch.setattr("workers.training.network.Trainer.step", lambda *_: SimpleNamespace(loss=float("nan")))

    with pytest.raises(ActionError) as failed:
        train(prepared, device, orchestrator.context())

    assert failed.value.failure.model_dump() == {
        "code": "diverged",
        "message": "The training has diverged: at step 1 the loss is no number any more. "
        "Take a smaller learningRate than 0.02.",
        "retryable": False,
    }


def test_one_batch_of_few_rows_and_features_of_any_size_can_be_learned_from(
    orchestrator: Orchestrator, device: Device
) -> None:
    rows = "\n".join(f"{-3e38 if number % 2 else 3e38},5,{number % 2}" for number in range(8))

    trained = train(prepare(orchestrator, rows, batchSize=64, epochs=50), device, orchestrator.context())

    assert (trained.steps, trained.accuracy) == (50, 1.0)


def test_weights_of_other_classes_are_not_measured(orchestrator: Orchestrator, device: Device) -> None:
    prepared = prepare(orchestrator)
    other = prepare(orchestrator, three_heaps().replace("low", "deep"))
    weights = train(other, device, orchestrator.context()).weights

    with pytest.raises(ActionError, match=r"^The weights are of other classes than the dataset\.$"):
        actions.evaluate(
            EvaluateInput(dataset=prepared.dataset, weights=weights), orchestrator.context("evaluate"), device
        )


def test_weights_are_a_file_that_holds_the_whole_model(
    orchestrator: Orchestrator, device: Device, tmp_path: Path
) -> None:
    trained = train(prepare(orchestrator), device, orchestrator.context())
    (tmp_path / "weights").write_bytes(orchestrator.artifacts[trained.weights.sha256])

    model = Model.read(tmp_path / "weights")

    assert [layer.weight.shape for layer in model.layers] == [(4, 8), (8, 3)]
    assert (model.classes, model.activation, model.parameters) == (
        ("high", "low", "middle"),
        "relu",
        trained.parameters,
    )


def test_an_accuracy_at_the_threshold_is_accepted() -> None:
    assert actions.accept(AcceptInput(accuracy=0.95)) == Accepted(accepted=True, accuracy=0.95, threshold=0.95)


def test_an_accuracy_below_the_threshold_fails_with_both_and_what_to_do() -> None:
    with pytest.raises(ActionError) as failed:
        actions.accept(AcceptInput(accuracy=0.9123, threshold=0.95))

    assert failed.value.failure.model_dump() == {
        "code": "below_threshold",
        "message": "The accuracy on held-out rows is 91.23%, and 95.00% is the least that is accepted. "
        "Train for more epochs or with a larger model, or lower the threshold.",
        "retryable": False,
    }
