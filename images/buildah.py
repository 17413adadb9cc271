"""buildah with a storage of its own: no daemon, no user namespaces, nothing of it outside one folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.toolchain import plimsoll_home

BUILD_SECONDS = 3 * 3600
"""For a whole image: the server's brings gigabytes of CUDA's libraries."""


class ImageError(Exception):
    """An image cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Buildah:
    """Images and containers under `home`. chroot isolation and vfs work in every container and virtual machine."""

    program: str
    home: Path

    @classmethod
    def found(cls) -> Buildah:
        """This machine's. Raises ImageError where there is none."""
        program = shutil.which("buildah")
        if program is None:
            raise ImageError("buildah is not installed: apt-get install buildah, or its like")
        return cls(program, plimsoll_home() / "images")

    def run(self, *arguments: str, seconds: float = 600) -> str:
        """What it prints. Raises ImageError with what it complains of."""
        storage = ("--root", str(self.home / "storage"), "--runroot", str(self.home / "run"), "--storage-driver", "vfs")
        done = subprocess.run(  # noqa: S603  our own arguments
            [self.program, *storage, *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode != 0:
            # What a step of a build prints is on the one, what buildah says of it on the other.
            complaint = "\n".join(text.strip()[-2000:] for text in (done.stdout, done.stderr) if text.strip())
            raise ImageError(f"buildah {' '.join(arguments)} ended with {done.returncode}:\n{complaint}")
        return done.stdout.strip()

    def identity(self, image: str) -> str:
        """Of the image that has this name now; empty where there is none."""
        return self.run("images", "--quiet", "--no-trunc", "--filter", f"reference={image}")

    def build(self, dockerfile: Path, image: str, arguments: Mapping[str, str], options: tuple[str, ...]) -> None:
        """Build from the repository's root. Intermediate layers are not kept: with vfs each is a whole copy."""
        given = [text for name, value in arguments.items() for text in ("--build-arg", f"{name}={value}")]
        where = ("--file", str(dockerfile), "--tag", image, str(dockerfile.parent))
        fixed = ("--isolation", "chroot", "--pull=ifmissing", "--layers=false", "--format", "oci")
        before = self.identity(image)
        self.run("build", *fixed, *given, *options, *where, seconds=BUILD_SECONDS)
        if before and before != self.identity(image):
            self.run("rmi", before)

    def push(self, image: str, target: str, digest_file: Path) -> str:
        """Write the image to `target`. Returns the digest that a registry will know it by."""
        self.run("push", "--digestfile", str(digest_file), image, target, seconds=3600)
        return digest_file.read_text().strip()

    @contextmanager
    def container(self, image: str) -> Iterator[Path]:
        """The root of a container made from the image, to look at or to run; gone afterwards."""
        name = self.run("from", "--pull-never", image)
        try:
            yield Path(self.run("mount", name))
        finally:
            self.run("rm", name)
