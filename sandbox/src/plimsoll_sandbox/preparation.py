"""Everything secret a sandbox needs before its first component starts."""

from __future__ import annotations

from dataclasses import dataclass

from plimsoll_sandbox.certificates import Authority, KeyPair, write_signing_key
from plimsoll_sandbox.components.apiserver import FRONT_PROXY, service_account_key
from plimsoll_sandbox.components.cluster_objects import METRICS_ADAPTER_HOST
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import (
    ADMIN,
    CONTROLLER_MANAGER,
    SCHEDULER,
    SERVICE_PROXY,
    kubeconfig,
    kubeconfig_of,
    node_identity,
    read_token,
    write_kubeconfig,
    write_tokens,
)


@dataclass(frozen=True)
class KeyPairs:
    """`serving` is shown by every server that has none of its own; the last two are what the apiserver shows."""

    serving: KeyPair
    etcd: KeyPair
    kubelet: KeyPair
    apiserver: KeyPair
    front_proxy: KeyPair


def prepare(config: Config) -> KeyPairs:
    """New certificates and tokens at every start; what pods were given before, they may go on trusting and using."""
    config.layout.create()
    if not service_account_key(config).exists():
        write_signing_key(service_account_key(config))
    identities = [ADMIN, CONTROLLER_MANAGER, SCHEDULER, SERVICE_PROXY]
    write_tokens(config.layout.credentials, [*identities, *(node_identity(node.name) for node in config.nodes)])
    for identity in (ADMIN, CONTROLLER_MANAGER, SCHEDULER):
        token = read_token(config.layout.credentials, identity)
        content = kubeconfig(config.apiserver_url, config.authority, token, name=f"plimsoll-{config.layout.name}")
        path = config.layout.kubeconfig if identity is ADMIN else kubeconfig_of(identity, config.layout.credentials)
        write_kubeconfig(path, content)
    return _issue(config)


def _issue(config: Config) -> KeyPairs:
    folder = config.layout.credentials
    authority = Authority(folder, f"plimsoll-sandbox-{config.layout.name}")
    kubernetes = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    local = ["127.0.0.1", "localhost", config.network.kubernetes_service]
    return KeyPairs(
        serving=authority.issue(folder, "serving", hosts=[*local, *kubernetes, METRICS_ADAPTER_HOST]),
        # etcd is also its own client: its gateway dials its own port, and shows the same certificate.
        etcd=authority.issue(folder, "etcd", hosts=["127.0.0.1"], client=True),
        kubelet=authority.issue(folder, "kubelet", hosts=[node.address for node in config.nodes]),
        apiserver=authority.issue(folder, "apiserver", client=True),
        front_proxy=authority.issue(folder, FRONT_PROXY, client=True),
    )
