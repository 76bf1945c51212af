"""The executions that this replica drives, by id, and how many bytes of input they keep in memory."""

from typing import Final

from orchestrator.store.record import Record

MOST_BYTES: Final = 128 * 1024 * 1024
"""Past this much input nothing more is taken from the queue before its turn; what waits there takes no memory."""


class Owned:
    """Owned records. What leaves here is the journal's, or another replica's, to know."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._records

    def get(self, execution_id: str) -> Record | None:
        return self._records.get(execution_id)

    def has_room_for(self, more_bytes: int) -> bool:
        """Whether an input of this size may be kept waiting in memory."""
        return self._bytes + more_bytes <= MOST_BYTES

    def add(self, record: Record) -> None:
        self.remove(record.execution.execution_id)
        self._records[record.execution.execution_id] = record
        self._bytes += record.input_bytes

    def remove(self, execution_id: str) -> None:
        record = self._records.pop(execution_id, None)
        if record is not None:
            self._bytes -= record.input_bytes

    def clear(self) -> None:
        self._records.clear()
        self._bytes = 0
