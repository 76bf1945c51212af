"""One worker process of some temper: `python -m tests.torture.scripted_worker TEMPER`, the rest in its environment."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from tests.torture.boasting import Boaster, Braggart
from tests.torture.called import LateWorker, SeedWorker
from tests.torture.dialling import DialledWorker
from tests.torture.diary import Diary, KillPoint
from tests.torture.tempers import Liar, Refuser, Repeater, Victim, Zombie

DIALLING: Final[dict[str, type[DialledWorker]]] = {
    "victim": Victim,
    "liar": Liar,
    "zombie": Zombie,
    "refuser": Refuser,
    "repeater": Repeater,
    "boaster": Boaster,
}
CALLED: Final[dict[str, type[SeedWorker]]] = {"seed": SeedWorker, "late": LateWorker, "braggart": Braggart}
SLOTS: Final = {name: temper.slots for tempers in (DIALLING, CALLED) for name, temper in tempers.items()}


def main(temper: str) -> None:
    """Runs until it is killed."""
    worker_id, url = os.environ["TORTURE_WORKER"], os.environ["TORTURE_URL"]
    folder, secret = Path(os.environ["TORTURE_FOLDER"]), os.environ["WORKER_SECRET"]
    diary, kill_point = Diary(folder, worker_id), KillPoint(folder, worker_id)
    life: Coroutine[Any, Any, None]
    if temper in CALLED:
        own_url, port = os.environ["TORTURE_OWN_URL"], int(os.environ["TORTURE_OWN_PORT"])
        life = CALLED[temper](worker_id, url, secret, own_url, diary, kill_point).run(port)
    else:
        lease_s = float(os.environ["TORTURE_LEASE"])
        dialled: DialledWorker = DIALLING[temper](worker_id, url, secret, lease_s, diary, kill_point)
        life = dialled.run()
    diary.note("start")
    asyncio.run(life)


if __name__ == "__main__":
    main(sys.argv[1])
