"""A granulator on a folder and an attempt for its actions, without a worker process around them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from orchestrator.core.template import Template
from protocol.packets import Artifact, AttemptKey
from workers.granulator import worker
from workers.granulator.assembly import AssembleInput
from workers.granulator.granulating import Granulator
from workers.granulator.granulations.book import Book, Retention
from workers.granulator.inputs import GranulateInput, OutlineInput, ReadInput, ValidateInput
from workers.granulator.providers.configured import configured
from workers.kit import Context
from workers.kit.context import Report
from workers.kit.seams import SystemClock


class Attempt(Context):
    """A context whose artifacts are bytes in memory, by their digest."""

    def __init__(self, folder: Path, artifacts: Mapping[str, bytes] | None = None, stage: str = "stage") -> None:
        self.reports: list[Report] = []
        key = AttemptKey(execution_id="execution", stage_id=stage, attempt=1, fence=1)
        super().__init__(key, "granulate", self.reports.append, open_folder=lambda: folder)
        self._artifacts = artifacts or {}

    async def download(self, artifact: Artifact | str, to: Path) -> Path:
        digest = artifact if isinstance(artifact, str) else artifact.sha256
        await asyncio.to_thread(to.write_bytes, self._artifacts[digest])
        return to


@asynccontextmanager
async def granulator_in(folder: Path, retention: Retention | None = None) -> AsyncIterator[Granulator]:
    """A granulator that keeps its book in the folder and makes everything offline."""
    async with Book(folder, retention) as book:
        yield Granulator(configured({}), book, SystemClock())


async def execute(template: Template, given: dict[str, Any], granulator: Granulator, folder: Path) -> Any:
    """The template's output, its stages carried out in order in this process."""
    outputs: dict[str, object] = {}
    scope = {"input": given, "stages": outputs}
    for stage in template.stages:
        assert stage.action is not None
        attempt = Attempt(folder, stage=f"execution.{stage.name}")
        outputs[stage.name] = {"output": await perform(stage.action, stage.with_.render(scope), granulator, attempt)}
    assert template.output is not None
    return template.output.render(scope)


async def perform(action: str, input_data: object, granulator: Granulator, context: Context) -> dict[str, Any]:
    """The action's result as it is after the wire."""
    match action:
        case "outline":
            result = await worker.outline(TypeAdapter(OutlineInput).validate_python(input_data), context)
        case "index_terms":
            result = await worker.index_terms(TypeAdapter(ReadInput).validate_python(input_data), context)
        case "validate":
            result = await worker.validate(TypeAdapter(ValidateInput).validate_python(input_data), context)
        case "assemble":
            result = await worker.assemble(TypeAdapter(AssembleInput).validate_python(input_data))
        case _:
            result = await granulator.granulate(TypeAdapter(GranulateInput).validate_python(input_data), context)
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(result))
    return decoded
