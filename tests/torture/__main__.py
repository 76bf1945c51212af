"""`scripts/torture`: kills, stops and cuts everything there is, and then looks whether anything was lost."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import orjson

from tests.torture.ablated import caught
from tests.torture.report import figures_of, report_of
from tests.torture.schedule import Schedule
from tests.torture.torture import Torture, planned_storm


def main() -> int:
    """0 if everything held, every planned fault was done and every rarity was seen."""
    options = _options()
    schedule = options.replay or planned_storm(options.seed, options.minutes * 60)
    folder = Path(tempfile.mkdtemp(prefix="baton-torture-"))
    verdict = asyncio.run(Torture(folder, schedule).run())
    if verdict.holds:
        # Only where something broke is the database evidence; it is by far the largest part of the folder.
        shutil.rmtree(folder / "postgres")
    ablations = caught()
    report = report_of(verdict, folder)
    if not ablations:
        report += "ablations: the simulation offers none\n"
    (sys.stderr if options.json else sys.stdout).write(report)
    if options.json:
        sys.stdout.write(orjson.dumps(figures_of(verdict, ablations or None)).decode() + "\n")
    return 0 if verdict.holds and None not in ablations.values() else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the schedule and the load")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the storm lasts")
    parser.add_argument("--replay", type=_schedule, metavar="FILE", help="a schedule.json of an earlier storm")
    parser.add_argument("--json", action="store_true", help="print one line of figures; the report goes to stderr")
    return parser.parse_args()


def _schedule(path: str) -> Schedule:
    try:
        return Schedule.read(Path(path))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path} is no schedule that this version can carry out: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
