"""Finds the worker that a command line names: `package.module`, `package.module:name`, `path/to/file.py:name`.

The working directory comes last on the import path, so nothing in it can stand in for an installed package.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from workers.kit.worker import Worker


class NoSuchWorker(Exception):
    """There is no worker where the command line says; the text is for the person who typed it."""


def load_worker(reference: str) -> Worker:
    """The worker that `reference` names; raises `NoSuchWorker`. What the module itself raises comes through."""
    module_name, _, name = reference.partition(":")
    is_file = module_name.endswith(".py")
    module = _load_file(Path(module_name)) if is_file else _load_module(module_name)
    if name:
        worker = getattr(module, name, None)
        if not isinstance(worker, Worker):
            raise NoSuchWorker(f"{module_name} has no worker named {name}")
    else:
        worker = _only_worker(module, module_name)
    if not worker.actions:
        raise NoSuchWorker(f"the worker {worker.name} in {module_name} declares no action")
    return worker


def put_last_on_path(folder: Path) -> None:
    """Makes `folder` importable without letting it shadow anything."""
    wanted = str(folder.resolve())
    sys.path[:] = [entry for entry in sys.path if str(Path(entry or os.curdir).resolve()) != wanted]
    sys.path.append(wanted)


def _load_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise NoSuchWorker(f"{name!r} is not the name of a module")
    put_last_on_path(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the module that was asked for may be missing; one that it imports is its author's to see.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise NoSuchWorker(f"there is no module {name}; a file is named by its path, as in ./{name}.py") from None


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NoSuchWorker(f"there is no file {path}")
    put_last_on_path(path.parent)
    # A name of its own: a file called echo.py must not take the place of a module called echo.
    name = f"worker_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NoSuchWorker(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks a model's module up by name
    spec.loader.exec_module(module)
    return module


def _only_worker(module: ModuleType, module_name: str) -> Worker:
    workers: dict[Worker, str] = {}
    for name, value in vars(module).items():
        if isinstance(value, Worker):
            workers.setdefault(value, name)
    if not workers:
        raise NoSuchWorker(f"{module_name} has no worker in it")
    if len(workers) > 1:
        names = ", ".join(workers.values())
        raise NoSuchWorker(f"{module_name} has several workers; name one as {module_name}:NAME ({names})")
    return next(iter(workers))
