"""A worker made with the kit, as its authors make them; what its action does beside the work is in its environment.

`TORTURE_FOLDER` is where its diary is, `TORTURE_CRASHES` the share of its attempts that kill it, `TORTURE_PACE` how
many times longer than asked it takes.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tests.torture.chance import stream
from tests.torture.diary import Diary, KillPoint, die
from tests.torture.workload import made
from workers.kit import Context, Estimate, Worker
from workers.kit.seams import SystemClock

_FOLDER = Path(os.environ["TORTURE_FOLDER"])
_WORKER_ID = os.environ["TORTURE_WORKER"]
_SEED = int(os.environ["TORTURE_SEED"])
_CRASHES = float(os.environ["TORTURE_CRASHES"])
_PACE = float(os.environ["TORTURE_PACE"])

worker = Worker("torture")
_diary = Diary(_FOLDER, _WORKER_ID)
_kill_point = KillPoint(_FOLDER, _WORKER_ID)
_clock = SystemClock()


class Work(BaseModel):
    """What is to be summed up, and how long that takes."""

    values: list[int]
    ms: int
    bulk: str | None = None


def weigh(given: Work) -> Estimate:
    _diary.note("offer")
    _kill_point.reached("offer")
    _diary.note("accept")
    return Estimate(ms=given.ms * _PACE)


@worker.action("work", estimate=weigh)
async def work(given: Work, context: Context) -> dict[str, Any]:
    """Sums up, and may be killed at any point of it."""
    about = {"execution": context.execution_id, "stage": context.stage_id, "fence": context.fence}
    _diary.note("begin", **about)
    _kill_point.reached("begin")
    chance = stream(_SEED, "crash", context.stage_id, context.attempt)
    crashes = chance.random() < _CRASHES
    seconds = given.ms * _PACE / 1000
    before = chance.random() * seconds
    await _clock.sleep(before)
    await context.progress(100 * before / (seconds or 1.0))
    _kill_point.reached("middle")
    if crashes:
        _diary.note("crash", **about)
        die()
    await _clock.sleep(seconds - before)
    _diary.note("end", **about)
    return made(given.model_dump(), context.fence, _WORKER_ID)
