"""Executions with many stages: in a chain, where each waits for the one before, and side by side."""

import time
from collections.abc import Callable
from statistics import median

from tests.bench.extent import Extent
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import Site, Stand

TARGET = "linear: 1,000 stages in a chain, 500 in parallel"
ROUNDS = 3


async def measure(stand: Stand, extent: Extent) -> Report:
    sizes = {
        "chain": extent.pick((10, 100, 300), (10, 100, 1000)),
        "parallel": extent.pick((10, 100, 200), (10, 100, 500)),
    }
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    async with stand.site() as site:
        await site.worker("bench-increment")
        for shape, source in SOURCES.items():
            for stages in sizes[shape]:
                await site.baton.publish(source(stages))
                taken = [await _seconds(site, shape, stages, faults) for _ in range(ROUNDS + 1)][1:]
                rows.append(
                    {
                        "shape": shape,
                        "stages": stages,
                        "seconds": median(taken),
                        "msPerStage": median(taken) / stages * 1000,
                    }
                )
    return Report(
        name="wide",
        title=f"one execution of many trivial stages on an idle system, medians of {ROUNDS}",
        target=TARGET,
        rows=rows,
        faults=faults,
        plot=Plot("msPerStage", ("shape", "stages")),
    )


async def _seconds(site: Site, shape: str, stages: int, faults: list[str]) -> float:
    began = time.perf_counter()
    execution_id = await site.baton.execute(f"bench_{shape}_{stages}", {"value": 1})
    await site.baton.ended(execution_id)
    seconds = time.perf_counter() - began
    document = await site.baton.execution(execution_id)
    expected = {"value": 1 + stages} if shape == "chain" else {f"s{number}": {"value": 2} for number in range(stages)}
    if (document["status"], document["result"]) != ("completed", expected):
        faults.append(f"{shape} of {stages}: {document['status']} with {document['result']}")
    return seconds


def _chain(stages: int) -> str:
    lines = [f"template: bench_chain_{stages}", "stages:", '  s0: {action: increment, with: {value: "${input.value}"}}']
    for number in range(1, stages):
        given = f"${{stages.s{number - 1}.output.value}}"
        lines.append(f'  s{number}: {{needs: [s{number - 1}], action: increment, with: {{value: "{given}"}}}}')
    return "\n".join([*lines, f'output: {{value: "${{stages.s{stages - 1}.output.value}}"}}', ""])


def _parallel(stages: int) -> str:
    lines = [f'  s{number}: {{action: increment, with: {{value: "${{input.value}}"}}}}' for number in range(stages)]
    return "\n".join([f"template: bench_parallel_{stages}", "stages:", *lines, ""])


SOURCES: dict[str, Callable[[int], str]] = {"chain": _chain, "parallel": _parallel}
