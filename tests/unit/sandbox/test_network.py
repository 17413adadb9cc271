"""Addresses and ports that are one sandbox's alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from plimsoll_sandbox.network import Claim, claim_network, is_free
from plimsoll_sandbox.node.addresses import Addresses


@pytest.fixture
def claim() -> Iterator[Claim]:
    with contextlib.closing(claim_network()) as found:
        yield found


def test_two_claims_share_neither_addresses_nor_ports(claim: Claim) -> None:
    with contextlib.closing(claim_network()) as other:
        mine, theirs = claim.network, other.network
        assert len({mine.services_range, mine.pods_range, theirs.services_range, theirs.pods_range}) == 4
        assert not set(mine.ports.values()) & set(theirs.ports.values())


def test_a_claim_that_was_given_up_can_be_had_again(claim: Claim) -> None:
    number = claim.network.services_range
    claim.close()
    with contextlib.closing(claim_network(preferred=number)) as again:
        assert again.network.services_range == number


def test_a_range_that_is_taken_is_not_given(claim: Claim) -> None:
    number = claim.network.services_range
    with contextlib.closing(claim_network(preferred=number)) as other:
        assert other.network.services_range != number


def test_a_port_where_somebody_listens_is_passed_over(claim: Claim) -> None:
    port = claim.network.ports["apiserver"]
    number = claim.network.services_range
    claim.close()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free("127.0.0.1", port)
        with contextlib.closing(claim_network(preferred=number)) as again:
            assert port not in again.network.ports.values()


def test_addresses_of_pods_differ_and_come_back_last() -> None:
    addresses = Addresses(65)
    first, second = addresses.take(), addresses.take()
    assert (first, second) == ("127.65.1.1", "127.65.1.2")
    addresses.give_back(first)
    assert addresses.take() == "127.65.1.3"


def test_no_address_looks_like_a_networks_own() -> None:
    addresses = Addresses(65)
    taken = [addresses.take() for _ in range(600)]
    assert len(set(taken)) == 600
    assert not [address for address in taken if address.endswith((".0", ".255")) or address.startswith("127.65.0.")]
