"""What one `baton up` was told: by its options and by the environment, read once.

Invariant: what stands here can be used as it is; what cannot is refused in one sentence before anything starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrator.dispatch.pace import Pace
from orchestrator.store.blobs import MOST_OF_S3

RETENTION_DAYS: Final = 30
"""How long what is over is kept, unless BATON_RETENTION_DAYS says otherwise."""
MOST_RETENTION_DAYS: Final = 36_500
MAX_ARTIFACT_BYTES: Final = 1024**3
"""The largest artifact that is taken, unless BATON_MAX_ARTIFACT_BYTES says otherwise; that may say `MOST_...`."""
MOST_ARTIFACT_BYTES: Final = 2**40


class SettingRefused(ValueError):
    """A setting that cannot be used; the message names it and says what it may be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`artifacts_url` is None for a folder in `data_dir`, `database_url` for the embedded PostgreSQL; without a
    `retention` everything is kept for ever."""

    host: str
    port: int
    data_dir: Path
    database_url: str | None
    artifacts_url: str | None
    public_url: str | None
    pace: Pace
    max_artifact_bytes: int
    retention: timedelta | None

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        host: str,
        port: int,
        data_dir: Path,
        database_url: str | None,
        artifacts_url: str | None,
    ) -> "Settings":
        """The options, and beside them what the environment says. Raises `SettingRefused`."""
        most_bytes = max_artifact_bytes(environ)
        if artifacts_url is not None and artifacts_url.startswith("s3:") and most_bytes > MOST_OF_S3:
            raise SettingRefused(f"BATON_MAX_ARTIFACT_BYTES is {most_bytes}; S3 takes {MOST_OF_S3} at most")
        return cls(
            host=host,
            port=port,
            data_dir=data_dir,
            database_url=database_url,
            artifacts_url=artifacts_url,
            public_url=environ.get("BATON_PUBLIC_URL"),
            pace=_pace(environ),
            max_artifact_bytes=most_bytes,
            retention=retention_age(environ),
        )


def max_artifact_bytes(environ: Mapping[str, str]) -> int:
    """BATON_MAX_ARTIFACT_BYTES, or a gibibyte; raises `SettingRefused` for what is no number of bytes."""
    text = environ.get("BATON_MAX_ARTIFACT_BYTES", str(MAX_ARTIFACT_BYTES))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_ARTIFACT_BYTES:
        raise SettingRefused(f"BATON_MAX_ARTIFACT_BYTES is {text!r}; it has to be a number of bytes, at most 2^40")
    return int(text)


def retention_age(environ: Mapping[str, str]) -> timedelta | None:
    """BATON_RETENTION_DAYS; None for 0, for ever. Raises `SettingRefused` for what is no number of days."""
    text = environ.get("BATON_RETENTION_DAYS", str(RETENTION_DAYS))
    if not text.isascii() or not text.isdigit() or int(text) > MOST_RETENTION_DAYS:
        raise SettingRefused(f"BATON_RETENTION_DAYS is {text!r}; it has to be a number of days, 0 to keep for ever")
    return timedelta(days=int(text)) or None


def _pace(environ: Mapping[str, str]) -> Pace:
    try:
        return Pace.from_environment(environ)
    except ValueError as error:
        raise SettingRefused(str(error)) from None
