"""What the command line says of bad input, before anything is built or started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plimsoll_sandbox.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path / "home"))
    (tmp_path / "broken.yaml").write_text("images: [")
    (tmp_path / "odd.yaml").write_text("images: {a: {entrypoint: x}}")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("up --name Not/A/Name", "expected at most 40 lower-case letters"),
        ("up --node cpu:many", "--node cpu:many: expected PROFILE"),
        ("up --node cpu:a", "--node cpu:a: expected PROFILE"),
        ("up --node nvidia-l5", "there is no GPU profile 'nvidia-l5'; known are"),
        ("up --images {folder}/absent.yaml", "the image map cannot be read from"),
        ("up --images {folder}/broken.yaml", "the image map cannot be read from"),
        ("up --images {folder}/odd.yaml", "images.a: expected `command: [...]`"),
        ("up --gpu-profiles {folder}/absent.yaml", "the GPU profiles cannot be read from"),
        ("kubectl --name absent get nodes", "there is no sandbox 'absent'"),
        ("url --name absent web", "expected NAMESPACE/SERVICE, such as default/web, found 'web'"),
    ],
)
def test_bad_input_ends_with_one_message(
    folder: Path, arguments: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plimsoll-sandbox", *arguments.format(folder=folder).split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert complaint in said.replace("\n", " ")
    assert "Traceback" not in said
    assert not (folder / "home").exists()


def test_taking_down_what_is_not_there_is_fine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plimsoll-sandbox", "down", "--name", "absent"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert "is down" in capsys.readouterr().out


def test_the_status_of_what_is_not_there_is_no_success(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plimsoll-sandbox", "status", "--name", "absent"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "plimsoll-sandbox up --name absent" in capsys.readouterr().out
