"""An older release of Plimsoll, packaged: its chart, and its operator as sources in a zip that Python imports.

It is the first one that was whole, from before an operator elected a leader. What was installed then upgrades.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("older_release")
OLDER_CHART = _FOLDER / "plimsoll-0.1.0.tgz"
OLDER_OPERATOR = _FOLDER / "plimsoll_operator-0.1.0.zip"
