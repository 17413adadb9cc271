"""From a location to a folder whose files are there, whole, and the ones that were published."""

from __future__ import annotations

import logging

from plimsoll_server.models.checksums import DamagedFileError, verify
from plimsoll_server.models.folder import inspect_folder
from plimsoll_server.models.location import Located, locate
from plimsoll_server.phases import Phases

log = logging.getLogger(__name__)


def find_model(location: str, phases: Phases) -> Located:
    """Raises ModelError. What is damaged in the hub's cache is fetched once more."""
    located = _fetched(location, phases)
    try:
        return _verified(located, phases)
    except DamagedFileError as damage:
        if located.revision is None:
            raise
        log.warning("%s; it is fetched once more", damage)
        damage.file.resolve().unlink(missing_ok=True)
        damage.file.unlink(missing_ok=True)
        return _verified(_fetched(location, phases), phases)


def _fetched(location: str, phases: Phases) -> Located:
    with phases.timed("fetch"):
        located = locate(location)
    inspect_folder(located.folder)
    return located


def _verified(located: Located, phases: Phases) -> Located:
    with phases.timed("verify"):
        return verify(located)
