"""Would the pods be rendered differently today? A newer operator, chart or GPU table changes no pod that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plimsoll_operator.conditions import Condition
from plimsoll_operator.observed import Revision
from plimsoll_operator.spec import InvalidSpecError, parse_spec
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.gpu_profile import find_gpu_profile
from plimsoll_operator.steps.load_line import plan_the_load_line
from plimsoll_operator.steps.revision import render_the_pods

NAMED = 4
"""Differences that the condition names; the rest is counted."""


def up_to_date(draft: Draft) -> Condition:
    """The condition `UpToDate`: no part of whether the object is ready, since an older rendering serves as well.

    It speaks of the revision whose pods run, and of that one's own input: what else is asked for by now is no
    rendering that waits.
    """
    running = _running(draft)
    if running is None:
        why = draft.blocked.message if draft.blocked else "there is no revision yet"
        return _not_rendered(why)
    try:
        now = _rendered_now(draft, running)
    except InvalidSpecError as error:
        return _not_rendered(f"revision {running.hash} was made of another version's input: {error}")
    if now.blocked or now.rendering is None:
        why = now.blocked.message if now.blocked else "the GPU profile is not known"
        return _not_rendered(f"revision {running.hash}, which runs: {why}")
    waiting = list(differences(running.template, now.rendering))
    if not waiting:
        return Condition("UpToDate", "True", "AsRendered", "the pods are as this operator would render them now")
    named = ", ".join(waiting[:NAMED])
    more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
    message = f"rendered now, revision {running.hash} would differ in {named}{more}: {_way(draft, running)}"
    return Condition("UpToDate", "False", "NewerRenderingWaits", message)


def _not_rendered(why: str) -> Condition:
    return Condition("UpToDate", "Unknown", "NotRendered", f"cannot be told: {why}")


def _running(draft: Draft) -> Revision | None:
    """The stable revision, or the target where only that one has pods."""
    found = [revision for revision in (draft.stable, draft.target) if revision is not None]
    with_pods = (revision for revision in found if (w := draft.observed.workload(revision.hash)) and w.pods)
    return next(with_pods, found[0] if found else None)


def _rendered_now(draft: Draft, revision: Revision) -> Draft:
    """What comes of the input of `revision` in the place of the spec. Raises InvalidSpecError."""
    as_asked = Draft(draft.observed, draft.policy, draft.now, parse_spec(revision.input))
    return render_the_pods(plan_the_load_line(find_gpu_profile(as_asked)))


def _way(draft: Draft, running: Revision) -> str:
    """How the newer rendering comes to the pods."""
    target = draft.target
    if target is not None and target.hash != running.hash and target.template == draft.rendering:
        return f"revision {target.hash}, which is asked for, brings it"
    restart = f"`kubectl plimsoll restart {draft.observed.owner.called}`"
    return f"this travels with the next change of the spec, or with {restart}"


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
