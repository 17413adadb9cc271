"""Which Go builds: the machine's own when it is new enough, else the pinned one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll_sandbox.toolchain.go import PINNED, Go, build_environment, find_go
from plimsoll_sandbox.toolchain.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def install_go_that_says(answer: str, folder: Path) -> Path:
    program = folder / "go"
    program.write_text(f'#!/bin/sh\n[ "$*" = "env GOVERSION" ] && [ "$GOTOOLCHAIN" = local ] && echo "{answer}"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("answer", ["go1.26.0", "go1.26.8", "go1.27rc1", "go1.30", "go2.0"])
def test_a_go_on_path_that_is_new_enough_is_used(tmp_path: Path, answer: str) -> None:
    program = install_go_that_says(answer, tmp_path)
    assert find_go({"PATH": str(tmp_path)}, Store(tmp_path / "tools")) == Go(answer, program)


@pytest.mark.parametrize("answer", ["go1.25.9", "go1.3", "devel go1.99-abcdef", "", "what?"])
def test_any_other_go_on_path_is_passed_over(tmp_path: Path, answer: str) -> None:
    install_go_that_says(answer, tmp_path)
    assert find_go({"PATH": str(tmp_path)}, Store(tmp_path / "tools")) == Go(f"go{PINNED}", None)


def test_without_go_on_path_an_installed_pinned_one_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.adding(f"go-{PINNED}"):
        pass
    assert find_go({}, store) == Go(f"go{PINNED}", tmp_path / f"go-{PINNED}" / "go" / "bin" / "go")


def test_builds_keep_the_users_network_settings_and_leave_his_caches_alone(tmp_path: Path) -> None:
    user = {
        "HTTPS_PROXY": "http://proxy.test:3128",
        "GOPROXY": "http://mirror.test",
        "GOMODCACHE": "/home/u/go/pkg/mod",
        "GOCACHE": "/home/u/.cache/go-build",
        "GOFLAGS": "-mod=vendor",
        "GOOS": "windows",
        "GOROOT": "/opt/old-go",
    }
    built_in = build_environment(user, tmp_path)
    assert built_in["HTTPS_PROXY"] == user["HTTPS_PROXY"]
    assert built_in["GOPROXY"] == user["GOPROXY"]
    for name in ("GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR"):
        assert built_in[name].startswith(str(tmp_path))
    assert built_in["GOFLAGS"] == "-modcacherw"
    assert "GOOS" not in built_in
    assert "GOROOT" not in built_in
