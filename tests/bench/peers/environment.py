"""The peers' own environment, outside of this tree: their packages must not mix with ours.

Made once in the user's cache folder and made anew when the list of packages changes.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
RESTATE: Final = "@restatedev/restate-server@1.7.12"


@dataclass(frozen=True, slots=True)
class Environment:
    """The interpreter that has the peers' packages, and Restate's server if there was an npm to bring it."""

    python: Path
    restate_server: Path | None


def environment() -> Environment:
    """Install what is missing; needs the package registries only then."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "baton-bench" / "peers"
    python, stamp = folder / "python" / "bin" / "python", folder / "installed"
    wanted = sha256(REQUIREMENTS.read_bytes() + RESTATE.encode() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        sys.stderr.write(f"setting up the peers in {folder} ...\n")
        folder.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", str(python.parents[1]))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS))
        if shutil.which("npm") is not None:
            # Its packages are binaries; nothing of theirs has to run to install them.
            _run(
                "npm",
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(folder / "node"),
                RESTATE,
            )
        stamp.write_text(wanted)
    found = next((folder / "node").glob("node_modules/@restatedev/restate-server-*/bin/restate-server"), None)
    return Environment(python, found)


def _run(*command: str) -> None:
    """What is told goes to standard error: standard output is for figures."""
    subprocess.run(command, check=True, stdout=sys.stderr)
