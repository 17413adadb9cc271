"""Where everything of the sandboxes lies on disk: one home, and below it one folder per sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.toolchain import plimsoll_home

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Layout:
    """The folder of one sandbox. Nothing of a sandbox lies anywhere else."""

    folder: Path

    @classmethod
    def of(cls, name: str, home: Path | None = None) -> Layout:
        if not _NAME.fullmatch(name):
            raise SandboxError(
                f"the sandbox's name is {name!r}: "
                "expected at most 40 lower-case letters, digits and dashes, such as demo"
            )
        return cls((home or plimsoll_home()).resolve() / "sandboxes" / name)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def request(self) -> Path:
        return self.folder / "request.json"

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def status(self) -> Path:
        return self.folder / "status.json"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def services(self) -> Path:
        """Where each Service listens, written by the service proxy."""
        return self.folder / "services.json"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def pods(self) -> Path:
        return self.folder / "pods"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    def log_of(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Make the folders; only the user may look inside, since keys and Secrets lie there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for folder in (self.credentials, self.data, self.logs, self.pods):
            folder.mkdir(exist_ok=True)
