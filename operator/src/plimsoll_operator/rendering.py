"""Would the pods be rendered differently today? A newer operator, chart or GPU table changes no pod that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plimsoll_operator.conditions import Condition
from plimsoll_operator.steps.draft import Draft

NAMED = 4
"""Differences that the condition names; the rest is counted."""


def up_to_date(draft: Draft) -> Condition:
    """The condition `UpToDate`: no part of whether the object is ready, since an older rendering serves as well."""
    if draft.target is None or draft.rendering is None:
        why = draft.blocked.message if draft.blocked else "there is no revision yet"
        return Condition("UpToDate", "Unknown", "NotRendered", f"cannot be told: {why}")
    waiting = list(differences(draft.target.template, draft.rendering))
    if not waiting:
        return Condition("UpToDate", "True", "AsRendered", "the pods are as this operator would render them now")
    named = ", ".join(waiting[:NAMED])
    more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
    message = (
        f"rendered now, revision {draft.target.hash} would differ in {named}{more}: this travels with the next change "
        f"of the spec, or with `kubectl plimsoll restart {draft.observed.owner.name} "
        f"-n {draft.observed.owner.namespace}`"
    )
    return Condition("UpToDate", "False", "NewerRenderingWaits", message)


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Paths at which two JSON values differ, such as `spec.containers[server].image`."""
    if before == now:
        return
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(before.keys() | now.keys()):
            yield from differences(before.get(key), now.get(key), _below(path, key))
    elif (named := _by_name(before)) is not None and (named_now := _by_name(now)) is not None:
        for name in sorted(named.keys() | named_now.keys()):
            yield from differences(named.get(name), named_now.get(name), f"{path}[{name}]")
        if named.keys() == named_now.keys() and list(named) != list(named_now):
            yield path
    else:
        yield path


def _below(path: str, key: str) -> str:
    if not path:
        return key
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{key}]"


def _by_name(value: Any) -> dict[str, Any] | None:
    """The items of a list by their names; None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    if not all(isinstance(item, Mapping) and "name" in item for item in value):
        return None
    return {item["name"]: item for item in value}
