"""kube-apiserver, with the admission and authorization of a real cluster."""

from __future__ import annotations

from pathlib import Path

import yaml

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.etcd import etcd_url
from plimsoll_sandbox.components.health import answers, tls_context
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.files import write_file

FRONT_PROXY = "front-proxy-client"
"""Common name under which the apiserver forwards requests to the metrics adapter."""

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
        # Who asked for how many pods, and for how many: two may write that number.
        {"level": "Request", "verbs": ["update", "patch"], "resources": [{"group": "apps", "resources": ["*/scale"]}]},
        {"level": "Metadata"},
    ],
}


def apiserver(config: Config, serving: KeyPair, client: KeyPair, front_proxy: KeyPair) -> Component:
    """`client` is what the apiserver shows to etcd and to the node agent, `front_proxy` to the metrics adapter."""
    command = (
        str(config.request.programs.controlplane),
        "kube-apiserver",
        "--bind-address=127.0.0.1",
        f"--secure-port={config.network.ports['apiserver']}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={config.network.services}",
        # EndpointSlices refuse loopback addresses, so the apiserver cannot list itself; the service proxy knows it.
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        *_storage(config, client),
        *_authentication(config),
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        *_kubelet(config, client),
        *_aggregation(config, front_proxy),
        *_audit(config),
    )
    ready = answers(f"{config.apiserver_url}/readyz", tls_context(config.authority))
    return Component("kube-apiserver", command, ready)


def _storage(config: Config, client: KeyPair) -> tuple[str, ...]:
    return (
        f"--etcd-servers={etcd_url(config)}",
        f"--etcd-cafile={config.authority}",
        f"--etcd-certfile={client.certificate}",
        f"--etcd-keyfile={client.key}",
    )


def _authentication(config: Config) -> tuple[str, ...]:
    key = service_account_key(config)
    return (
        # Nobody comes with a certificate; the metrics adapter will not start without knowing whose to trust.
        f"--client-ca-file={config.authority}",
        f"--token-auth-file={config.layout.credentials / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    )


def service_account_key(config: Config) -> Path:
    return config.layout.credentials / "service-accounts.key"


def _kubelet(config: Config, client: KeyPair) -> tuple[str, ...]:
    return (
        f"--kubelet-client-certificate={client.certificate}",
        f"--kubelet-client-key={client.key}",
        f"--kubelet-certificate-authority={config.authority}",
        "--kubelet-preferred-address-types=InternalIP",
    )


def _aggregation(config: Config, front_proxy: KeyPair) -> tuple[str, ...]:
    return (
        f"--requestheader-client-ca-file={config.authority}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front_proxy.certificate}",
        f"--proxy-client-key-file={front_proxy.key}",
    )


def _audit(config: Config) -> tuple[str, ...]:
    policy = config.layout.credentials / "audit-policy.yaml"
    write_file(policy, yaml.safe_dump(_AUDIT_POLICY))
    return (
        f"--audit-policy-file={policy}",
        f"--audit-log-path={config.layout.audit_log}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=1",
    )
