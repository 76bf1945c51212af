"""Starts the server of a cluster, and makes the cluster first where there is none.

Invariant: all of it happens under the cluster's lock, which the server inherits.
"""

from collections.abc import Mapping

from orchestrator.store.embedded_binaries import Binaries, EmbeddedPostgresError
from orchestrator.store.embedded_cluster import CLUSTER, DATABASE, LOG, PASSWORD, UNFINISHED, USER, Cluster

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "50",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "huge_pages": "try",
    "wal_buffers": "16MB",
    # The first change of a page after a checkpoint puts the whole page into the log: so let checkpoints be rare.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # All statements are short: compiling or sharing out a plan costs more than it saves, and parallel workers would
    # need more shared memory than containers commonly have.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log holds what an operator must know. Statements stay out of it: they carry the clients' data.
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


def launch_unless_in_use(cluster: Cluster, launched_at: int | None) -> int | None:
    """Starts the server if nobody uses the cluster; does not wait until it is ready.

    `launched_at` is what the caller's last call returned, None at first: the length that the log had when the caller
    itself started the server. EmbeddedPostgresError where that server has ended since, with what it had to say.
    """
    with cluster.lock() as lock:
        if lock is None:
            return launched_at
        if launched_at is not None:
            raise EmbeddedPostgresError(f"PostgreSQL ended while it was starting:\n{cluster.log_since(launched_at)}")
        return _launch(cluster, lock)


def _launch(cluster: Cluster, lock: int) -> int:
    binaries = Binaries.installed()
    if not cluster.exists():
        _make(cluster, binaries, lock)
    built_with = binaries.run("pg_config", "--configure", data_dir=cluster.data_dir, lock=lock)
    cluster.make_socket_folder()
    cluster.discard_leftovers()
    cluster.write_settings(
        {
            **_SETTINGS,
            "wal_compression": "lz4" if "--with-lz4" in built_with else "pglz",
            "unix_socket_directories": str(cluster.socket_folder()),
        }
    )
    log_length = cluster.open_log()
    # pg_ctl leaves the server in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.
    start = ("start", "--no-wait", f"--pgdata={CLUSTER}", f"--log={LOG}")
    binaries.run("pg_ctl", *start, data_dir=cluster.data_dir, lock=lock)
    return log_length


def _make(cluster: Cluster, binaries: Binaries, lock: int) -> None:
    """Makes the cluster, with the database in it, under another name until it is whole."""
    cluster.clear_the_ground()
    choices = (
        f"--pgdata={UNFINISHED}",
        f"--username={USER}",
        f"--pwfile={PASSWORD}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
    )
    binaries.run("initdb", *choices, data_dir=cluster.data_dir, lock=lock)
    alone = ("--single", "-D", UNFINISHED, "-c", "exit_on_error=on", "postgres")
    binaries.run("postgres", *alone, data_dir=cluster.data_dir, lock=lock, typed=f"CREATE DATABASE {DATABASE}\n")
    cluster.finish()
