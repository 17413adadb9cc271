"""Who may call: those with a key that the file holds now, and nobody learns a key from what the server says."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from asgi_caller import Inner, caller_of
from plimsoll_sandbox.node.published import Content, PublishedFolder
from plimsoll_server.api.auth import Auth
from plimsoll_server.api.key_ring import MAX_KEYS, parse_keys
from plimsoll_server.renewed_file import MAX_BYTES, FileError, RenewedFile

KEY, OTHER = "a-key-of-the-first-caller", "a-key-of-the-second-caller"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def guarded(inner: Inner, content: str = f"{KEY}\n{OTHER}\n") -> Auth:
    ring = parse_keys(content.encode())
    return Auth(inner, lambda: ring, {"/livez"}.__contains__)


@pytest.mark.parametrize("headers", [bearer(KEY), {"authorization": f"bearer  {OTHER} "}], ids=["a key", "loosely"])
async def test_a_known_key_is_let_through(headers: dict[str, str]) -> None:
    inner = Inner()
    assert (await caller_of(guarded(inner))(headers=headers)).status_code == 200
    assert inner.callers != [None]


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param({}, "Bearer", id="none"),
        pytest.param(bearer("a-key-that-nobody-has"), 'Bearer error="invalid_token"', id="an unknown one"),
        pytest.param(bearer(KEY[:-1]), 'Bearer error="invalid_token"', id="the beginning of one"),
        pytest.param(bearer(KEY.upper()), 'Bearer error="invalid_token"', id="in capitals"),
        pytest.param(bearer("# a comment, not a key"), 'Bearer error="invalid_token"', id="a line left out"),
        pytest.param(bearer("k" * 100_000), 'Bearer error="invalid_token"', id="a very long one"),
        pytest.param(bearer(""), "Bearer", id="an empty one"),
        pytest.param({"Authorization": f"Basic {KEY}"}, "Bearer", id="of another kind"),
        pytest.param({"Authorization": KEY}, "Bearer", id="bare"),
    ],
)
async def test_whoever_has_no_key_is_told_how_to_send_one(headers: dict[str, str], challenge: str) -> None:
    inner = Inner()
    refused = await caller_of(guarded(inner, f"{KEY}\n# a comment, not a key\n"))(headers=headers)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, challenge)
    assert refused.json()["error_type"] == "Unauthorized"
    assert inner.callers == [], "nothing of it is read"
    assert KEY not in refused.text


async def test_a_refusal_has_its_protocols_own_shape() -> None:
    refused = await caller_of(guarded(Inner()))("/v1/embeddings")
    assert refused.json()["error"]["code"] == "invalid_api_key"


async def test_probes_need_no_key() -> None:
    assert (await caller_of(guarded(Inner()))("/livez")).status_code == 200


async def test_a_caller_is_known_by_a_short_hash_that_is_the_same_everywhere() -> None:
    first, second = Inner(), Inner()
    for inner in (first, second):
        call = caller_of(guarded(inner))
        await call(headers=bearer(KEY))
        await call(headers=bearer(OTHER))
    assert first.callers == second.callers, "of another process as well: rates are counted together"
    assert len(set(first.callers)) == 2
    for identity in first.callers:
        assert identity is not None
        assert len(identity) == 12
        assert identity not in (KEY, OTHER)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "there is no key in it", id="empty"),
        pytest.param(b"# only this\n\n", "there is no key in it", id="comments alone"),
        pytest.param(KEY.encode() + b"\nsecret-word\n", "line 2 has 11 characters", id="a short one"),
        pytest.param(b"k" * 513, "line 1 has 513 characters", id="a long one"),
        pytest.param("ein-geheimer-schlüssel".encode(), "line 1 has characters that no header", id="an umlaut"),
        pytest.param(b"two words and more of them", "line 1 has characters that no header", id="spaces"),
        pytest.param(b"\n".join(b"%020d" % n for n in range(MAX_KEYS + 1)), "1025 keys", id="too many"),
        pytest.param(b"#" * (MAX_BYTES + 1), "more than 1048576 bytes", id="too large"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_not_quoted(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(FileError, match=says) as refused:
        RenewedFile(file, parse_keys)
    assert str(file) in str(refused.value)
    for secret in ("secret-word", "geheimer", "two words", "kkkk"):
        assert secret not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"keys cannot be read .No such file or directory.: mount a Secret"):
        RenewedFile(tmp_path / "keys", parse_keys)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(FileError, match=r"keys cannot be read .it is no regular file.: mount a Secret"):
        RenewedFile(tmp_path / "keys", parse_keys)


async def test_keys_rotate_as_the_kubelet_swaps_the_folder(tmp_path: Path) -> None:
    folder = PublishedFolder(tmp_path / "mounted")
    folder.publish({"keys": Content(f"{KEY}\n".encode(), 0o440)})
    file = RenewedFile(tmp_path / "mounted" / "keys", parse_keys)
    call = caller_of(Auth(Inner(), file.newest, lambda _: False))

    async def statuses() -> list[int]:
        return [(await call(headers=bearer(key))).status_code for key in (KEY, OTHER)]

    assert await statuses() == [200, 401]
    folder.publish({"keys": Content(f"{KEY}\n{OTHER}\n".encode(), 0o440)})
    file.renew()
    assert await statuses() == [200, 200], "both, while callers change over"
    folder.publish({"keys": Content(f"{OTHER}\n".encode(), 0o440)})
    file.renew()
    assert await statuses() == [401, 200]


def test_keys_that_are_back_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    file = RenewedFile(path, parse_keys)
    path.rename(tmp_path / "aside")
    file.renew()
    (tmp_path / "aside").rename(path)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        file.renew()
        file.renew()
    assert [record.getMessage() for record in caplog.records] == [f"{path} holds again what is in use"]


async def test_a_broken_renewal_keeps_the_old_keys_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    file = RenewedFile(path, parse_keys)
    call = caller_of(Auth(Inner(), file.newest, lambda _: False))
    path.write_text("short")
    with caplog.at_level(logging.INFO):
        file.renew()
        file.renew()
        path.unlink()
        file.renew()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("what it held before is kept" in message for message in said)
    assert "short" not in caplog.text
    assert (await call(headers=bearer(KEY))).status_code == 200
