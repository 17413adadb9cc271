"""Who may speak to the apiserver, by which token, and the kubeconfigs made from them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_sandbox.files import write_file


@dataclass(frozen=True)
class Identity:
    """A user of the apiserver. `name` is ours, for file names; `user` and `groups` are what RBAC sees."""

    name: str
    user: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("admin", "plimsoll:admin", ("system:masters",))
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
SERVICE_PROXY = Identity("service-proxy", "plimsoll:service-proxy")


def node_identity(node: str) -> Identity:
    """What the Node authorizer and NodeRestriction know as this node's kubelet."""
    return Identity(f"node-{node}", f"system:node:{node}", ("system:nodes",))


def write_tokens(folder: Path, identities: Sequence[Identity]) -> None:
    """A fresh token for each: one file per identity, and the table that the apiserver reads."""
    rows = []
    for identity in identities:
        token = secrets.token_urlsafe(32)
        write_file(token_file(folder, identity), token)
        rows.append(f'{token},{identity.user},{identity.name},"{",".join(identity.groups)}"')
    write_file(folder / "tokens.csv", "\n".join(rows) + "\n")


def token_file(folder: Path, identity: Identity) -> Path:
    return folder / f"{identity.name}.token"


def read_token(folder: Path, identity: Identity) -> str:
    return token_file(folder, identity).read_text()


def kubeconfig_of(identity: Identity, folder: Path) -> Path:
    return folder / f"{identity.name}.kubeconfig"


def kubeconfig(
    server: str, authority: Path | str, token: str, *, name: str, namespace: str = "default"
) -> dict[str, Any]:
    """A kubeconfig with one cluster, one user and one context, all called `name`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
    }


def write_kubeconfig(path: Path, content: dict[str, Any]) -> None:
    write_file(path, yaml.safe_dump(content, sort_keys=False))
