"""The folders of stages: one each, found again by the next life of a worker, gone when nobody needs them."""

import os
from pathlib import Path

import pytest

from workers.kit.stage_folders import StageFolders, StageKey

STAGE = ("exec_1", "exec_1.train")
DAY_S = 24 * 3600


@pytest.fixture
def folders(tmp_path: Path) -> StageFolders:
    return StageFolders(tmp_path / "stages")


def aged(folders: StageFolders, stage: StageKey, seconds: float) -> Path:
    """The stage's folder with a checkpoint, neither of them touched for so long."""
    folder = folders.open(stage)
    checkpoint = folder / "checkpoint"
    checkpoint.write_text("step 3")
    for path in (checkpoint, folder):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))
    return folder


def test_each_stage_of_each_execution_has_a_folder_of_its_own(folders: StageFolders) -> None:
    stages = [("e", "s"), ("e", "t"), ("f", "s"), ("e\ns", ""), ("x" * 200, "y" * 200)]

    paths = [folders.open(stage) for stage in stages]

    assert len(set(paths)) == len(stages)
    assert all(path.is_dir() for path in paths)
    assert [folders.open(stage) for stage in stages] == paths


def test_another_life_finds_what_an_earlier_one_left(folders: StageFolders, tmp_path: Path) -> None:
    (folders.open(STAGE) / "checkpoint").write_text("step 3")

    again = StageFolders(tmp_path / "stages")

    assert again.holds(STAGE)
    assert (again.open(STAGE) / "checkpoint").read_text() == "step 3"


def test_the_folder_of_a_stage_that_is_over_is_deleted_with_what_is_in_it(folders: StageFolders) -> None:
    folder = folders.open(STAGE)
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("x")

    folders.remove(STAGE)

    assert not folders.holds(STAGE)
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_cannot_be_deleted_now_is_deleted_by_a_sweep(folders: StageFolders) -> None:
    folder = folders.open(STAGE)
    left_half_deleted = folder.with_suffix(".removed")
    left_half_deleted.mkdir()
    (left_half_deleted / "file").write_text("x")

    folders.sweep(DAY_S, ())

    assert list(folder.parent.iterdir()) == [folder]


def test_a_sweep_deletes_what_was_not_touched_for_long_and_is_not_in_use(folders: StageFolders) -> None:
    old, used, fresh = ("e", "old"), ("e", "used"), ("e", "fresh")
    aged(folders, old, 3 * DAY_S)
    aged(folders, used, 3 * DAY_S)
    aged(folders, fresh, DAY_S / 2)

    folders.sweep(DAY_S, (used,))

    assert [folders.holds(stage) for stage in (old, used, fresh)] == [False, True, True]
    assert len(list(folders.open(used).parent.iterdir())) == 2


def test_a_folder_whose_checkpoint_is_written_in_place_is_not_old(folders: StageFolders) -> None:
    folder = aged(folders, STAGE, 3 * DAY_S)
    with (folder / "checkpoint").open("a") as checkpoint:
        checkpoint.write(", step 4")

    folders.sweep(DAY_S, ())

    assert (folder / "checkpoint").read_text() == "step 3, step 4"


def test_to_open_a_folder_is_to_touch_it(folders: StageFolders) -> None:
    aged(folders, STAGE, 3 * DAY_S)
    folders.open(STAGE)

    folders.sweep(DAY_S, ())

    assert folders.holds(STAGE)


def test_there_is_nothing_to_sweep_or_remove_before_the_first_folder(folders: StageFolders, tmp_path: Path) -> None:
    folders.sweep(DAY_S, ())

    assert not folders.holds(STAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_will_not_go_is_noted_and_keeps_nothing_else_from_going(
    folders: StageFolders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = aged(folders, STAGE, 3 * DAY_S)
    aged(folders, ("e", "other"), 3 * DAY_S)
    obstacle = folder.with_suffix(".removed")
    obstacle.write_text("a file, where a folder would have to be")

    folders.sweep(DAY_S, ())

    assert set(folder.parent.iterdir()) == {folder, obstacle}
    assert str(obstacle) in capsys.readouterr().out
