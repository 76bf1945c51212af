"""The built wheel, installed away from its sources, is the whole product."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.integration.system import Baton

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; what Baton depends on is borrowed from the one that runs the tests.

    The borrowed folder is a plain path: the editable install of the sources in it, which is a .pth file, is not read.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, text=True)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


async def test_the_wheel_runs_a_shipped_template_from_another_folder(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    (mine / "workers").mkdir(parents=True)
    (mine / "workers" / "__init__.py").write_text("raise RuntimeError('a user has a folder of this name too')\n")
    monkeypatch.chdir(mine)
    monkeypatch.setattr(sys, "executable", str(python))
    (tmp_path / "data").mkdir()

    async with Baton(tmp_path / "data", workers="all") as baton:
        execution = await baton.finished(await baton.execute("greet_twice", {"name": "Ann"}))

    assert execution["result"] == {"text": "hello Ann!"}


def test_the_environment_has_baton_from_the_wheel_alone(python: Path) -> None:
    script = "import orchestrator; print(orchestrator.__file__)"
    where = subprocess.run([str(python), "-P", "-c", script], check=True, capture_output=True, text=True)

    assert str(ROOT) not in where.stdout
