"""Folders of files that change all at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plimsoll_sandbox.node.published import Content, PublishedFolder


def content(**files: str) -> dict[str, Content]:
    return {name.replace("__", "/"): Content(text.encode(), 0o640) for name, text in files.items()}


def shown(folder: Path) -> dict[str, str]:
    """What a reader sees, by relative path."""
    found: dict[str, str] = {}
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith("..")]
        found |= {str((Path(root) / name).relative_to(folder)): (Path(root) / name).read_text() for name in files}
    return found


@pytest.mark.parametrize(
    "versions",
    [
        [content(a="1")],
        [content(a="1", b="2"), content(a="3", c="4")],
        [content(a="1"), {}],
        [content(below__a="1", below__b="2"), content(below__a="3")],
    ],
    ids=["one", "changed, gone and new", "emptied", "in folders"],
)
def test_the_folder_holds_exactly_the_last_version(tmp_path: Path, versions: list[dict[str, Content]]) -> None:
    folder = PublishedFolder(tmp_path / "volume")
    for version in versions:
        folder.publish(version)
    assert shown(tmp_path / "volume") == {name: entry.data.decode() for name, entry in versions[-1].items()}


def test_an_open_folder_keeps_the_version_it_showed(tmp_path: Path) -> None:
    folder = PublishedFolder(tmp_path)
    folder.publish(content(a="old", b="old"))
    data = (tmp_path / "..data").resolve()
    folder.publish(content(a="new", b="new"))
    assert (tmp_path / "..data").resolve() != data
    assert {(tmp_path / name).read_text() for name in "ab"} == {"new"}


def test_modes_are_kept(tmp_path: Path) -> None:
    PublishedFolder(tmp_path).publish(content(a="1"))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_the_same_content_changes_nothing(tmp_path: Path) -> None:
    folder = PublishedFolder(tmp_path)
    folder.publish(content(a="1"))
    before = (tmp_path / "..data").readlink()
    folder.publish(content(a="1"))
    assert (tmp_path / "..data").readlink() == before


def test_a_second_agent_goes_on_with_the_folder_of_the_first(tmp_path: Path) -> None:
    PublishedFolder(tmp_path).publish(content(a="1", b="2"))
    PublishedFolder(tmp_path).publish(content(a="3"))
    assert shown(tmp_path) == {"a": "3"}
