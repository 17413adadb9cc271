"""Which local program stands for which image: the two that the chart installs, run from this virtual environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from plimsoll_sandbox.demo.commands import installed

VERSION = "0.1.0"
"""The chart's appVersion: the tag of both images."""


def write_image_map(path: Path) -> Path:
    """Write the map for `plimsoll-sandbox up --images`. The entries do what the Dockerfiles' images do."""
    images = {
        f"plimsoll/operator:{VERSION}": _image("plimsoll-operator", "run"),
        f"plimsoll/server:{VERSION}": _image("plimsoll-server", "serve"),
    }
    path.write_text(yaml.safe_dump({"images": images}))
    return path


def _image(program: str, argument: str) -> dict[str, Any]:
    # Pods share this machine's network, so each listens on its own address only.
    return {"command": [str(installed(program))], "args": [argument], "env": {"PLIMSOLL_BIND_ADDRESS": "$(POD_IP)"}}
