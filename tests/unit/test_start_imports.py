"""What the orchestrator loads to start: memory and time that every system pays, used or not."""

import subprocess
import sys

UNUSED_AT_START = {
    "argon2": "loaded with the first password",
    "jsonschema_rs": "loaded with the first template that is read",
    "numpy": "the workers' alone",
    "obstore": "loaded with the first large payload",
    "pygments": "the command line's",
    "pypdf": "the workers' alone",
    "rich": "the command line's",
    "sklearn": "the workers' alone",
    "tenacity": "the workers' alone",
    "tinygrad": "the workers' alone",
    "yaml": "loaded with the first template that is read",
}

LOADED = """
import sys
from orchestrator.cli.up import load

load()
print(" ".join({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_orchestrator_starts_without_what_only_some_calls_need() -> None:
    loaded = subprocess.run([sys.executable, "-P", "-c", LOADED], capture_output=True, check=True, text=True).stdout

    assert {"orchestrator", "aiohttp", "asyncpg"} <= set(loaded.split())
    assert UNUSED_AT_START.keys() & set(loaded.split()) == set()
