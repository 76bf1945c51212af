"""What a worker's process needs before it can start: its worker, and its secret."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.kit.credentials import NoSecret, worker_secret
from workers.kit.loading import NoSuchWorker, load_worker

ROOT = Path(__file__).parents[2]
ONE = """
from workers.kit import Worker
worker = Worker("one")
same = worker
@worker.action("act")
async def act(given: dict) -> dict:
    return given
"""
TWO = (
    ONE
    + """
other = Worker("other")
other.action("act")(act)
"""
)


@pytest.fixture(autouse=True)
def _import_path_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("workers.kit", {"aiohttp", "structlog", "asyncio", "urllib.request"}),
        ("workers.kit.command", {"aiohttp.web"}),
    ],
    ids=["to declare a worker takes no server, client or log", "to run one that only dials takes no server"],
)
def test_nothing_is_loaded_that_is_not_needed(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; sys.exit(', '.join({heavy!r} & set(sys.modules)) or 0)"

    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_only_worker_of_a_file_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ONE)

    assert load_worker("mine.py").name == "one"


def test_a_module_of_the_working_directory_is_found_by_its_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "till.py").write_text(ONE)

    assert load_worker("shop.till").name == "one"


def test_one_of_several_workers_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TWO)

    assert load_worker("mine.py:other").name == "other"


def test_a_folder_called_workers_in_the_working_directory_does_not_shadow_the_bundled_one(tmp_path: Path) -> None:
    (tmp_path / "workers" / "echo").mkdir(parents=True)
    (tmp_path / "workers" / "echo" / "__init__.py").write_text(ONE)

    assert load_worker("workers.echo").name == "echo"
    assert sys.path[-1] == str(tmp_path)


def test_a_file_called_like_a_module_does_not_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(ONE)

    assert load_worker("json.py").name == "one"
    assert hasattr(sys.modules["json"], "dumps")


@pytest.mark.parametrize(
    ("reference", "files", "message"),
    [
        ("mine.py", {}, "there is no file mine.py"),
        ("mine", {}, r"there is no module mine; a file is named by its path, as in \./mine\.py"),
        ("not a module", {}, "'not a module' is not the name of a module"),
        ("mine.py", {"mine.py": "x = 1"}, "mine.py has no worker in it"),
        ("mine.py", {"mine.py": TWO}, r"mine.py has several workers; name one as mine.py:NAME \(worker, other\)"),
        ("mine.py:third", {"mine.py": TWO}, "mine.py has no worker named third"),
        (
            "mine.py",
            {"mine.py": "from workers.kit import Worker\nw = Worker('idle')"},
            "the worker idle in mine.py declares no action",
        ),
    ],
)
def test_where_there_is_no_worker_the_error_says_what_is_wrong(
    tmp_path: Path, reference: str, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(NoSuchWorker, match=f"^{message}$"):
        load_worker(reference)


def test_an_import_that_fails_inside_a_module_is_its_authors_to_see(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import no_such_module_anywhere")

    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load_worker("mine")


def test_the_environment_comes_before_the_file_that_it_names_and_that_before_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    (tmp_path / "credentials.json").write_text('{"workerSecret": "from the data directory"}')
    named = {"WORKER_SECRET_FILE": str(tmp_path / "secret")}

    assert worker_secret({**named, "WORKER_SECRET": "from the environment"}, tmp_path) == "from the environment"
    assert worker_secret(named, tmp_path) == "from the file"
    assert worker_secret({}, tmp_path) == "from the data directory"


@pytest.mark.parametrize(
    ("environment", "credentials", "message"),
    [
        ({}, None, "no worker secret: set WORKER_SECRET or WORKER_SECRET_FILE, or let .* hold one"),
        ({"WORKER_SECRET_FILE": "/no/such/file"}, None, "/no/such/file cannot be read: FileNotFoundError"),
        ({"WORKER_SECRET_FILE": os.devnull}, None, f"WORKER_SECRET_FILE {os.devnull} holds no secret .*"),
        ({}, "{}", ".*credentials.json holds no workerSecret"),
        ({}, "not json", ".*credentials.json holds no workerSecret"),
        ({}, '{"workerSecret": 5}', ".*credentials.json holds no secret that an HTTP header can carry"),
        ({"WORKER_SECRET": "line\nbreak"}, None, "WORKER_SECRET holds no secret that an HTTP header can carry"),
    ],
)
def test_without_a_usable_secret_the_error_says_where_one_was_looked_for(
    tmp_path: Path, environment: dict[str, str], credentials: str | None, message: str
) -> None:
    if credentials is not None:
        (tmp_path / "credentials.json").write_text(credentials)

    with pytest.raises(NoSecret, match=f"^{message}$"):
        worker_secret(environment, tmp_path)
