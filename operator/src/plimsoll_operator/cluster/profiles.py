"""The GPU profile table, read from the ConfigMap that the chart writes.

A missing or broken table is an answer, not an exception: every object says in its status what to do about it.
It is read at each reconcile, and every object is reconciled each resync period, so a new table needs no watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from plimsoll_operator.cluster.errors import ForbiddenError, NotFoundError
from plimsoll_operator.cluster.kinds import CONFIG_MAP
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.gpu_profiles import GpuProfile, InvalidGpuProfileError, parse_gpu_profiles
from plimsoll_operator.observed import Manifest

PROFILES_KEY = "profiles.yaml"


@dataclass(frozen=True)
class ProfileTable:
    """The profiles by name, or why there are none."""

    profiles: Mapping[str, GpuProfile] = field(default_factory=dict)
    error: str = ""


async def read_profiles(kube: Kube, namespace: str, name: str) -> ProfileTable:
    where = f"ConfigMap {namespace}/{name}"
    try:
        config_map = await kube.get(CONFIG_MAP, namespace, name)
    except NotFoundError:
        return ProfileTable(error=f"{where} not found: it comes with the chart (gpuProfiles); install or upgrade it")
    except ForbiddenError as error:
        return ProfileTable(error=f"{where}: the operator may not read it; grant `get` on it ({error})")
    return parse_table(config_map, where)


def parse_table(config_map: Manifest, where: str) -> ProfileTable:
    text = config_map.get("data", {}).get(PROFILES_KEY)
    if text is None:
        return ProfileTable(error=f"{where}: expected the key {PROFILES_KEY}; upgrade the chart to have it written")
    return _parse_text(text, where)


@lru_cache(maxsize=1)
def _parse_text(text: str, where: str) -> ProfileTable:
    # Every reconcile reads the same text, and YAML is slow to parse.
    try:
        table: Any = yaml.safe_load(text)
        if not isinstance(table, Mapping) or not table:
            found = "nothing" if not table else type(table).__name__
            return ProfileTable(error=f"{where}: {PROFILES_KEY} is to map profile names to profiles, found {found}")
        return ProfileTable(profiles=parse_gpu_profiles(table))
    except yaml.YAMLError as error:
        return ProfileTable(error=f"{where}: {PROFILES_KEY} is not YAML: {error}")
    except InvalidGpuProfileError as error:
        return ProfileTable(error=f"{where}: {error}; correct the chart's values and upgrade it")
