"""The families that can be served: one entry each."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Family
from plimsoll_server.models.modernbert import MODERNBERT
from plimsoll_server.models.scaled import SCALED

FAMILIES: Mapping[str, Family] = {
    "modernbert": MODERNBERT,
    "scaled": SCALED,
}


def family_named(name: str) -> Family:
    try:
        return FAMILIES[name]
    except KeyError:
        raise ModelError(f"no model family {name!r}; this server has {', '.join(sorted(FAMILIES))}") from None
