"""A build is kept under the hash of what goes into it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll_sandbox.toolchain import ToolchainError
from plimsoll_sandbox.toolchain.fingerprint import fingerprint
from plimsoll_sandbox.toolchain.recipes import KSTATUS_READER, KWOK_SIMULATOR, RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

GO = "go1.26.6"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    module = tmp_path / "module"
    (module / "inner").mkdir(parents=True)
    (module / "go.mod").write_text("module example.test/tool\n")
    (module / "go.sum").write_text("")
    (module / "main.go").write_text("package main\n")
    (module / "inner" / "inner.go").write_text("package inner\n")
    return Recipe(
        name="tool",
        purpose="it is tested",
        module=module,
        package=".",
        version_command=("--version",),
        version="1.2.3",
        expected_seconds=1,
        expected_packages=1,
        needs_mib=1,
        deadline_seconds=60,
    )


def written(name: str, text: str) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        (recipe.module / name).write_text(text)
        return recipe

    return change


def moved(recipe: Recipe) -> Recipe:
    elsewhere = recipe.module.with_name("elsewhere")
    shutil.copytree(recipe.module, elsewhere)
    return replace(recipe, module=elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(written("go.mod", "module example.test/tool\n\ngo 1.26\n"), id="go.mod"),
        pytest.param(written("go.sum", "a"), id="go.sum"),
        pytest.param(written("main.go", "package main // changed\n"), id="a-source"),
        pytest.param(written("inner/inner.go", "package inner // changed\n"), id="a-source-further-down"),
        pytest.param(written("new.go", "package main\n"), id="a-new-source"),
        pytest.param(lambda recipe: replace(recipe, tags=("small",)), id="build-tags"),
        pytest.param(lambda recipe: replace(recipe, variables=(("main.version", "2"),)), id="linker-variables"),
        pytest.param(lambda recipe: replace(recipe, package="./inner"), id="package"),
        pytest.param(lambda recipe: replace(recipe, links=("alias",)), id="links"),
    ],
)
def test_a_changed_input_makes_another_build(recipe: Recipe, change: Callable[[Recipe], Recipe]) -> None:
    before = fingerprint(recipe, GO)
    assert fingerprint(change(recipe), GO) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(moved, id="another-folder"),
        pytest.param(written("main_test.go", "package main\n"), id="a-test"),
        pytest.param(written("README.md", "words"), id="a-text"),
        pytest.param(lambda recipe: replace(recipe, purpose="other words", expected_seconds=9), id="words-about-it"),
    ],
)
def test_what_does_not_reach_the_program_makes_no_other_build(
    recipe: Recipe, change: Callable[[Recipe], Recipe]
) -> None:
    before = fingerprint(recipe, GO)
    assert fingerprint(change(recipe), GO) == before


def test_another_go_makes_another_build(recipe: Recipe) -> None:
    assert fingerprint(recipe, "go1.27.0") != fingerprint(recipe, GO)


def test_text_that_moves_from_one_file_to_the_next_is_a_change(recipe: Recipe) -> None:
    (recipe.module / "a.go").write_text("package main\n//x\n")
    (recipe.module / "b.go").write_text("package main\n")
    before = fingerprint(recipe, GO)
    (recipe.module / "a.go").write_text("package main\n")
    (recipe.module / "b.go").write_text("package main\n//x\n")
    assert fingerprint(recipe, GO) != before


def test_without_the_sources_the_error_says_where_they_are_expected(recipe: Recipe) -> None:
    nowhere = replace(recipe, module=Path("/nonexistent/controlplane"))
    with pytest.raises(ToolchainError, match=r"expected in /nonexistent/controlplane.*from a checkout"):
        fingerprint(nowhere, GO)


@pytest.mark.parametrize("recipe", [*RECIPES, KSTATUS_READER, KWOK_SIMULATOR], ids=lambda recipe: recipe.name)
def test_every_tool_has_its_module_in_this_checkout_with_its_version_pinned(recipe: Recipe) -> None:
    pinned = (recipe.module / "go.mod").read_text()
    # Prometheus numbers its Go module 0.MAJOR-and-MINOR.PATCH.
    modules = {
        "plimsoll-controlplane": f"k8s.io/kubernetes {recipe.version}",
        "prometheus": "github.com/prometheus/prometheus v0.315.0",
        "promtool": "github.com/prometheus/prometheus v0.315.0",
        "helm": f"helm.sh/helm/v4 {recipe.version}",
        "kubeconform": f"github.com/yannh/kubeconform {recipe.version}",
        "kube-score": f"github.com/zegl/kube-score {recipe.version}",
        "kstatus": f"sigs.k8s.io/cli-utils {recipe.version}",
        "kwok": f"sigs.k8s.io/kwok {recipe.version}",
    }
    assert modules[recipe.name] in pinned
