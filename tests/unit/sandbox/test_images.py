"""The image map, and what is said of a bad one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.images import ImageMap
from plimsoll_sandbox.node.image_store import ImageMissingError, ImageStore


def write(folder: Path, text: str) -> Path:
    path = folder / "images.yaml"
    path.write_text(text)
    return path


def test_images_are_found_by_name_and_tag(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "images: {'a': {command: [x, 1]}, 'b:2': {command: [y], args: [z], env: {K: 3}}, 'host:5000/c': {path: /c}}",
    )
    found = ImageMap.load(path)
    names = ("a", "a:latest", "b:2", "b", "host:5000/c:latest")
    commands = [image.command if image else None for image in map(found.find, names)]
    assert commands == [("x", "1"), ("x", "1"), ("y",), None, ()]
    image = found.find("b:2")
    assert image is not None
    assert (image.args, image.env) == (("z",), {"K": "3"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("images: [", "cannot be read from"),
        ("just text", "expected a map `images:`"),
        ("images: [a]", "expected a map `images:`"),
        ("images: {a: {}}", r"images\.a: expected `command: \[...\]` or `path: ...`"),
        ("images: {a: program}", r"images\.a: expected `command: \[...\]`"),
        ("images: {a: {command: [x], entrypoint: y}}", r"images\.a: unknown entrypoint; known are args, command"),
        ("images: {a: {command: x y}}", r"images\.a\.command: expected a list of words, found 'x y'"),
        ("images: {a: {command: [x], env: [K]}}", r"images\.a\.env: expected a map of names to values"),
    ],
)
def test_a_bad_map_is_refused_with_the_entry(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SandboxError, match=complaint):
        ImageMap.load(write(tmp_path, text))


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"cannot be read from .*images\.yaml"):
        ImageMap.load(tmp_path / "images.yaml")


def test_an_edited_map_is_read_again(tmp_path: Path) -> None:
    store = ImageStore(write(tmp_path, "images: {a: {command: [x]}}"))
    with pytest.raises(ImageMissingError, match='failed to pull image "b": it is not in'):
        store.program("b")
    path = write(tmp_path, "images: {a: {command: [x]}, b: {path: /models}}")
    os.utime(path, ns=(1, 1))
    assert store.folder("b") == Path("/models")
    with pytest.raises(ImageMissingError, match="only a folder to mount"):
        store.program("b")
    with pytest.raises(ImageMissingError, match="gives no path for it"):
        store.folder("a")


@pytest.mark.parametrize("text", ["images: [", "images: {a: {}}"], ids=["no YAML", "no command"])
def test_a_map_that_was_broken_meanwhile_fails_the_pull_and_not_the_agent(tmp_path: Path, text: str) -> None:
    store = ImageStore(write(tmp_path, "images: {a: {command: [x]}}"))
    assert store.program("a").command == ("x",)
    write(tmp_path, text)
    with pytest.raises(ImageMissingError, match='failed to pull image "a"'):
        store.program("a")


def test_without_a_map_every_image_is_missing() -> None:
    with pytest.raises(ImageMissingError, match="started without an image map"):
        ImageStore(None).program("a")
