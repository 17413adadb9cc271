"""What every step of the demo works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.demo.commands import Commands
from plimsoll_sandbox.demo.story import Story

SANDBOX = "demo"
READY_DEADLINE_SECONDS = 180


@dataclass(frozen=True)
class Stage:
    """What every step works with."""

    story: Story
    commands: Commands
    checkout: Path
    record: Path | None = None
    """Where pictures of what is shown are kept, if they are."""

    @property
    def manifest(self) -> Path:
        return self.checkout / "examples" / "demo" / "domains.yaml"

    @property
    def chart(self) -> Path:
        return self.checkout / "charts" / "plimsoll"
