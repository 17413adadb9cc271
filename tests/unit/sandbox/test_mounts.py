"""Mount paths in texts, and nothing but mount paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll_sandbox.node.mounts import Mounts

MOUNTS = Mounts(
    {
        "/models": Path("/pod/volumes/models"),
        "/models/cache": Path("/pod/volumes/cache"),
        "/tmp": Path("/pod/volumes/tmp"),
        "/etc/app/config.yaml": Path("/pod/volumes/config/config.yaml"),
        "/trailing/": Path("/pod/volumes/trailing"),
    }
)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/models", "/pod/volumes/models"),
        ("/models/", "/pod/volumes/models/"),
        ("/models/domains/config.json", "/pod/volumes/models/domains/config.json"),
        ("--model=/models/domains", "--model=/pod/volumes/models/domains"),
        ("/models/cache/x", "/pod/volumes/cache/x"),
        ("/models:/models/cache", "/pod/volumes/models:/pod/volumes/cache"),
        ('{"location": "/models/domains"}', '{"location": "/pod/volumes/models/domains"}'),
        ("['/models','/tmp']", "['/pod/volumes/models','/pod/volumes/tmp']"),
        ("file:///models/x", "file:///pod/volumes/models/x"),
        ("cat /etc/app/config.yaml > /tmp/out", "cat /pod/volumes/config/config.yaml > /pod/volumes/tmp/out"),
        ("/trailing/x", "/pod/volumes/trailing/x"),
        ("/models2", "/models2"),
        ("/models.bak", "/models.bak"),
        ("/models-old", "/models-old"),
        ("/data/models", "/data/models"),
        ("./models", "./models"),
        ("http://host/models", "http://host/models"),
        ("/etc/app/config.yaml.bak", "/etc/app/config.yaml.bak"),
        ("nothing of it", "nothing of it"),
        ("", ""),
    ],
)
def test_whole_mount_paths_are_rewritten(text: str, rewritten: str) -> None:
    assert MOUNTS.rewrite(text) == rewritten


def test_what_was_rewritten_is_not_rewritten_again() -> None:
    mounts = Mounts({"/a": Path("/b/a"), "/b": Path("/c")})
    assert mounts.rewrite("/a /b") == "/b/a /c"


def test_without_mounts_nothing_is_touched() -> None:
    assert Mounts({}).rewrite("/models /tmp") == "/models /tmp"
