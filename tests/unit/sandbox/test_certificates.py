"""Certificates that clients really verify."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from plimsoll_sandbox.certificates import Authority, KeyPair
from plimsoll_sandbox.components.health import tls_context
from plimsoll_sandbox.node.endpoint import serving_context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "test")


async def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> bytes:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        said = await reader.read()
        writer.close()
        return said
    finally:
        listening.close()


def plain_server(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "kubernetes.default.svc"])
async def test_a_server_is_verified_by_its_names(authority: Authority, tmp_path: Path, host: str) -> None:
    pair = authority.issue(tmp_path, "server", hosts=["127.0.0.1", "kubernetes.default.svc"])
    assert await shake_hands(plain_server(pair), tls_context(authority.certificate), host) == b"hello"


async def test_another_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(tmp_path, "server", hosts=["127.0.0.1"])
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(plain_server(pair), tls_context(authority.certificate), "localhost")


async def test_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(tmp_path, "server", hosts=["127.0.0.1"])
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(plain_server(pair), tls_context(other.certificate), "127.0.0.1")


@pytest.mark.parametrize("kind", ["client", "server", "nobody"])
async def test_the_node_answers_only_who_shows_a_clients_certificate(
    authority: Authority, tmp_path: Path, kind: str
) -> None:
    node = serving_context(authority.issue(tmp_path, "node", hosts=["127.0.0.1"]), authority.certificate)
    shown = {
        "client": authority.issue(tmp_path, "client", client=True),
        "server": authority.issue(tmp_path, "server", hosts=["127.0.0.1"]),
        "nobody": None,
    }[kind]
    client = tls_context(authority.certificate, shown)
    try:
        said = await shake_hands(node, client, "127.0.0.1")
    except (ssl.SSLError, ConnectionError):  # Or just an end: the client cannot know why it was not heard.
        said = b""
    assert said == (b"hello" if kind == "client" else b"")


async def test_an_authority_is_the_same_after_a_restart(authority: Authority, tmp_path: Path) -> None:
    trusting = tls_context(authority.certificate)
    pair = Authority(tmp_path, "test").issue(tmp_path, "server", hosts=["127.0.0.1"])
    assert await shake_hands(plain_server(pair), trusting, "127.0.0.1") == b"hello"


def test_keys_are_for_their_owner_alone(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(tmp_path, "server", hosts=["127.0.0.1"])
    assert pair.key.stat().st_mode & 0o777 == 0o600
