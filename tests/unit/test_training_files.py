"""The training worker's files: models and checkpoints come back as they were, or are known to be of no use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workers.training.checkpoint import Checkpoint, CheckpointFile, NoCheckpoint, Position
from workers.training.model import Model, Scaling, parameters_of
from workers.training.plan import Plan
from workers.training.scores import Scores
from workers.training.settings import ModelConfig, Settings
from workers.training.table import UnusableData
from workers.training.tensor_file import TensorFile

CONFIG = ModelConfig(layers=2, neurons=5, activation="tanh")
SCALING = Scaling(np.array([1, 2, 3], dtype=np.float32), np.array([1, 1, 2], dtype=np.float32))
HALF_WAY = Checkpoint(Position(step=7, loss=0.1 + 0.2, accuracy=1 / 3), {"weights.0": np.eye(3, dtype=np.float32)})


def a_model(seed: int = 0) -> Model:
    return Model.fresh(CONFIG, SCALING, ("a", "b"), seed)


def test_a_model_comes_back_from_its_file_with_its_scaling_and_its_classes(tmp_path: Path) -> None:
    model = a_model()
    (tmp_path / "file").write_bytes(model.encoded())

    back = Model.read(tmp_path / "file")

    assert back.encoded() == model.encoded()
    assert (back.activation, back.classes, back.parameters) == ("tanh", ("a", "b"), 3 * 5 + 5 + 5 * 5 + 5 + 5 * 2 + 2)
    assert parameters_of(CONFIG, 3, 2) == back.parameters


def test_first_weights_follow_from_the_seed_and_equal_weights_have_equal_bytes() -> None:
    assert a_model(1).encoded() == a_model(1).encoded() != a_model(2).encoded()


def test_scaled_rows_have_mean_0_and_deviation_1_and_a_feature_that_never_changes_is_0() -> None:
    values = np.array([[1, 10, 7], [3, 30, 7], [5, 50, 7]], dtype=np.float32)

    scaled = Scaling.of(values).apply(values)

    np.testing.assert_allclose(scaled.mean(axis=0), [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"classes": '["a"]'}, "its layers do not fit together"),
        ({"activation": "step"}, "its layers do not fit together"),
        ({"layers.1.weight": np.zeros((4, 5), np.float32)}, "its layers do not fit together"),
        ({"layers.1.weight": np.zeros((5, 5))}, "it holds no array layers.1.weight of 2 dimensions of float32"),
        ({"input.mean": None}, "it holds no array input.mean of 1 dimensions of float32"),
        ({"classes": None}, "it says nothing of its classes"),
        ({"classes": "["}, "Expecting value"),
    ],
)
def test_weights_that_do_not_fit_together_are_refused(tmp_path: Path, damage: dict[str, object], message: str) -> None:
    (tmp_path / "whole").write_bytes(a_model().encoded())
    whole = TensorFile.read(tmp_path / "whole")
    words = {**whole.words, **{name: value for name, value in damage.items() if isinstance(value, str)}}
    arrays = {**whole.arrays, **{name: value for name, value in damage.items() if isinstance(value, np.ndarray)}}
    for name in [name for name, value in damage.items() if value is None]:
        words.pop(name, None)
        arrays.pop(name, None)
    (tmp_path / "damaged").write_bytes(TensorFile(arrays, words).encoded())

    with pytest.raises(UnusableData, match=f"^The weights were not made by train: {message}"):
        Model.read(tmp_path / "damaged")


def test_a_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    CheckpointFile(tmp_path, "this").write(HALF_WAY)

    back = CheckpointFile(tmp_path, "this").read()

    assert back is not None
    assert back.position == HALF_WAY.position
    assert {name: array.tolist() for name, array in back.state.items()} == {"weights.0": np.eye(3).tolist()}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_the_last_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path, "this")
    file.write(HALF_WAY)
    file.write(replace(HALF_WAY, position=Position(step=8)))

    back = file.read()

    assert back is not None
    assert back.position == Position(step=8)


def test_where_nothing_was_written_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert CheckpointFile(tmp_path / "new", "this").read() is None


def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    CheckpointFile(tmp_path, "this").write(HALF_WAY)

    with pytest.raises(NoCheckpoint, match=r"^it is of another training$"):
        CheckpointFile(tmp_path, "that").read()


@pytest.mark.parametrize("at", [0, 10, 60, -1])
def test_a_checkpoint_with_one_wrong_byte_is_not_used(tmp_path: Path, at: int) -> None:
    file = CheckpointFile(tmp_path, "this")
    file.write(HALF_WAY)
    path = tmp_path / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    with pytest.raises(NoCheckpoint):
        file.read()


@pytest.mark.parametrize("length", [0, 7, 100])
def test_a_checkpoint_that_was_cut_short_is_not_used(tmp_path: Path, length: int) -> None:
    file = CheckpointFile(tmp_path, "this")
    file.write(HALF_WAY)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(NoCheckpoint, match=r"^it is no safetensors file: "):
        file.read()


def test_each_epoch_has_its_own_order_of_rows_which_follows_from_the_seed() -> None:
    plan = Plan.of(10, Settings(batch_size=4, epochs=3, seed=5))

    orders = [plan.order(epoch).tolist() for epoch in range(3)]

    assert (plan.batches, plan.steps) == (2, 6)
    assert [len(set(order)) for order in orders] == [8, 8, 8]
    assert orders[0] != orders[1] != orders[2]
    assert orders == [Plan.of(10, Settings(batch_size=4, epochs=9, seed=5)).order(epoch).tolist() for epoch in range(3)]


def test_fewer_rows_than_a_batch_make_one_batch() -> None:
    plan = Plan.of(10, Settings(batch_size=32))

    assert (plan.batch_size, plan.batches, sorted(plan.order(0).tolist())) == (10, 1, list(range(10)))


def test_scores_count_what_was_taken_for_what_and_measure_in_nats() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]], dtype=np.float32))

    scores = Scores.of(logits, np.array([0, 1, 2], dtype=np.int32))

    assert scores.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert scores.accuracy == 2 / 3
    assert scores.loss == pytest.approx(-(np.log(0.5) + np.log(0.8) + np.log(0.2)) / 3, rel=1e-6)


def test_the_loss_of_very_sure_answers_is_still_a_number() -> None:
    scores = Scores.of(np.array([[10_000, 0], [10_000, 0]], dtype=np.float32), np.array([0, 1], dtype=np.int32))

    assert (scores.accuracy, scores.loss) == (0.5, 5_000)
