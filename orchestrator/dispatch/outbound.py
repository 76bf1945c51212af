"""Connections from here to workers' URLs, and where they may never lead.

A worker's URL comes from outside. The check stands where the socket is made, after every name is resolved, so neither
an odd spelling of an address nor a name that resolves anew gets around it. Loopback and private networks are where
workers live, so they are allowed; what no worker can be is not: link-local addresses (the cloud's metadata services),
multicast, and the unspecified or reserved ones.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import aiohttp
from yarl import URL

from orchestrator.dispatch.transport import Reply, TooLong
from protocol.codec import LARGE_BYTES

TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"))
"""IPv6 networks whose addresses stand for IPv4 ones."""
RESERVED: Final = ip_network("240.0.0.0/4")
KEEPALIVE: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A dead host behind an open call is noticed within half a minute."""


class ForbiddenAddress(OSError):
    """An address that a worker's URL may not lead to."""


def check_address(text: str) -> None:
    """Raise `ForbiddenAddress` for an address where no worker can be."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in network for network in TRANSLATED):
            raise ForbiddenAddress(f"{text} stands for another address")
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise ForbiddenAddress(f"{text} is not an address of a worker")
    if address.version == 4 and address in RESERVED:
        raise ForbiddenAddress(f"{text} is reserved")


def make_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """A socket for an address that was checked; with keepalive."""
    family, kind, protocol, _, address = address_info
    check_address(address[0])
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


@asynccontextmanager
async def worker_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The client for workers' URLs: no proxies, no cookies, nothing decompressed, no limit but their slots."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, socket_factory=make_socket)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


class HttpTransport:
    """The `Transport` over a session for workers' URLs; connecting takes `connect_timeout` seconds at most."""

    def __init__(self, session: aiohttp.ClientSession, secret: str, connect_timeout: float) -> None:
        self._session = session
        self._connect_timeout = connect_timeout
        self._headers = {
            "Authorization": f"Bearer {secret}",
            "X-Worker-ID": "baton-orchestrator",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }

    async def call(self, method: str, url: URL, body: bytes | None, *, max_bytes: int, timeout: float | None) -> Reply:
        async with self._session.request(
            method,
            url,
            data=BytesIO(body) if body is not None and len(body) > LARGE_BYTES else body,
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=self._connect_timeout),
            allow_redirects=False,
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                content += chunk
                if len(content) > max_bytes:
                    response.close()
                    raise TooLong
            return Reply(response.status, bytes(content), _milliseconds(response.headers.get("Retry-After")))


def _milliseconds(retry_after: str | None) -> int | None:
    """A Retry-After in seconds; one that is a date, or nothing, says nothing here."""
    return (
        int(retry_after) * 1000 if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None
    )
