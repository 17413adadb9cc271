"""A folder's files against its list of checksums, and what tells one model's files from another's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.find import find_model
from plimsoll_server.models.location import Located
from plimsoll_server.phases import Phases

Spoil = Callable[[Path], object]


def listed(folder: Path) -> None:
    """As a person would write it."""
    subprocess.run("sha256sum * > SHA256SUMS && sed -i /SHA256SUMS/d SHA256SUMS", cwd=folder, shell=True, check=True)


@pytest.fixture
def folder(topic_folder: Path, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(topic_folder, tmp_path / "model"))
    listed(made)
    return made


def found(folder: Path) -> Located:
    return find_model(str(folder), Phases())


def test_a_folder_with_its_checksums_is_verified_and_the_start_tells_how_long_it_took(folder: Path) -> None:
    phases = Phases()
    located = find_model(str(folder), phases)
    assert (located.verified_by, located.revision) == ("SHA256SUMS", None)
    assert set(phases.seconds) == {"fetch", "verify"}


def test_a_folder_without_checksums_is_served_unverified(topic_folder: Path) -> None:
    assert found(topic_folder).verified_by == ""


def flip_a_bit(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def append(name: str, text: str) -> Spoil:
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


def rewrite(old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        sums = folder / "SHA256SUMS"
        sums.write_text(sums.read_text().replace(old, new))

    return spoil


def in_place_of_the_list(put: Spoil) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / "SHA256SUMS").unlink()
        put(folder / "SHA256SUMS")

    return spoil


def weights_by_an_index(folder: Path) -> None:
    """The same weights, as their only shard."""
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = {"metadata": {}, "weight_map": {"classifier.bias": "part.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(flip_a_bit, "model.safetensors is not what SHA256SUMS lists", id="one bit of the weights"),
        pytest.param(append("config.json", " "), "config.json is not what", id="the config"),
        pytest.param(
            rewrite("model.safetensors", "model-old.safetensors"),
            "does not list model.safetensors; write it anew",
            id="weights that nobody listed",
        ),
        pytest.param(
            append("SHA256SUMS", "0" * 64 + "  more.safetensors\n"),
            "lists more.safetensors, which is not there",
            id="a file that is missing",
        ),
        pytest.param(
            append("SHA256SUMS", "0" * 64 + "  " + "a" * 300 + "\n"),
            "lists a+, which is not there",
            id="a file that no file system takes",
        ),
        pytest.param(rewrite("  config", " = config"), "line 1 of .* is not 'CHECKSUM  NAME'", id="another format"),
        pytest.param(
            rewrite("tokenizer.json", "../tokenizer.json"), "within the folder", id="a path that leads out of it"
        ),
        pytest.param(
            lambda folder: (folder / "SHA256SUMS").write_bytes(b"0" * (2 << 20)), "no list of a model", id="a huge list"
        ),
        pytest.param(in_place_of_the_list(Path.mkdir), "SHA256SUMS is no file that can be read", id="a folder for it"),
        pytest.param(
            in_place_of_the_list(lambda sums: sums.symlink_to("/nowhere")),
            "SHA256SUMS is no file that can be read",
            id="a list that leads nowhere",
        ),
        pytest.param(weights_by_an_index, "does not list model.safetensors.index.json", id="shards that nobody listed"),
    ],
)
def test_files_that_are_not_what_was_published_are_refused(folder: Path, spoil: Spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        found(folder)


@pytest.mark.parametrize("with_sums", [True, False], ids=["listed", "unlisted"])
def test_other_weights_are_told_apart(folder: Path, with_sums: bool) -> None:
    if not with_sums:
        (folder / "SHA256SUMS").unlink()
    before = found(folder).weights
    assert found(folder).weights == before
    flip_a_bit(folder)
    if with_sums:
        listed(folder)
    assert found(folder).weights not in ("", before)


def test_weights_that_are_not_read_change_nothing(folder: Path) -> None:
    before = found(folder).weights
    (folder / "older.safetensors").write_bytes(b"cut short")
    assert found(folder).weights == before
    listed(folder)
    assert found(folder).weights == before


def test_each_shard_counts(folder: Path) -> None:
    weights_by_an_index(folder)
    listed(folder)
    before = found(folder)
    assert before.verified_by == "SHA256SUMS"
    shard = folder / "part.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\1")
    with pytest.raises(ModelError, match=r"part.safetensors is not what SHA256SUMS lists"):
        found(folder)
    listed(folder)
    assert found(folder).weights != before.weights


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_the_servers_user_may_not_read_is_told(folder: Path) -> None:
    folder.chmod(0o700)
    code = f"""
import os
from plimsoll_server.models.find import find_model
from plimsoll_server.phases import Phases
os.setuid(65534)
find_model({str(folder)!r}, Phases())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "cannot be read by user 65534; let everybody read and enter it" in told.stderr
