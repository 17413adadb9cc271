"""What `status` says, as parts to print: the verdict first, then what explains it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from plimsoll_operator.cli.console import bad, good, plain, table, uneasy
from plimsoll_operator.cli.explanation.trial import trial_of_this_rollout
from plimsoll_operator.cli.explanation.wording import in_one_line
from plimsoll_operator.cluster.parse import is_active, parse_pod
from plimsoll_operator.observed import Manifest, Pod

Conditions = Mapping[str, Mapping[str, Any]]

ALWAYS = ("Available", "Ready")
NORMAL = {
    "Available": "True",
    "Ready": "True",
    "Reconciling": "False",
    "Stalled": "False",
    "WithinLoadLine": "True",
    "ScalingActive": "True",
    "OutOfMemory": "False",
    "UpToDate": "True",
}
"""Of a condition in this state there is nothing to say."""

MOST_AT_REST = 10
"""Revisions without a pod that are listed, the newest: what was taken back is kept fifty times over."""

AS_ASKED = ("ProviderNone",)
"""Reasons for which another state is normal too."""


def report(found: Manifest, pods: Sequence[Manifest] | None, now: datetime) -> Iterator[Text]:
    """The object as read, and its pods, or None where they may not be seen."""
    status = found.get("status", {})
    conditions: Conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    yield _verdict(found, conditions)
    if not conditions:
        yield uneasy("No status yet: no operator has looked at it. Does one run, and serve this namespace?")
        return
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        yield uneasy("What follows is about an older spec: the operator has not seen the last change yet.")
    yield from _section("CONDITIONS", _conditions(conditions, now))
    yield from _section("ROLLOUT", _rollout(status, now))
    yield from _section("REVISIONS", _revisions(status.get("revisions", ()), status.get("rollout", {}), now))
    yield from _section("PODS", _pods(pods, now))
    yield from _section("LOAD LINE", load_line(status.get("loadLine", ())))
    yield from _section("STARTS (seconds)", _starts(status.get("starts", ())))


def _section(title: str, content: Text | None) -> Iterator[Text]:
    if content is not None:
        yield Text()
        yield Text(title, style="bold")
        yield content


def _verdict(found: Manifest, conditions: Conditions) -> Text:
    metadata = found["metadata"]
    name = Text(f"{metadata['namespace']}/{metadata['name']}  ", style="bold")
    ready = conditions.get("Ready", {}).get("status") == "True"
    serves = conditions.get("Available", {}).get("status") == "True"
    verdict = good("ready") if ready else uneasy("serves, not ready") if serves else bad("does not serve")
    status, spec = found.get("status", {}), found["spec"]
    pods = f"{status.get('readyReplicas', 0)} of {status.get('replicas', 0)} pods ready"
    return Text.assemble(name, verdict, f"  {pods}  {spec['gpu']['profile']}  {spec['model']['uri']}")


def _conditions(conditions: Conditions, now: datetime) -> Text:
    """The two that everybody asks for, and every other that is not as it should be."""
    shown = [found for kind, found in conditions.items() if kind in ALWAYS or not _normal(found)]
    rows = [
        (found["type"], _coloured(found), found["reason"], age(found["lastTransitionTime"], now), found["message"])
        for found in shown
    ]
    return table(("CONDITION", "STATUS", "REASON", "FOR", "MESSAGE"), rows)


def _normal(condition: Mapping[str, Any]) -> bool:
    normal = NORMAL.get(condition["type"])
    return normal in (None, condition["status"]) or condition["reason"] in AS_ASKED


def _coloured(condition: Mapping[str, Any]) -> Text:
    if _normal(condition):
        return good(condition["status"])
    severe = condition["type"] in ("Available", "Stalled", "OutOfMemory") and condition["status"] != "Unknown"
    return (bad if severe else uneasy)(condition["status"])


def _rollout(status: Manifest, now: datetime) -> Text | None:
    rollout: Manifest = status.get("rollout", {})
    if not rollout:
        return None
    rows = [("phase", f"{rollout['phase']}: {rollout['message']}")] if "phase" in rollout else []
    if rollout.get("canary"):
        way = f"{rollout.get('stable') or 'nothing'} -> {rollout['canary']}"
        rows.append(("revision", way + (f", for {age(rollout['startedAt'], now)}" if "startedAt" in rollout else "")))
    rows += _canary(status)
    if asked := rollout.get("lastRequest"):
        what = f"{asked['verb']} {asked['id']}".strip() or "unreadable"
        said = f"{what}, {age(asked['at'], now)} ago: {asked['outcome']}, {asked['message']}"
        rows.append(("request", said))
    return table(("", ""), rows) if rows else None


def _canary(status: Manifest) -> list[tuple[str, str]]:
    """The canary's step, and its evidence in one line for each signal; `explain` has the rest."""
    rollout: Manifest = status["rollout"]
    trial = trial_of_this_rollout(status)
    if trial is None or trial.canary != rollout.get("canary"):
        return []
    step = f"{rollout.get('step', 1)} of {rollout.get('steps', 1)}, {rollout.get('weightPercent', 0)} % of the requests"
    return [("step", step), *(("evidence", in_one_line(signal)) for signal in trial.signals)]


