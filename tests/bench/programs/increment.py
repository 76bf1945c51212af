"""The bench's worker: a stage that adds one, so that every execution's result can be checked."""

from pydantic import BaseModel

from workers.kit import Worker


class Number(BaseModel):
    """What goes in and comes out."""

    value: int


worker = Worker("bench-increment", version="1", slots=128)


@worker.action("increment", estimate=lambda given: 1)
async def increment(given: Number) -> Number:
    return Number(value=given.value + 1)


if __name__ == "__main__":
    worker.main()
