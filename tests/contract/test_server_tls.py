"""HTTPS by a mounted certificate: who is answered, what a renewal changes, and what keeps a server from starting."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography import x509

from server_builders import random_model, server_config
from server_process import Server, environment, process, serving
from tls_files import Issued, Issuer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS = "127.0.0.1"
ISSUER = Issuer()
EXPIRY = ("plimsoll_tls_certificate_expiry_timestamp_seconds",)
RENEWAL_SECONDS = 30


def write(folder: Path, issued: Issued) -> None:
    for name, data in issued.files.items():
        (folder / name).write_bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def first(folder: Path) -> Issued:
    issued = ISSUER.issue(ADDRESS)
    write(folder, issued)
    return issued


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path, first: Issued, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    config = server_config(random_model(tmp_path_factory.mktemp("model")))
    async with serving(config, trust=ISSUER.trust, PLIMSOLL_TLS_DIRECTORY=str(folder)) as server:
        yield server


def https_port(server: Server) -> int:
    return int(server.variables["PLIMSOLL_HTTPS_PORT"])


async def shown(server: Server) -> int:
    """Serial number that a new connection gets."""
    _, writer = await asyncio.open_connection(ADDRESS, https_port(server), ssl=ISSUER.trust)
    presented = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(presented).serial_number


async def test_a_caller_who_trusts_the_issuer_is_answered(server: Server, first: Issued) -> None:
    assert (await server.predict("near the old harbour")).status_code == 200
    assert await shown(server) == first.serial
    assert (await server.metrics())[EXPIRY] == first.expires.timestamp()


async def test_nothing_is_served_in_the_clear(server: Server) -> None:
    async with httpx.AsyncClient() as plain:
        with pytest.raises(httpx.ConnectError):
            await plain.get(f"http://{ADDRESS}:{server.variables['PLIMSOLL_HTTP_PORT']}/health")
        with pytest.raises(httpx.TransportError):
            await plain.get(f"http://{ADDRESS}:{https_port(server)}/health")


async def test_a_caller_who_trusts_another_issuer_refuses_it(server: Server) -> None:
    async with httpx.AsyncClient(verify=Issuer().trust) as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get(f"https://{ADDRESS}:{https_port(server)}/health")


async def test_tls_1_2_is_spoken_and_nothing_older(server: Server) -> None:
    trust = ISSUER.trust
    # OpenSSL speaks nothing as old as 1.1 at its usual level of security, whoever asks.
    trust.set_ciphers("DEFAULT:@SECLEVEL=0")
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    _, writer = await asyncio.open_connection(ADDRESS, https_port(server), ssl=trust)
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
    writer.close()
    await writer.wait_closed()
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        trust.minimum_version = trust.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection(ADDRESS, https_port(server), ssl=trust)


async def test_a_renewed_certificate_reaches_new_connections_and_ends_none(server: Server, folder: Path) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, https_port(server), ssl=ISSUER.trust)
    renewed = ISSUER.issue(ADDRESS)
    write(folder, renewed)
    deadline = time.monotonic() + RENEWAL_SECONDS
    while await shown(server) != renewed.serial:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert (await server.metrics())[EXPIRY] == renewed.expires.timestamp()
    writer.write(b"GET /livez HTTP/1.1\r\nHost: domains\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_a_server_whose_certificate_is_broken_says_what_to_do_and_ends(tmp_path: Path) -> None:
    variables = environment(server_config("/models/none"), PLIMSOLL_TLS_DIRECTORY=str(tmp_path))
    with process(tmp_path, variables) as server:
        code = await asyncio.to_thread(server.ends_with)
        [*_, last] = server.log.read_text().splitlines()
    assert code == 1
    assert "tls.crt cannot be read" in json.loads(last)["message"]
    assert "mount a Secret of type kubernetes.io/tls there" in json.loads(last)["message"]
