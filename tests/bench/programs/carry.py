"""The bench's porter: hands on what it is given, turned by one, in the packet or by reference."""

from pydantic import BaseModel

from protocol.packets import Artifact
from workers.kit import Context, Worker


class Text(BaseModel):
    """A payload that travels in the packets."""

    value: str


class Reference(BaseModel):
    """A payload that the orchestrator keeps."""

    value: Artifact


worker = Worker("bench-carry", version="1", slots=16)


@worker.action("carry", estimate=1)
async def carry(given: Text) -> Text:
    return Text(value=given.value[1:] + given.value[:1])


@worker.action("carry_artifact", estimate=100)
async def carry_artifact(given: Reference, context: Context) -> Reference:
    path = await context.download(given.value, context.folder / "payload")
    data = path.read_bytes()
    return Reference(value=await context.upload(data[1:] + data[:1]))


if __name__ == "__main__":
    worker.main()
