"""The embedded PostgreSQL against the real server: what it promises holds through every kill."""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

import orchestrator
from orchestrator.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from orchestrator.store.embedded_cluster import Cluster

START_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from orchestrator.store.embedded import EmbeddedPostgres

asyncio.run(EmbeddedPostgres(Path(sys.argv[1])).start())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("baton")


@asynccontextmanager
async def embedded(data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    """An embedded PostgreSQL that is not started yet, and that lives no longer than the block."""
    postgres = EmbeddedPostgres(data_dir)
    try:
        yield postgres
    finally:
        await postgres.stop()


async def query(dsn: str, *statements: str) -> Any:
    """Executes the statements and returns the first value of the last."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def postmaster_of(data_dir: Path) -> int:
    pid = await asyncio.to_thread(Cluster(data_dir).postmaster)
    assert pid is not None
    return pid


async def kill(postgres: EmbeddedPostgres, data_dir: Path) -> None:
    os.kill(await postmaster_of(data_dir), signal.SIGKILL)
    await postgres.ended()


def socket_folder(dsn: str) -> str:
    return parse_qs(urlsplit(dsn).query)["host"][0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_first_start_makes_a_durable_database(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        dsn = await postgres.start()
        connection = await asyncpg.connect(dsn)
        names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "server_encoding", "TimeZone")
        settings = {name: await connection.fetchval(f"SHOW {name}") for name in names}
        whereabouts = await connection.fetchrow("SELECT current_database(), current_user, inet_server_addr()")
        await connection.close()

    assert postgres.dsn == dsn
    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert whereabouts is not None
    assert tuple(whereabouts) == ("baton", "baton", None)


async def test_only_its_owner_can_reach_it(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        dsn = await postgres.start()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn, password="a guess")
        private = ("postgres", "postgres.socket", "postgres.password", "postgres.log")
        modes = [await asyncio.to_thread(mode, data_dir / name) for name in private]
        listening_on = await query(dsn, "SHOW listen_addresses")

    assert modes == [0o700, 0o700, 0o600, 0o600]
    assert listening_on == ""


async def test_a_clean_stop_ends_the_server_and_the_next_start_has_its_data(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        await query(await postgres.start(), "CREATE TABLE kept AS SELECT 7 AS value", "SELECT 1")
        first = await postmaster_of(data_dir)
        await postgres.stop()

        assert await asyncio.to_thread(Cluster(data_dir).postmaster) is None
        assert await query(await postgres.start(), "SELECT value FROM kept") == 7
        assert await postmaster_of(data_dir) != first


async def test_a_stop_where_nothing_lives_does_nothing(data_dir: Path) -> None:
    await EmbeddedPostgres(data_dir).stop()
    await EmbeddedPostgres(data_dir / "absent").stop()


async def test_a_start_that_ran_out_of_time_goes_on_and_can_be_stopped(data_dir: Path) -> None:
    # Making the cluster takes longer than this; it goes on in its thread, and would leave a server behind.
    hasty = EmbeddedPostgres(data_dir, start_timeout=timedelta(milliseconds=100))
    with pytest.raises(EmbeddedPostgresError, match="was not ready within"):
        await hasty.start()
    await hasty.stop()

    assert Cluster(data_dir).is_unused()


async def test_committed_rows_outlive_a_sigkill_of_the_server_at_the_same_address(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        dsn = await postgres.start()
        await query(dsn, "CREATE TABLE kept AS SELECT 7 AS value", "SELECT 1")
        await kill(postgres, data_dir)

        assert await postgres.start() == dsn
        assert await query(dsn, "SELECT value FROM kept") == 7


async def test_a_server_outlives_its_killed_orchestrator_and_is_adopted(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START_AND_DIE, str(data_dir), cwd=Path(orchestrator.__file__).parents[1]
        )
        assert await child.wait() == -signal.SIGKILL
        survivor = await postmaster_of(data_dir)

        assert await query(await postgres.start(), "SELECT current_database()") == "baton"
        assert await postmaster_of(data_dir) == survivor


async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        await postgres.start()

        assert os.getsid(await postmaster_of(data_dir)) != os.getsid(0)


async def test_two_that_start_at_once_get_one_server(data_dir: Path) -> None:
    async with embedded(data_dir) as one, embedded(data_dir) as other:
        first, second = await asyncio.gather(one.start(), other.start())
        started_at = "SELECT pg_postmaster_start_time()"

        assert first == second
        assert await query(first, started_at) == await query(second, started_at)


async def test_a_strangers_id_in_the_pid_files_neither_hinders_the_start_nor_is_signalled(data_dir: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    try:
        async with embedded(data_dir) as postgres:
            await postgres.start()
            former = await postmaster_of(data_dir)
            await kill(postgres, data_dir)
            for stale in ("postgres/postmaster.pid", "postgres.socket/.s.PGSQL.5432.lock"):
                await asyncio.to_thread(rename_process, data_dir / stale, former, stranger.pid)

            await postgres.stop()
            assert stranger.returncode is None
            assert await query(await postgres.start(), "SELECT 1") == 1
    finally:
        # It ends by itself only if nothing has ended it before.
        await stranger.communicate(b"")
    assert stranger.returncode == 0


def rename_process(pid_file: Path, old: int, new: int) -> None:
    text = pid_file.read_text()
    assert text.startswith(f"{old}\n")
    pid_file.write_text(text.replace(str(old), str(new), 1))


async def test_a_backend_that_outlives_its_killed_server_is_waited_for(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        connection = await asyncpg.connect(await postgres.start())
        backend = connection.get_server_pid()
        os.kill(backend, signal.SIGSTOP)
        os.kill(await postmaster_of(data_dir), signal.SIGKILL)
        try:
            with pytest.raises(EmbeddedPostgresError, match="was not ready within"):
                await EmbeddedPostgres(data_dir, start_timeout=timedelta(milliseconds=400)).start()
            assert await asyncio.to_thread(Cluster(data_dir).postmaster) is None
        finally:
            os.kill(backend, signal.SIGCONT)

        assert await query(await postgres.start(), "SELECT 1") == 1
        connection.terminate()


async def test_a_data_directory_with_a_long_and_odd_path_works_and_keeps_its_address(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(data_dir))
    remote = data_dir / ("long " * 20) / "it's, $(or) `not`"
    async with embedded(remote) as postgres:
        dsn = await postgres.start()
        assert await query(dsn, "SELECT 1") == 1
        await kill(postgres, remote)

        assert await postgres.start() == dsn
        assert await asyncio.to_thread(mode, Path(socket_folder(dsn))) == 0o700


async def test_a_socket_folder_outside_the_data_directory_goes_with_its_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(data_dir))
    remote = data_dir / ("d" * 120)
    async with embedded(remote) as postgres:
        for _ in range(2):
            assert Path(socket_folder(await postgres.start())).parent == data_dir
            await postgres.stop()

            assert await asyncio.to_thread(os.listdir, data_dir) == [remote.name]


async def test_a_copied_data_directory_has_a_socket_of_its_own(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(data_dir))
    original, copy = data_dir / ("o" * 120), data_dir / ("c" * 120)
    async with embedded(original) as one, embedded(copy) as other:
        await one.start()
        await one.stop()
        await asyncio.to_thread(shutil.copytree, original, copy, symlinks=True)
        first, second = await one.start(), await other.start()

        assert socket_folder(first) != socket_folder(second)
        assert await query(first, "SHOW data_directory") == str(original / "postgres")
        assert await query(second, "SHOW data_directory") == str(copy / "postgres")


async def test_a_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    cluster = Cluster(data_dir).directory
    await asyncio.to_thread(cluster.mkdir)
    await asyncio.to_thread((cluster / "PG_VERSION").write_text, "17\n")

    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 17 and this is PostgreSQL 18"):
        await EmbeddedPostgres(data_dir).start()


async def test_a_first_start_that_was_cut_short_is_begun_anew(data_dir: Path) -> None:
    await asyncio.to_thread((data_dir / "postgres.new" / "base").mkdir, parents=True)
    async with embedded(data_dir) as postgres:
        assert await query(await postgres.start(), "SELECT 1") == 1


async def test_a_start_that_fails_tells_what_postgresql_said(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        await postgres.start()
        await postgres.stop()
        await asyncio.to_thread(os.truncate, data_dir / "postgres" / "global" / "pg_control", 0)

        with pytest.raises(EmbeddedPostgresError, match='could not read file "global/pg_control"'):
            await postgres.start()


async def test_a_data_directory_that_cannot_be_used_is_named(data_dir: Path) -> None:
    occupied = data_dir / "file"
    await asyncio.to_thread(occupied.touch)

    with pytest.raises(EmbeddedPostgresError, match=f"cannot use {occupied}"):
        await EmbeddedPostgres(occupied).start()


async def test_a_password_that_is_lost_is_named_and_not_replaced(data_dir: Path) -> None:
    async with embedded(data_dir) as postgres:
        await postgres.start()
        await postgres.stop()
        await asyncio.to_thread((data_dir / "postgres.password").unlink)

        with pytest.raises(EmbeddedPostgresError, match=r"postgres\.password is lost"):
            await postgres.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a user namespace")
async def test_root_without_user_namespaces_is_told_what_to_do(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(data_dir))

    with pytest.raises(EmbeddedPostgresError, match="run as a user who is not root, or give --database-url"):
        await EmbeddedPostgres(data_dir).start()


def test_a_log_that_grew_large_is_put_aside(data_dir: Path) -> None:
    cluster = Cluster(data_dir)
    log = data_dir / "postgres.log"
    log.write_bytes(b"short\n")
    kept = cluster.open_log()
    os.truncate(log, 9 * 1024 * 1024)
    renewed = cluster.open_log()

    assert (kept, renewed) == (6, 0)
    assert (data_dir / "postgres.log.1").stat().st_size == 9 * 1024 * 1024


def test_the_address_is_not_known_before_the_start(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="not started"):
        _ = EmbeddedPostgres(data_dir).dsn
