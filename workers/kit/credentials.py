"""Where a worker's secret comes from: the environment, a file that it names, or the data directory."""

from collections.abc import Mapping
from pathlib import Path

from protocol.codec import loads
from protocol.errors import ProtocolError


class NoSecret(Exception):
    """No usable secret; the text says where one was looked for, never what was found."""


def worker_secret(environment: Mapping[str, str], data_dir: Path) -> str:
    """WORKER_SECRET, else the text of WORKER_SECRET_FILE, else `workerSecret` of DATA_DIR/credentials.json."""
    credentials = data_dir / "credentials.json"
    if secret := environment.get("WORKER_SECRET"):
        source = "WORKER_SECRET"
    elif file := environment.get("WORKER_SECRET_FILE"):
        source = f"WORKER_SECRET_FILE {file}"
        secret = _read(Path(file)).strip()
    elif credentials.is_file():
        source = str(credentials)
        secret = _from_credentials(credentials)
    else:
        raise NoSecret(f"no worker secret: set WORKER_SECRET or WORKER_SECRET_FILE, or let {credentials} hold one")
    if not secret or not secret.isascii() or not secret.isprintable():
        raise NoSecret(f"{source} holds no secret that an HTTP header can carry")
    return secret


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NoSecret(f"{path} cannot be read: {type(error).__name__}") from None


def _from_credentials(path: Path) -> str:
    try:
        secret = loads(_read(path).encode())["workerSecret"]
    except (ProtocolError, KeyError, TypeError):
        raise NoSecret(f"{path} holds no workerSecret") from None
    return secret if isinstance(secret, str) else ""
