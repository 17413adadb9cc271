"""`plimsoll-server publish`: what is published is complete, is what the folder holds, and is what `hf://` loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub import REPOSITORY, Hub, find, served
from server_builders import random_model
from uploading_hub import COMMIT, TOKEN, UploadingHub, taking_uploads

CARD = """---
language: en
license: apache-2.0
tags: [harbours]
---

# Of the sea or of the land

## Metrics

Accuracy 93 % of 400 texts that it never saw.

## Limits

English, and little of it.
"""
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = random_model(tmp_path / "model")
    (folder / "README.md").write_text(CARD)
    return folder


def publish(
    model: Path, *options: str, url: str = NOWHERE, repository: str = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads its endpoint when it is imported. By Git LFS, which this hub speaks."""
    program = [str(Path(sys.executable).parent / "plimsoll-server"), "publish", str(model), repository, *options]
    further = {"HF_ENDPOINT": url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        program, env={**os.environ, **further}, capture_output=True, text=True, check=False, timeout=120
    )


def test_what_is_published_is_what_a_server_loads(model: Path, tmp_path: Path) -> None:
    with taking_uploads(UploadingHub()) as hub:
        done = publish(model, "--tag", "v1", "--branch", "next", "--message", "The first", "--private", url=hub.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"hf://{REPOSITORY}:{COMMIT}"
    assert TOKEN not in done.stdout + done.stderr
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert (hub.messages, hub.branches, hub.tags, hub.private) == (["The first"], ["next"], [("v1", COMMIT)], True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        assert hub.files[name] == (model / name).read_bytes()

    with served(Hub(hub.files)) as again:
        loaded = find(again, tmp_path / "cache")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)[3] == "hub"


def test_the_checksums_are_of_all_that_is_published(model: Path, tmp_path: Path) -> None:
    with taking_uploads(UploadingHub()) as hub:
        publish(model, url=hub.url)
    folder = tmp_path / "published"
    for name, content in hub.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert {line.partition(":")[0] for line in told.stdout.splitlines()} == set(hub.files) - {"SHA256SUMS"}


def test_the_card_is_completed_and_what_its_author_wrote_stays(model: Path) -> None:
    with taking_uploads(UploadingHub()) as hub:
        publish(model, url=hub.url)
    card = hub.files["README.md"].decode()
    head, text = card.removeprefix("---\n").split("\n---\n", 1)
    for line in (
        "language: en",
        "license: apache-2.0",
        "pipeline_tag: text-classification",
        "- harbours",
        "- modernbert",
    ):
        assert line in head
    assert "Accuracy 93 % of 400 texts that it never saw." in text
    assert f"uri: hf://{REPOSITORY}:COMMIT" in text
    assert "sea, land, sky" in text


def test_a_dry_run_says_all_of_it_without_a_network(model: Path) -> None:
    done = publish(model, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing was published" in done.stdout
    assert "model.safetensors" in done.stdout
    assert "## Usage" in done.stdout


def test_what_no_server_reads_is_left_where_it_is(model: Path) -> None:
    (model / "checkpoints").mkdir()
    (model / "checkpoints" / "optimiser.pt").write_bytes(b"x")
    (model / "notes.txt").write_text("mine")
    with taking_uploads(UploadingHub()) as hub:
        done = publish(model, url=hub.url)
    assert "Not published, for no server reads it: checkpoints/optimiser.pt, notes.txt" in done.stderr
    assert not {"notes.txt", "checkpoints/optimiser.pt"} & set(hub.files)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        pytest.param("", ["has no README.md; write one"], id="none"),
        pytest.param("# Mine\n", ["## Metrics", "## Limits", "a license", "a language"], id="bare"),
        pytest.param(CARD.replace("license: apache-2.0\n", ""), ["a license", "--license"], id="no license"),
        pytest.param(CARD.replace("language: en", "language: [en"), ["metadata at the head"], id="broken metadata"),
    ],
)
def test_a_card_that_says_too_little_is_refused_before_anything_is_sent(
    model: Path, card: str, expected: list[str]
) -> None:
    (model / "README.md").write_text(card) if card else (model / "README.md").unlink()
    with taking_uploads(UploadingHub()) as hub:
        done = publish(model, url=hub.url)
    assert done.returncode == 1
    assert all(part in done.stderr for part in expected), done.stderr
    assert not hub.tokens


def test_license_and_language_may_be_given_beside_the_card(model: Path) -> None:
    """The card of a training knows neither."""
    (model / "README.md").write_text(CARD.replace("license: apache-2.0\n", "").replace("language: en\n", ""))
    done = publish(model, "--dry-run", "--license", "mit", "--language", "de")
    assert "license: mit" in done.stdout
    assert "language: de" in done.stdout


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("create", 401, "the token is not valid; give one by HF_TOKEN"),
        ("create", 403, "the token may not write there"),
        ("preupload", 404, "there is no such namespace"),
        ("commit", 409, "somebody else changed it meanwhile"),
    ],
)
def test_what_the_hub_refuses_is_told_with_what_to_do(model: Path, kind: str, status: int, expected: str) -> None:
    with taking_uploads(UploadingHub(refuses={kind: status})) as hub:
        done = publish(model, url=hub.url)
    assert done.returncode == 1
    assert f"with status {status}: {expected}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not hub.files


@pytest.mark.parametrize("repository", ["mine", "a/b/c", "../up/there", "org/"])
def test_a_repository_that_is_none_is_refused(model: Path, repository: str) -> None:
    done = publish(model, "--dry-run", repository=repository)
    assert done.returncode == 1
    assert "expected ORG/REPO such as my-org/domains" in done.stderr


def test_pickled_weights_are_never_published(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    done = publish(model, "--dry-run")
    assert done.returncode == 1
    assert "safetensors" in done.stderr
