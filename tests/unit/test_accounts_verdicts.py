"""What is remembered of whom a secret stands for, and for how long."""

import asyncio
import gc

import pytest

from orchestrator.accounts import verdicts
from orchestrator.accounts.verdicts import LIFE_SECONDS, LOOK_UPS, Verdicts
from tests.driven_clock import DrivenClock


class Directory:
    """A database that knows some digests and tells what it is asked. While `gate` is clear it does not answer."""

    def __init__(self, **known: str) -> None:
        self.known = {digest.encode(): principal for digest, principal in known.items()}
        self.asked: list[bytes] = []
        self.asks: asyncio.Queue[bytes] = asyncio.Queue()
        self.at_once = self.most_at_once = 0
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, digest: bytes) -> str | None:
        self.asked.append(digest)
        self.asks.put_nowait(digest)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        found = self.known.get(digest)
        await self.gate.wait()
        self.at_once -= 1
        if self.fault is not None:
            raise self.fault
        return found


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


async def test_a_known_secret_is_looked_up_once_in_its_life(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    remembered = Verdicts(clock, directory.find)

    first = await remembered.of(b"key")
    clock.advance(LIFE_SECONDS - 0.001)
    second = await remembered.of(b"key")
    asked_in_its_life = list(directory.asked)
    clock.advance(0.001)
    third = await remembered.of(b"key")

    assert (first, second, third) == ("ann", "ann", "ann")
    assert (asked_in_its_life, directory.asked) == ([b"key"], [b"key", b"key"])


async def test_an_unknown_secret_is_looked_up_once_in_its_life(clock: DrivenClock) -> None:
    directory = Directory()
    remembered = Verdicts(clock, directory.find)

    verdicts_of_it = [await remembered.of(b"guess"), await remembered.of(b"guess")]
    asked_in_its_life = list(directory.asked)
    clock.advance(LIFE_SECONDS)
    directory.known[b"guess"] = "ann"
    verdicts_of_it.append(await remembered.of(b"guess"))

    assert verdicts_of_it == [None, None, "ann"]
    assert asked_in_its_life == [b"guess"]


async def test_a_secret_that_ended_is_unknown_after_its_life(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    remembered = Verdicts(clock, directory.find)
    await remembered.of(b"key")
    directory.known.clear()

    clock.advance(LIFE_SECONDS)

    assert [await remembered.of(b"key"), await remembered.of(b"key")] == [None, None]
    assert directory.asked == [b"key", b"key"]


async def test_unknown_secrets_push_out_each_other_and_never_a_known_one(
    clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "KEPT", 2)
    directory = Directory(key="ann")
    remembered = Verdicts(clock, directory.find)

    for digest in (b"key", b"guess 1", b"guess 2", b"guess 3", b"key", b"guess 3", b"guess 2", b"guess 1"):
        await remembered.of(digest)

    assert directory.asked == [b"key", b"guess 1", b"guess 2", b"guess 3", b"guess 1"]


async def test_known_secrets_past_the_limit_push_out_the_one_looked_up_longest_ago(
    clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "KEPT", 2)
    directory = Directory(a="ann", b="ben", c="cem")
    remembered = Verdicts(clock, directory.find)

    for digest in (b"a", b"b", b"c", b"c", b"b", b"a"):
        await remembered.of(digest)

    assert directory.asked == [b"a", b"b", b"c", b"a"]


async def test_those_who_ask_at_once_share_one_look_up(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    remembered = Verdicts(clock, directory.find)

    answers = await asyncio.gather(*(remembered.of(b"key") for _ in range(100)))

    assert (answers, directory.asked) == (["ann"] * 100, [b"key"])


async def test_a_caller_who_goes_away_does_not_end_the_look_up_of_the_others(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    directory.gate.clear()
    remembered = Verdicts(clock, directory.find)
    impatient, patient = (asyncio.create_task(remembered.of(b"key")) for _ in range(2))
    await directory.asks.get()

    impatient.cancel()
    await asyncio.wait([impatient])
    directory.gate.set()

    assert (await patient, impatient.cancelled(), directory.asked) == ("ann", True, [b"key"])


async def test_what_was_forgotten_while_it_was_looked_up_is_not_remembered(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    directory.gate.clear()
    remembered = Verdicts(clock, directory.find)
    early = asyncio.create_task(remembered.of(b"key"))
    await directory.asks.get()

    directory.known.clear()
    remembered.forget(b"key")
    directory.gate.set()

    assert (await early, await remembered.of(b"key")) == ("ann", None)


async def test_who_asks_after_a_secret_was_forgotten_does_not_share_the_look_up_from_before(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    directory.gate.clear()
    remembered = Verdicts(clock, directory.find)
    early = asyncio.create_task(remembered.of(b"key"))
    await directory.asks.get()

    directory.known.clear()
    remembered.forget(b"key")
    late = asyncio.create_task(remembered.of(b"key"))
    await directory.asks.get()
    directory.gate.set()

    assert (await early, await late) == ("ann", None)


async def test_forgetting_one_secret_leaves_the_others_and_forgetting_all_leaves_none(clock: DrivenClock) -> None:
    directory = Directory(a="ann", b="ben")
    remembered = Verdicts(clock, directory.find)
    for digest in (b"a", b"b"):
        await remembered.of(digest)

    remembered.forget(b"a")
    for digest in (b"a", b"b"):
        await remembered.of(digest)
    asked_after_forgetting_one = list(directory.asked)
    remembered.forget_all()
    for digest in (b"a", b"b"):
        await remembered.of(digest)

    assert asked_after_forgetting_one == [b"a", b"b", b"a"]
    assert directory.asked == [b"a", b"b", b"a", b"a", b"b"]


async def test_a_look_up_that_failed_is_told_and_not_remembered(clock: DrivenClock) -> None:
    directory = Directory(key="ann")
    away = [ConnectionError("the database is away")]

    async def find(digest: bytes) -> str | None:
        if away:
            raise away.pop()
        return await directory.find(digest)

    remembered = Verdicts(clock, find)

    with pytest.raises(ConnectionError, match="away"):
        await remembered.of(b"key")

    assert await remembered.of(b"key") == "ann"


async def test_a_flood_of_unknown_secrets_has_only_some_look_ups_at_once(clock: DrivenClock) -> None:
    directory = Directory()
    directory.gate.clear()
    remembered = Verdicts(clock, directory.find)
    flood = [asyncio.create_task(remembered.of(b"guess %d" % number)) for number in range(50)]
    for _ in range(LOOK_UPS):
        await directory.asks.get()

    directory.gate.set()
    answers = await asyncio.gather(*flood)

    assert (answers, len(directory.asked), directory.most_at_once) == ([None] * 50, 50, LOOK_UPS)


async def test_while_the_database_is_away_a_verdict_may_count_for_longer_and_then_no_more(clock: DrivenClock) -> None:
    directory = Directory(secret="worker")
    remembered = Verdicts(clock, directory.find, outage_seconds=60.0)
    await remembered.of(b"secret")
    directory.fault = ConnectionRefusedError("away")

    clock.advance(LIFE_SECONDS + 59)
    during = await remembered.of(b"secret")
    clock.advance(1)

    assert during == "worker"
    with pytest.raises(ConnectionRefusedError):
        await remembered.of(b"secret")
    with pytest.raises(ConnectionRefusedError):
        await remembered.of(b"never seen")


async def test_what_was_revoked_counts_no_more_as_soon_as_the_database_says_so(clock: DrivenClock) -> None:
    directory = Directory(secret="worker")
    remembered = Verdicts(clock, directory.find, outage_seconds=60.0)
    await remembered.of(b"secret")
    directory.known.clear()
    clock.advance(LIFE_SECONDS)

    assert await remembered.of(b"secret") is None


async def test_a_silent_database_is_not_waited_for_where_there_is_an_older_verdict(
    clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "PATIENCE_SECONDS", 0.0)
    directory = Directory(secret="worker")
    remembered = Verdicts(clock, directory.find, outage_seconds=60.0)
    await remembered.of(b"secret")
    directory.gate.clear()
    clock.advance(LIFE_SECONDS)

    assert await remembered.of(b"secret") == "worker"
    directory.gate.set()


async def test_a_look_up_that_fails_when_nobody_waits_for_it_any_more_is_no_forgotten_exception(
    clock: DrivenClock,
) -> None:
    forgotten: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: forgotten.append(context["message"]))
    directory = Directory(key="ann")
    directory.fault = ConnectionRefusedError()
    directory.gate.clear()
    remembered = Verdicts(clock, directory.find)
    asker = asyncio.create_task(remembered.of(b"key"))
    await directory.asks.get()

    asker.cancel()
    await asyncio.wait([asker])
    del asker
    directory.gate.set()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    gc.collect()

    assert forgotten == []
