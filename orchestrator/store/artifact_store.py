"""Which artifact store a database belongs to: both keep the same id, and a replica that comes with another is refused.

Invariant: one store for one database. Two stores would each lack what the other has; and of two databases in one
store, each would remove what it does not know.
"""

import asyncpg

from orchestrator.core.seams import Ids
from orchestrator.store.blobs import MARK, BlobsAway, ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.statements import statements


class ArtifactStoreRefused(Exception):
    """This database's artifacts are not to be kept there; the message says why and what to set."""


async def settle_artifact_store(database: Database, blobs: ObjectBlobs, ids: Ids) -> None:
    """Make sure that the store is this database's: at their first meeting each learns the other's id.

    Raises `ArtifactStoreRefused`, or one of `UNAVAILABLE`.
    """
    connection = await database.connect()
    try:
        # Of replicas that start at once, the first one's store is it. The lock ends with the connection.
        await connection.execute(statements("artifacts")["lock_store"])
        try:
            blobs.expect(await _agreed(connection, blobs, ids))
        except BlobsAway as fault:
            raise ArtifactStoreRefused(f"{blobs.url}: {fault}") from fault
    finally:
        connection.terminate()


async def _agreed(connection: asyncpg.Connection, blobs: ObjectBlobs, ids: Ids) -> str:
    """The id that both have.

    The database has it first, as one that is not agreed on: a start that breaks off before the store has it too is
    followed by another try, under a new id. So no store bears an id that it was not given for good.
    """
    sql = statements("artifacts")
    known, mark = await connection.fetchrow(sql["store"]), await blobs.mark()
    if mark is not None and known is not None and mark == known["store_id"]:
        agreed = mark
    elif mark is not None:
        raise ArtifactStoreRefused(_of_another(blobs, known))
    elif known is not None and known["is_agreed"]:
        raise ArtifactStoreRefused(_elsewhere(blobs, known["url"]))
    else:
        agreed = ids.new("artifacts")
        await connection.execute(sql["propose_store"], agreed, blobs.url)
        await blobs.put_mark(agreed)
    await connection.execute(sql["agree_on_store"], blobs.url)
    return agreed


def _elsewhere(blobs: ObjectBlobs, url: str) -> str:
    if not blobs.is_folder:
        return f"the artifacts of this database are not in {blobs.url}, but in {url}: give --artifacts-url {url}"
    return (
        f"the artifacts of this database are not in {blobs.url}, but in {url}: share that folder and name it with "
        "--artifacts-url file:///FOLDER, or keep the artifacts of all replicas in s3://BUCKET/PREFIX"
    )


def _of_another(blobs: ObjectBlobs, known: asyncpg.Record | None) -> str:
    theirs = "" if known is None or not known["is_agreed"] else f", and those of this one are in {known['url']}"
    return (
        f"the artifacts in {blobs.url} are another database's{theirs}: name this one's store with --artifacts-url "
        f"(what was that database's and is not needed any more can be removed, with {MARK} in it)"
    )
