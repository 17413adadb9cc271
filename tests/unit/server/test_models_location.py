"""Where models come from: folders, and pinned revisions of a hub that this test serves itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import REVISION, Hub, find, served
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.location import locate

AWAY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param("hf://org/repo:main", "a branch name may move", id="a branch"),
        pytest.param("hf://org/repo", "revision of 40 hexadecimal digits", id="no revision"),
        pytest.param("hf://../etc:" + REVISION, "is not hf://", id="a path in the place of a name"),
        pytest.param("models/mine", "nor an absolute path", id="a relative path"),
        pytest.param("/nowhere/mine", "is the volume mounted", id="no volume"),
        pytest.param("pvc://claim/mine", "is told the folder where it is mounted", id="a claim without the operator"),
        pytest.param("oci://image@sha256:" + "0" * 64, "told the folder where it is mounted", id="an image likewise"),
        pytest.param("/" + "x" * 300, r"cannot be read \(File name too long\), check the path", id="a path too long"),
        pytest.param(__file__, "is a file; the model location is the folder", id="a file"),
    ],
)
def test_a_location_that_leads_nowhere_is_refused(location: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        locate(location)


def test_a_missing_folder_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "domains").mkdir()
    with pytest.raises(ModelError, match="holds domains"):
        locate(str(tmp_path / "domain"))


def test_an_empty_volume_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is empty: has the model been copied into the volume"):
        locate(str(tmp_path))


@pytest.fixture
def hub(topic_folder: Path) -> Iterator[Hub]:
    """With a real model, and what no server needs."""
    files = {file.name: file.read_bytes() for file in topic_folder.iterdir()}
    files |= {name: f"content of {name}".encode() for name in ("pytorch_model.bin", "modeling.py", "README.md")}
    with served(Hub(files)) as made:
        yield made


def test_a_pinned_revision_is_fetched_once_verified_and_only_what_is_needed(hub: Hub, tmp_path: Path) -> None:
    hub.files["1_Pooling/config.json"] = b'{"pooling_mode": "cls"}'
    first = find(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    folder, revision, weights, verified_by = json.loads(first.stdout)
    assert (revision, verified_by, bool(weights)) == (REVISION, "hub", True)
    assert set(hub.fetched) == {"config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"}
    assert (Path(folder) / "1_Pooling/config.json").is_file()
    hub.fetched.clear()
    assert find(hub, tmp_path).stdout == first.stdout
    assert hub.fetched == []


def test_a_revision_in_shards_is_verified_by_the_links_of_the_cache(hub: Hub, tmp_path: Path) -> None:
    hub.files["model-00001-of-00001.safetensors"] = hub.files.pop("model.safetensors")
    index = {"metadata": {}, "weight_map": {"classifier.bias": "model-00001-of-00001.safetensors"}}
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    found = find(hub, tmp_path)
    assert found.returncode == 0, found.stderr
    folder, _, _, verified_by = json.loads(found.stdout)
    assert verified_by == "hub"
    assert (Path(folder) / "model-00001-of-00001.safetensors").is_symlink()


def test_a_fetched_revision_is_served_while_the_hub_is_away(hub: Hub, tmp_path: Path) -> None:
    assert find(hub, tmp_path).returncode == 0
    assert find(Hub({}, url=AWAY), tmp_path).returncode == 0


def test_a_file_that_is_damaged_in_the_cache_is_fetched_once_more(hub: Hub, tmp_path: Path) -> None:
    folder, *_ = json.loads(find(hub, tmp_path).stdout)
    weights = (Path(folder) / "model.safetensors").resolve()
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    hub.fetched.clear()
    assert find(hub, tmp_path).returncode == 0
    assert hub.fetched == ["model.safetensors"]
    assert (Path(folder) / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_a_file_that_arrives_damaged_again_is_refused(hub: Hub, tmp_path: Path) -> None:
    damaged = bytearray(hub.files["model.safetensors"])
    damaged[-1] ^= 1
    hub.sent["model.safetensors"] = bytes(damaged)
    refused = find(hub, tmp_path)
    assert refused.returncode == 1
    assert "is not what the hub has" in refused.stderr
    assert hub.fetched.count("model.safetensors") == 2


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        pytest.param(404, "RepoNotFound", "it does not exist, or it is private", id="unknown or private"),
        pytest.param(401, "RepoNotFound", "needs spec.server.hubTokenSecret", id="private"),
        pytest.param(403, "GatedRepo", "Accept its conditions", id="gated"),
        pytest.param(404, "RevisionNotFound", "has no commit " + REVISION, id="no such commit"),
        pytest.param(403, "", "the token may not read it", id="a token that may not"),
        # The client is patient with these two, and tries again for half a minute.
        pytest.param(429, "", "limits requests from here", id="too many requests", marks=pytest.mark.thorough),
        pytest.param(503, "", "the hub failed with status 503", id="the hub fails", marks=pytest.mark.thorough),
    ],
)
def test_what_the_hub_refuses_is_told(hub: Hub, tmp_path: Path, status: int, code: str, message: str) -> None:
    hub.status, hub.code = status, code
    refused = find(hub, tmp_path)
    assert refused.returncode == 1
    assert message in refused.stderr


def test_a_hub_out_of_reach_is_told(tmp_path: Path) -> None:
    refused = find(Hub({}, url=AWAY), tmp_path, HF_HUB_OFFLINE="1")
    assert "could not be fetched and is not in the cache" in refused.stderr


def test_a_cache_that_cannot_be_written_is_told(hub: Hub) -> None:
    refused = find(hub, Path("/proc"))
    assert refused.returncode == 1
    assert "mount it writable" in refused.stderr


def test_a_repository_without_what_a_server_needs_is_told(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    assert "found no weights at all" in find(hub, tmp_path).stderr
