"""Passwords by argon2id, e-mail addresses and digests: the values that accounts are made of."""

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, Type, extract_parameters

from orchestrator.accounts.digest import digest
from orchestrator.accounts.email import NotAnAddress, normalised
from orchestrator.accounts.passwords import WAITING, Passwords
from orchestrator.accounts.throttle import Throttled


class WatchedHasher(PasswordHasher):
    """A cheap hasher that writes down the work it does, as its kind and its parameters."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=64, parallelism=1)
        self.work: list[tuple[str, Parameters]] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        hashed = super().hash(password, salt=salt)
        self.work.append(("hash", extract_parameters(hashed)))
        return hashed

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.work.append(("verify", extract_parameters(str(hash))))
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> WatchedHasher:
    return WatchedHasher()


@pytest.fixture
def passwords(hasher: WatchedHasher) -> Iterator[Passwords]:
    passwords = Passwords(hasher)
    yield passwords
    passwords.close()


@pytest.mark.parametrize("password", ["correct horse", "Größe", "with \ud800 surrogate", "x" * 10_000])
async def test_a_hash_is_matched_by_its_own_password_only(passwords: Passwords, password: str) -> None:
    hashed = await passwords.hash(password)

    assert (await passwords.verify(hashed, password), await passwords.verify(hashed, f"{password}!")) == (True, False)


async def test_the_same_password_has_another_hash_each_time(passwords: Passwords) -> None:
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


async def test_without_a_hash_no_password_matches_and_the_work_is_the_same(
    passwords: Passwords, hasher: WatchedHasher
) -> None:
    hashed = await passwords.hash("correct horse")

    answers = [await passwords.verify(hashed, "wrong"), await passwords.verify(None, "wrong")]

    _, with_a_hash, without = hasher.work
    assert (answers, without, without[1].type) == ([False, False], with_a_hash, Type.ID)


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    older = WatchedHasher(time_cost=2).hash("correct horse")
    own = await passwords.hash("correct horse")

    assert (passwords.is_outdated(older), passwords.is_outdated(own)) == (True, False)


async def test_past_the_limit_of_those_who_wait_a_password_is_put_off(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    tries = (passwords.verify(hashed, "correct horse") for _ in range(WAITING + 2))

    answers = await asyncio.gather(*tries, return_exceptions=True)

    assert [answer if answer is True else type(answer) for answer in answers] == [True] * WAITING + [Throttled] * 2
    assert await passwords.verify(hashed, "correct horse")


@pytest.mark.parametrize(
    ("email", "spelling"),
    [
        ("ann@example.org", "ann@example.org"),
        ("  Ann@Example.ORG\n", "ann@example.org"),
        ("admin@localhost", "admin@localhost"),
        ("Jose\u0301@example.org", "jos\u00e9@example.org"),
    ],
)
def test_an_address_has_one_spelling(email: str, spelling: str) -> None:
    assert normalised(email) == spelling


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "a@b@c",
        "a nn@example.org",
        "ann@exa\x00mple.org",
        "\ud800@b",
        "a" * 250 + "@b.cz",
    ],
)
def test_what_is_not_an_address_is_refused(email: str) -> None:
    with pytest.raises(NotAnAddress):
        normalised(email)


def test_a_digest_is_the_sha_256_of_the_texts_utf_8() -> None:
    assert digest("klíč") == sha256("klíč".encode()).digest()


def test_any_text_of_a_header_has_a_digest_of_its_own() -> None:
    assert len({digest(text) for text in ("", "\x00", "\udc80", "\udc81", "\x80")}) == 5
