"""The name under which a build is kept: a hash of everything that goes into it."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from pathlib import Path

    from plimsoll_sandbox.toolchain.recipes import Recipe


def source_files(module: Path) -> list[Path]:
    """Files of a Go module that reach its programs, in a fixed order: go.mod, go.sum and sources, but no tests."""
    if not (module / "go.mod").is_file():
        raise ToolchainError(
            f"The sources of the sandbox's programs were expected in {module}, and there is no go.mod. "
            "Run plimsoll-sandbox from a checkout of the repository (`make setup` installs it that way)."
        )
    named = [module / "go.mod", module / "go.sum"]
    sources = [path for path in sorted(module.rglob("*.go")) if not path.name.endswith("_test.go")]
    return [path for path in named if path.is_file()] + sources


def fingerprint(recipe: Recipe, go_version: str) -> str:
    """`NAME-HASH`: the same for the same sources, arguments, Go version and kind of machine, whatever their folder."""
    digest = hashlib.sha256()
    for part in (platform.system(), platform.machine(), go_version, *recipe.build_arguments, *recipe.links):
        digest.update(f"{len(part)}:{part}".encode())
    for path in source_files(recipe.module):
        name, content = str(path.relative_to(recipe.module)), path.read_bytes()
        digest.update(f"{len(name)}:{name}:{len(content)}:".encode())
        digest.update(content)
    return f"{recipe.name}-{digest.hexdigest()[:16]}"
