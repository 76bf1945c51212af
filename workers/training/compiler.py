"""The C compiler that tinygrad makes its kernels with: `clang` where there is one, else the one inside ziglang.

Nothing outside the given folder is written, so an empty or read-only home is no hindrance.
"""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote


class NoCompiler(Exception):
    """There is no compiler, or it does not work; the text says how to get one."""


def find_compiler(folder: Path) -> Path:
    """The path of `clang`, or of a script in `folder` that stands in for it; raises NoCompiler."""
    if (found := shutil.which("clang")) is not None:
        return Path(found)
    if find_spec("ziglang") is None:
        raise NoCompiler(
            "training needs a C compiler: neither clang is on PATH nor is ziglang installed. "
            "Install clang, or: pip install ziglang"
        )
    return _stand_in(folder)


def _stand_in(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cache = quote(str(folder / "zig"))
    script = folder / "clang"
    # Written beside and renamed: another attempt of this process may be starting the script right now.
    fresh = folder / "clang.new"
    fresh.write_text(
        "#!/bin/sh\n"
        f"export ZIG_GLOBAL_CACHE_DIR={cache} ZIG_LOCAL_CACHE_DIR={cache}\n"
        f'exec {quote(sys.executable)} -m ziglang clang "$@"\n',
        encoding="utf-8",
    )
    fresh.chmod(0o700)
    return fresh.rename(script)
