"""The files of the embedded PostgreSQL in a data directory: what lies where, and who may touch it.

Invariant: the cluster's files are changed, and its server is started, only by the holder of `postgres.lock`.

The lock is a flock(2). It belongs to an open file, not to a process, and the server inherits that file from the
process that started it. So it is held for exactly as long as anything of the server lives: through the death of the
orchestrator that started it, and through the death of the postmaster for as long as one of its backends still writes.
Taking it proves that nobody is left, which no process id can: ids are reused, and another container has its own.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.store.embedded_binaries import MAJOR_VERSION, EmbeddedPostgresError
from orchestrator.store.private_file import sync_folder, write_private

# Relative to the data directory, as the programs are given them.
CLUSTER = "postgres"
UNFINISHED = "postgres.new"
PASSWORD = "postgres.password"
LOG = "postgres.log"

USER = "baton"
DATABASE = "baton"

_LOCK = "postgres.lock"
_SOCKET = "postgres.socket"
_SOCKET_FILE = ".s.PGSQL.5432"
_LOG_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 4096

# What bind(2) takes: 104 bytes with the closing zero on macOS, 108 on Linux. The characters are those that neither
# the list of PostgreSQL's setting nor the one of a DSN splits or quotes.
_SOCKET_PATH = re.compile(rb"[A-Za-z0-9_./+-]{1,103}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The PostgreSQL files of one data directory. Every method but `lock` and `is_unused` may wait for the disk."""

    data_dir: Path

    @property
    def directory(self) -> Path:
        """PGDATA: the cluster itself."""
        return self.data_dir / CLUSTER

    def make_data_dir(self) -> None:
        """The folder that holds all of it, for its owner only if it is new."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[int | None]:
        """Yields the descriptor of the lock, or None at once where somebody else holds it.

        Leaving the block closes our descriptor; the lock stays with those who inherited it. The file is never
        removed: two files of that name would be two locks.
        """
        descriptor = os.open(self.data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)

    def is_unused(self) -> bool:
        """Whether no process of the server is alive, and nobody is starting it."""
        try:
            with self.lock() as lock:
                return lock is not None
        except FileNotFoundError:
            return True

    def postmaster(self) -> int | None:
        """The process id of the living server, or None.

        The id in the pid file may be a stranger's by now. A postmaster's working directory is its cluster; where
        there is no /proc to ask, the file is believed.
        """
        try:
            pid = int((self.directory / "postmaster.pid").read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if sys.platform != "linux" or _works_in(self.directory, pid) else None

    def exists(self) -> bool:
        """Whether the cluster was made already; EmbeddedPostgresError where it is of no use to us."""
        if not self.directory.exists():
            return False
        version = (self.directory / "PG_VERSION").read_text().strip()
        if version != str(MAJOR_VERSION):
            raise EmbeddedPostgresError(
                f"{self.directory} was made by PostgreSQL {version} and this is PostgreSQL {MAJOR_VERSION}: "
                "move the data with pg_upgrade or pg_dump, or give --database-url"
            )
        if not (self.data_dir / PASSWORD).exists():
            raise EmbeddedPostgresError(f"{self.data_dir / PASSWORD} is lost: put it back from a backup")
        return True

    def clear_the_ground(self) -> None:
        """Before the cluster is made: a new password, and nothing of an attempt that was cut short."""
        unfinished = self.data_dir / UNFINISHED
        if unfinished.exists():
            shutil.rmtree(unfinished)
        write_private(self.data_dir / PASSWORD, f"{secrets.token_urlsafe(32)}\n".encode())

    def finish(self) -> None:
        """The cluster is made: only now does it get its name, so that half of one is never taken for a whole."""
        (self.data_dir / UNFINISHED).rename(self.directory)
        sync_folder(self.data_dir)

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Replaces the server's settings: an upgrade of ours must reach a cluster that an older one made."""
        lines = ["# Written anew at every start; what ALTER SYSTEM sets comes after it and wins.\n"]
        lines += [f"{name} = '{value}'\n" for name, value in settings.items()]
        write_private(self.directory / "postgresql.conf", "".join(lines).encode())

    def dsn(self) -> str:
        """The address of the database, with the password, as asyncpg takes it."""
        password = quote((self.data_dir / PASSWORD).read_text().strip())
        return f"postgresql://{USER}:{password}@/{DATABASE}?host={quote(str(self.socket_folder()))}&port=5432"

    def log_since(self, position: int) -> str:
        """The last lines of the log that stand after byte `position`."""
        with (self.data_dir / LOG).open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(position, end - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def socket_folder(self) -> Path:
        """The folder of the socket, with links followed."""
        return (self.data_dir / _SOCKET).resolve()

    def make_socket_folder(self) -> None:
        """Makes `postgres.socket` the folder of the socket, or a link to it.

        A socket's path has little room. Where the data directory's own is too long, the socket lies in a private
        folder of the system's temporary one, and the link records which: a later start finds a living server there,
        and keeps its address. That folder links back, for a copied data directory brings the same link.
        """
        entry = self.data_dir.resolve() / _SOCKET
        if _SOCKET_PATH.fullmatch(os.fsencode(entry / _SOCKET_FILE)):
            if entry.is_symlink():
                entry.unlink()
            entry.mkdir(mode=0o700, exist_ok=True)
            entry.chmod(0o700)
        elif not (entry.is_symlink() and _is_private_folder_of(entry.parent, entry.readlink())):
            if entry.is_symlink():
                entry.unlink()
            elif entry.exists():
                shutil.rmtree(entry)
            entry.symlink_to(_make_private_folder_of(entry.parent))

    def discard_socket_folder(self) -> None:
        """Removes what `make_socket_folder` made in the system's temporary folder, unless somebody uses it again.

        The folder goes before the link that says where it is: what is cut short is completed by the next one.
        """
        entry = self.data_dir.resolve() / _SOCKET
        with self.lock() as lock:
            if lock is None or not entry.is_symlink() or not _is_private_folder_of(entry.parent, entry.readlink()):
                return
            shutil.rmtree(entry.readlink())
            entry.unlink()

    def discard_leftovers(self) -> None:
        """The pid files of a killed server go, or PostgreSQL refuses to start where a stranger now has that id.

        Only a server that was started by hand can be alive under our lock. It keeps its files, and PostgreSQL will
        say so itself.
        """
        if self.postmaster() is None:
            (self.directory / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_folder() / f"{_SOCKET_FILE}.lock").unlink(missing_ok=True)

    def open_log(self) -> int:
        """Makes the log, or a new one in place of one that grew large, and returns the bytes that it holds already."""
        log = self.data_dir / LOG
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(f"{LOG}.1"))
        log.touch(mode=0o600)
        return log.stat().st_size


def _works_in(folder: Path, pid: int) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _make_private_folder_of(data_dir: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="baton-"))
    if not _SOCKET_PATH.fullmatch(os.fsencode(folder / _SOCKET_FILE)):
        folder.rmdir()
        raise EmbeddedPostgresError(f"{folder} cannot hold a socket: set TMPDIR to a folder with a short, plain path")
    (folder / "data").symlink_to(data_dir)
    return folder


def _is_private_folder_of(data_dir: Path, folder: Path) -> bool:
    """Whether `folder` is there, is ours alone and links back to `data_dir`."""
    try:
        status = folder.lstat()
        owner = (folder / "data").readlink()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and stat.S_IMODE(status.st_mode) == 0o700
        and status.st_uid == os.geteuid()
        and owner == data_dir
    )