def _revisions(revisions: Sequence[Manifest], rollout: Mapping[str, Any], now: datetime) -> Text | None:
    at_rest = [found for found in revisions if not (found.get("stable") or found.get("replicas"))]
    left_out = at_rest[MOST_AT_REST:]
    rows = [
        (
            str(found["number"]),
            found["hash"],
            _role(found, rollout),
            f"{found.get('readyReplicas', 0)}/{found.get('replicas', 0)}",
            age(found["createdAt"], now) if "createdAt" in found else "",
        )
        for found in revisions
        if found not in left_out
    ]
    if not rows:
        return None
    told = table(("NUMBER", "REVISION", "ROLE", "READY", "AGE"), rows)
    return Text("\n").join([told, plain(f"and {len(left_out)} older ones without a pod")]) if left_out else told


def _role(revision: Manifest, rollout: Mapping[str, Any]) -> str:
    if revision.get("stable"):
        return "stable"
    if revision.get("rejected"):
        return "rejected"
    return "coming" if revision["hash"] == rollout.get("canary") else "kept"


def _pods(pods: Sequence[Manifest] | None, now: datetime) -> Text | None:
    if pods is None:
        return uneasy("You may not list the pods of this namespace.")
    rows = [_pod(manifest, parse_pod(manifest), now) for manifest in pods if is_active(manifest)]
    return table(("POD", "REVISION", "STATE", "NODE", "RESTARTS", "AGE", "WHY"), rows) if rows else None


def _pod(manifest: Manifest, pod: Pod, now: datetime) -> tuple[str | Text, ...]:
    state = uneasy("ending") if pod.terminating else good("ready") if pod.ready else bad("not ready")
    node = manifest.get("spec", {}).get("nodeName", "")
    created = age(manifest["metadata"]["creationTimestamp"], now)
    return (pod.name, pod.revision, state, node or "none", str(pod.restarts), created, why(pod))


def why(pod: Pod) -> str:
    """What holds the pod up, else how its container ended the last time."""
    if pod.unschedulable:
        return pod.unschedulable
    if pod.waiting_reason:
        return f"{pod.waiting_reason}: {pod.waiting_message}".rstrip(": ")
    if pod.last_exit_code is None:
        return ""
    return f"ended before with {pod.last_exit_code} ({pod.last_exit_reason}): {pod.last_exit_message}".rstrip(": ")


def load_line(tiers: Iterable[Manifest]) -> Text | None:
    """The table of a load line, as `status.loadLine` has it."""
    rows = [
        (
            tier["tier"],
            str(tier["maxTokens"]),
            str(tier["requestedConcurrency"]),
            str(tier["safeConcurrency"]),
            good("within") if tier["requestedConcurrency"] <= tier["safeConcurrency"] else bad("exceeded"),
            str(tier["weightsBytes"] >> 20),
            str(tier["budgetBytes"] >> 20),
            str(tier["bytesPerToken"]),
        )
        for tier in tiers
    ]
    headings = ("TIER", "MAX TOKENS", "ASKED", "SAFE", "LINE", "WEIGHTS MiB", "OF MiB", "BYTES A TOKEN")
    return table(headings, rows) if rows else None


def _starts(starts: Iterable[Manifest]) -> Text | None:
    phases = ("scheduledSeconds", "imageSeconds", "weightsSeconds", "warmUpSeconds", "readySeconds")
    rows = [
        (start["pod"], start["revision"], *(str(start[phase]) if phase in start else "…" for phase in phases))
        for start in starts
    ]
    return table(("POD", "REVISION", "SCHEDULED", "IMAGE", "WEIGHTS", "WARM-UP", "READY"), rows) if rows else None


def age(moment: str, now: datetime) -> str:
    """How long ago, in the one unit that tells most: 45s, 12m, 3h, 4d."""
    seconds = max(0, int((now - datetime.fromisoformat(moment)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
