"""A base image with Python from Debian's packages, for machines that reach no image registry."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from images.buildah import Buildah, ImageError

SUITE = "bookworm"
"""The Debian whose Python is the one that the locks were made for."""
PACKAGES = ("ca-certificates", "python3", "python3-venv")
NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")
DEBOOTSTRAP_SECONDS = 1800


def base_name() -> str:
    """Another content has another name, so an image that is there is the right one."""
    content = hashlib.sha256(repr((SUITE, PACKAGES, NOT_NEEDED)).encode()).hexdigest()[:12]
    return f"localhost/plimsoll/base:{SUITE}-{content}"


def missing_for_base() -> str:
    """What keeps this machine from making a base image; empty when nothing does."""
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed (apt-get install debootstrap)"
    return "" if os.geteuid() == 0 else "debootstrap needs root"


def ensure_base(buildah: Buildah) -> str:
    """Name of the base image, made now where it is missing (a minute or two, once). Raises ImageError."""
    name = base_name()
    if not buildah.identity(name):
        if complaint := missing_for_base():
            raise ImageError(f"{complaint}: install it, or give an image with Python 3.11 by PYTHON_IMAGE=…")
        buildah.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=buildah.home) as folder:
            _import(buildah, _bootstrapped(Path(folder)), name)
    return name


def _bootstrapped(folder: Path) -> Path:
    root = folder / "root"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)]
    done = subprocess.run(  # noqa: S603  our own arguments
        command, capture_output=True, text=True, timeout=DEBOOTSTRAP_SECONDS, check=False
    )
    if done.returncode != 0:
        raise ImageError(f"debootstrap ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
    for path in NOT_NEEDED:
        shutil.rmtree(root / path)
        (root / path).mkdir()
    # Where the public image has it.
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return root


def _import(buildah: Buildah, root: Path, name: str) -> None:
    container = buildah.run("from", "scratch")
    try:
        buildah.run("add", container, str(root), "/")
        buildah.run("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", "--label", f"debian={SUITE}", container)
        buildah.run("commit", "--rm", container, name)
    except ImageError:
        buildah.run("rm", container)
        raise
