"""Files of named arrays in the safetensors format, with a few words about them.

Nothing in such a file is ever executed, whoever wrote it; one that is no such file raises `NoTensorFile`. The same
arrays and words are always the same bytes, so that equal weights have equal hashes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

CONTENT_TYPE: Final = "application/vnd.safetensors"
ABOUT: Final = "about"
Arrays = Mapping[str, NDArray[Any]]


class NoTensorFile(Exception):
    """The file cannot be read, or holds something else than is wanted; the text says what."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorFile:
    """The arrays by their names, and the texts about them."""

    arrays: Arrays
    words: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "TensorFile":
        """Raises NoTensorFile, and FileNotFoundError where there is no file."""
        if not path.exists():
            raise FileNotFoundError(path)
        try:
            with safe_open(path, framework="numpy") as file:
                names = file.keys()
                arrays = {name: file.get_tensor(name) for name in names}
                words = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            raise NoTensorFile(f"it is no safetensors file: {error}") from None
        if not isinstance(words, dict):
            raise NoTensorFile("what it says of itself cannot be read")
        return cls(arrays, {name: str(word) for name, word in words.items()})

    def encoded(self) -> bytes:
        """The content of the file."""
        # All words under one name: the order of several in the file's header would be another each time.
        about = {ABOUT: json.dumps(dict(self.words), sort_keys=True)}
        return save({name: np.ascontiguousarray(array) for name, array in self.arrays.items()}, about)

    def array(self, name: str, kind: type[np.generic], dimensions: int) -> NDArray[Any]:
        """One array of that type and number of dimensions; raises NoTensorFile."""
        array = self.arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            raise NoTensorFile(f"it holds no array {name} of {dimensions} dimensions of {kind.__name__}")
        return array

    def word(self, name: str) -> str:
        """One text; raises NoTensorFile."""
        if name not in self.words:
            raise NoTensorFile(f"it says nothing of its {name}")
        return self.words[name]
