"""A container of an image, as a runtime would start it: its root read-only, its user, variables and program its own."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.buildah import Buildah

GIVEN = "run/given"
"""Where a container finds the one folder that it is given."""
_SCRIPT = """
set -e
mount --bind "$ROOT" "$ROOT"
mount --bind "$FOLDER" "$ROOT/run/given"
mount --bind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -o remount,bind,ro "$ROOT"
exec chroot --userspec="$OWNER" "$ROOT" env -i "$@"
"""


@dataclass(frozen=True)
class Container:
    """An image unpacked at `root`, with the configuration it carries."""

    root: Path
    config: Mapping[str, Any]
    folder: Path

    @property
    def user(self) -> str:
        return str(self.config["User"])

    @property
    def entrypoint(self) -> list[str]:
        return list(self.config["Entrypoint"])

    @property
    def default_command(self) -> list[str]:
        return [*self.entrypoint, *self.config["Cmd"]]

    def starting(self, program: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        """The command that starts a program of it; the caller is to be root, the program is the image's user."""
        where = {"ROOT": self.root, "FOLDER": self.folder, "OWNER": self.user}
        script = "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in where.items()) + _SCRIPT
        # Runtimes set HOME to / for a user that the image does not know.
        environment = ["HOME=/", *self.config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*alone, "sh", "-c", script, "sh", *environment, *program]

    def run(self, *program: str) -> str:
        """What a program of it prints. Raises CalledProcessError."""
        command = self.starting(program, {})
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@contextmanager
def container_of(buildah: Buildah, image: str, folder: Path) -> Iterator[Container]:
    config = json.loads(buildah.run("inspect", "--type", "image", image))["OCIv1"]["config"]
    with buildah.container(image) as root:
        (root / GIVEN).mkdir(parents=True)
        yield Container(root, config, folder)
