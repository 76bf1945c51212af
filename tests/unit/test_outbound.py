"""Where a worker's URL may not lead."""

import socket

import pytest

from orchestrator.dispatch.outbound import ForbiddenAddress, check_address, make_socket


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_an_address_where_no_worker_can_be_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.4", "8.8.8.8", "2001:4860:4860::8888"])
def test_loopback_private_and_public_addresses_are_where_workers_live(address: str) -> None:
    check_address(address)


def test_the_check_stands_where_the_socket_is_made() -> None:
    with pytest.raises(ForbiddenAddress):
        make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))
    with make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
