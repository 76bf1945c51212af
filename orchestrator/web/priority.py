"""How urgent an execution is: a word or a number from 0 to 100."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

WORDS: Final[Mapping[str, int]] = {"low": 25, "normal": 50, "high": 75, "critical": 100}
NORMAL: Final = WORDS["normal"]
_NUMBERS: Final = range(101)


def priority(value: Any) -> int:
    """The number that a word or a number stands for."""
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in _NUMBERS:
        return value
    raise PydanticCustomError("priority", f"must be one of {', '.join(WORDS)}, or a whole number from 0 to 100")


Priority = Annotated[
    int,
    BeforeValidator(priority),
    WithJsonSchema({"anyOf": [{"enum": list(WORDS)}, {"type": "integer", "minimum": 0, "maximum": 100}]}),
]
