"""Whether this operator and what is installed fit: the version of Kubernetes, and the fields that the CRD declares.

Both are read from what every service account may read (`system:discovery`): no right on CRDs is needed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from importlib import resources
from typing import Any

from plimsoll_operator import names
from plimsoll_operator.cluster.errors import ForbiddenError, KubeError, NotFoundError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import Manifest
from plimsoll_operator.supervision import either

logger = logging.getLogger(__name__)

MINIMUM = (1, 30)
"""The first Kubernetes in which the server's pods may sleep before they stop, and whose CRDs ratchet their rules."""

SCHEMA_PATH = f"/openapi/v3/apis/{names.API_VERSION}"

FIELDS_FILE = "fields.txt"
"""The fields of the CRD that this operator was released with, one per line; written by crds/render_reference.py."""

SLOW = timedelta(minutes=5)
"""Between two looks at a CRD that has all fields."""
SOON = timedelta(seconds=5)
"""Between two looks at one that lacks some, or that could not be read."""

_NUMBER = re.compile(r"\d+")


def too_old(version: Manifest) -> str:
    """What to say of an apiserver that answers `version` at /version; nothing when it is new enough or does not tell.

    Some providers write the minor version as `30+`.
    """
    major, minor = (_NUMBER.match(str(version.get(part, ""))) for part in ("major", "minor"))
    if major is None or minor is None or (int(major[0]), int(minor[0])) >= MINIMUM:
        return ""
    oldest = ".".join(map(str, MINIMUM))
    found = version.get("gitVersion") or f"{major[0]}.{minor[0]}"
    return f"expected Kubernetes {oldest} or later, found {found}: upgrade the cluster, or run an older Plimsoll"


class KubernetesTooOldError(Exception):
    """The message says what was expected and found."""


async def require_kubernetes(kube: Kube, answered: Callable[[], None], stop: asyncio.Event) -> None:
    """Wait until the apiserver tells its version, or `stop` is set. Raises KubernetesTooOldError."""
    while not stop.is_set():
        try:
            complaint = too_old(await kube.read("/version"))
        except KubeError as error:
            logger.warning("cannot ask the apiserver for its version: %s", error, extra={"reason": error.reason})
            await _pause(SOON, stop)
        else:
            answered()
            if complaint:
                raise KubernetesTooOldError(complaint)
            return


def field_paths(schema: Manifest) -> Iterator[str]:
    """Every field below `spec` and `status`, parents first; list items written `tiers[]`, map values `limits{}`."""
    for part in ("spec", "status"):
        yield from _paths(schema.get("properties", {}).get(part, {}), part)


def _paths(schema: Manifest, path: str) -> Iterator[str]:
    yield path
    for name, child in schema.get("properties", {}).items():
        yield from _paths(child, f"{path}.{name}")
    if isinstance(items := schema.get("items"), dict):
        yield from _paths(items, f"{path}[]")
    if isinstance(values := schema.get("additionalProperties"), dict):
        yield from _paths(values, f"{path}{{}}")


def needed_fields() -> tuple[str, ...]:
    return tuple(resources.files(__package__).joinpath(FIELDS_FILE).read_text(encoding="utf-8").splitlines())


def missing_fields(needed: Iterable[str], declared: Iterable[str]) -> tuple[str, ...]:
    """The needed fields that are not declared, without those below another one that is missing."""
    known = set(declared)
    absent: list[str] = []
    for path in needed:
        if path not in known and not any(path.startswith((f"{top}.", f"{top}[", f"{top}{{")) for top in absent):
            absent.append(path)
    return tuple(absent)


def declared_fields(document: Manifest) -> tuple[str, ...]:
    """The fields of InferenceDeployment in the OpenAPI v3 document of its group; none where the kind is absent."""
    for schema in document.get("components", {}).get("schemas", {}).values():
        kinds: list[dict[str, Any]] = schema.get("x-kubernetes-group-version-kind", [])
        if any(kind["kind"] == names.KIND for kind in kinds):
            return tuple(field_paths(schema))
    return ()


class InstalledCrd:
    """What the installed CRD lacks of what this operator reads and writes, as last read.

    `known` is set by the first answer; until then nothing may be reconciled, since what an older CRD does not declare
    is dropped from the objects that are read.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._needed = needed_fields()
        self._changed = asyncio.Event()
        self.known = asyncio.Event()
        self.missing: tuple[str, ...] = ()
        """Paths such as `spec.server.tlsSecret`, topmost ones only; empty when the CRD has all."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set: soon again while something is wrong, slowly otherwise."""
        while not stop.is_set():
            await self.look()
            self._changed.clear()
            pause = SLOW if self.known.is_set() and not self.missing else SOON
            # A reconcile that finds fields missing makes the next look a soon one.
            await _pause(pause, stop, self._changed)

    async def look(self) -> None:
        """Read the schema once. What cannot be read leaves the last answer as it was."""
        try:
            await self.confirm()
        except NotFoundError:
            # No CRD, no objects. The resync says so.
            return
        except KubeError as error:
            logger.warning("cannot read the schema of the installed CRD: %s", error, extra={"reason": error.reason})

    async def confirm(self) -> None:
        """Know what the CRD declares at this moment, or raise the KubeError that stands in the way.

        The document of one group changes with what the apiserver serves, within milliseconds; the index at /openapi/v3
        with its hashes would be smaller, and is a second late.
        """
        try:
            declared = declared_fields(await self._kube.read(SCHEMA_PATH))
        except ForbiddenError as error:
            self._take_on_trust(error)
            return
        if not declared:
            raise NotFoundError(f"GET {SCHEMA_PATH}: expected the schema of {names.KIND}, found none")
        self._learn(missing_fields(self._needed, declared))

    def _learn(self, missing: tuple[str, ...]) -> None:
        news = missing != self.missing
        self.missing = missing
        self.known.set()
        if news:
            self._changed.set()
        if news and missing:
            logger.error(
                "the installed CRD is older than this operator: it lacks %s. Upgrade the CRD; it comes with the chart. "
                "Nothing that runs is touched until then",
                ", ".join(missing),
                extra={"reason": "CRDOutdated"},
            )
        elif news:
            logger.info("the installed CRD has every field that this operator needs")

    def _take_on_trust(self, error: ForbiddenError) -> None:
        """A cluster that closes discovery is served as if its CRD were right; a write that does not fit says so."""
        if not self.known.is_set():
            logger.warning(
                "the schema of the installed CRD may not be read, so an old one is noticed only when a write fails; "
                "grant the role system:discovery: %s",
                error,
                extra={"reason": error.reason},
            )
        self.known.set()


async def _pause(pause: timedelta, *ends: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(pause.total_seconds()):
            await either(*ends)
