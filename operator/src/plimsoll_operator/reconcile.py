"""Spec + Observed + now -> Plan. Pure: no client, no clock, no framework; the same input gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Plan


@dataclass(frozen=True)
class Policy:
    """What the installation decides for every object: the default server image and the fleet-wide freeze."""

    server_image: str
    frozen: bool = False


def reconcile(observed: Observed, policy: Policy, now: datetime) -> Plan:
    """Decide everything that one InferenceDeployment needs right now."""
    raise NotImplementedError
