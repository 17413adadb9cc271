"""This machine's own way to a package index, handed to a build without a trace in the image."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PASSED_ON = ("cert", "extra-index-url", "index-url", "proxy", "timeout", "default-timeout", "trusted-host")
AUTHORITY = "/run/plimsoll-build/authority.crt"
"""Where a build sees the certificate authority that this machine trusts for its index."""


def build_options(folder: Path) -> tuple[str, ...]:
    """Options of a build. The settings are a secret that a single RUN sees; `folder` is private and short-lived."""
    settings = _settings()
    options: tuple[str, ...] = ()
    authority = settings.get("cert")
    if authority:
        settings["cert"] = AUTHORITY
        options = ("--volume", f"{authority}:{AUTHORITY}:ro")
    path = folder / "pip.conf"
    path.write_text(_written(settings))
    return (*options, "--secret", f"id=pip,src={path}")


def _settings() -> dict[str, str]:
    """What pip would use here, from its files and its environment; the latter wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    found = re.findall(r"^(:env:|[\w-]+)\.([\w-]+)='(.*)'$", listed, re.MULTILINE)
    in_order = sorted(found, key=lambda entry: entry[0] == ":env:")
    return {name: value for _, name, value in in_order if name in PASSED_ON}


def _written(settings: Mapping[str, str]) -> str:
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items())]) + "\n"
