"""Why the server cannot start, as a plain sentence in the container's termination message file.

Without it the kubelet would take the end of the log, which is a line of JSON cut somewhere.
"""

from __future__ import annotations

import logging
import textwrap
from pathlib import Path

log = logging.getLogger(__name__)

MOST_CHARACTERS = 300
"""As many as the operator quotes: of a longer sentence it would quote the end, and the beginning says what is wrong."""


def leave(path: str, sentence: str) -> None:
    """`path` is empty, or a file that is there: a container whose runtime made none has its log."""
    if not path:
        return
    try:
        with Path(path).open("r+", encoding="utf-8") as file:
            file.truncate()
            file.write(textwrap.shorten(sentence, MOST_CHARACTERS, placeholder=" …"))
    except OSError as error:
        log.info("the last words stand in the log alone: %s", error)
