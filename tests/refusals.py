"""What the operators of a whole run were refused, by the apiserver's audit log: nothing, but where a test means it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from audit_tail import whole_lines

PROVOKED = frozenset({"tight"})
"""Namespaces in which a test has something refused on purpose."""

_OPERATOR = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):plimsoll")
_NAME = "plimsoll"
_REFUSED = 403
_ACCOUNT_GONE = "error looking up service account"
"""A pod is tried while the garbage collector ends the ServiceAccount of a deleted namesake. The operator tells nobody
and makes the account anew, but the apiserver's log has the answer."""


class Refusal(NamedTuple):
    account: str
    verb: str
    uri: str
    message: str


def refusals_in(audit_log: Path) -> list[Refusal]:
    """Of the whole log."""
    return list(refusals(_events(whole_lines(audit_log))))


def refusals(events: Iterable[dict[str, Any]]) -> Iterator[Refusal]:
    """What an operator's account was refused.

    Whose release or namespace is being removed loses its rights before it has ended; what it asks then does not count.
    """
    leaving: set[str] = set()
    for event in events:
        about = event.get("objectRef", {})
        removed = _removed(event, about)
        if removed is not None:
            (leaving.add if event["verb"] == "delete" else leaving.discard)(removed)
        found = _OPERATOR.fullmatch(event["user"].get("username", ""))
        status = event.get("responseStatus", {})
        if found is None or status.get("code") != _REFUSED:
            continue
        if {found["namespace"], about.get("namespace", "")} & (leaving | PROVOKED):
            continue
        if _ACCOUNT_GONE in status.get("message", ""):
            continue
        yield Refusal(found[0], event["verb"], event["requestURI"], status.get("message", ""))


def _removed(event: dict[str, Any], about: dict[str, Any]) -> str | None:
    """The namespace that this request removes, or the operator's release from; or makes anew. None for any other."""
    if event["verb"] not in ("delete", "create", "patch") or event.get("responseStatus", {}).get("code", 0) >= 300:
        return None
    if about.get("subresource"):
        return None
    if about.get("resource") == "namespaces":
        # A creation names the object in its body only.
        return about.get("name")
    if (about.get("resource"), about.get("name")) == ("deployments", _NAME):
        return str(about["namespace"])
    return None


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Those that a refusal can be among, or tell of: the rest of a long log is not worth the reading."""
    for line in lines:
        if f":{_NAME}" in line or '"namespaces"' in line or '"deployments"' in line:
            yield json.loads(line)
