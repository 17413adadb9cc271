"""Which cluster and namespace a command means: as kubectl decides it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from plimsoll_operator.cli.connection import Target, target_of
from plimsoll_operator.cli.errors import WrongInputError


def kubeconfig(path: Path, current: str = "", **namespaces: str) -> Path:
    """A kubeconfig with a context for each name, and its namespace."""
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": "u", **({"namespace": space} if space else {})}}
        for name, space in namespaces.items()
    ]
    text: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "contexts": contexts, "clusters": [], "users": []}
    path.write_text(yaml.safe_dump(text | ({"current-context": current} if current else {})))
    return path


def chosen(target: Target) -> tuple[str, str]:
    return target.access.context, target.namespace


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_namespace_is_the_options_else_the_contexts_else_default(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "config", current="a", a="guardrails", b=""))
    assert chosen(target_of("domains", "", "", path)) == ("a", "guardrails")
    assert chosen(target_of("domains", "", "b", path)) == ("b", "default")
    assert chosen(target_of("domains", "other", "", path)) == ("a", "other")


def test_of_several_kubeconfigs_the_first_that_says_a_thing_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        kubeconfig(tmp_path / "1", a="first"),
        kubeconfig(tmp_path / "2", current="a", a="second", b="second"),
        kubeconfig(tmp_path / "3", current="b"),
        tmp_path / "absent",
    ]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert chosen(target_of("domains", "", "", "")) == ("a", "first")
    assert chosen(target_of("domains", "", "b", "")) == ("b", "second")


def test_the_home_folder_is_looked_in_last(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    kubeconfig(tmp_path / "home/.kube/config", current="a", a="mine")
    assert chosen(target_of("domains", "", "", "")) == ("a", "mine")


def test_where_there_is_no_kubeconfig_it_says_what_to_set() -> None:
    with pytest.raises(WrongInputError, match="set KUBECONFIG or --kubeconfig"):
        target_of("domains", "", "", "")


WRONG = [
    pytest.param("a: [", "expected a kubeconfig", id="no YAML"),
    pytest.param("text", "found str", id="no map"),
    pytest.param("contexts: [{}]", "expected a kubeconfig", id="a context without a name"),
    pytest.param("contexts: []", "no current context is set", id="no context"),
    pytest.param("current-context: x", "expected a context 'x'; it has none", id="a context that is not there"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_kubeconfig_that_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(WrongInputError, match=words):
        target_of("domains", "", "", str(path))
