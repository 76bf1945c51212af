"""How much of one kind a client may have under way at once in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.web.refusal import Refused


class AtOnce:
    """Counts by client. One too many is refused with `code`, and with a sentence that ends in `advice`."""

    def __init__(self, code: str, advice: str) -> None:
        self._code = code
        self._advice = advice
        self._open: Counter[str] = Counter()

    @contextmanager
    def counted(self, client_id: str, most: int) -> Iterator[None]:
        """Count one while the block lasts; raises `Refused` 429 past `most`."""
        if self._open[client_id] >= most:
            raise Refused(429, self._code, f"{most} {self._advice}", headers={"Retry-After": "5"})
        self._open[client_id] += 1
        try:
            yield
        finally:
            self._open[client_id] -= 1
            if not self._open[client_id]:
                del self._open[client_id]
