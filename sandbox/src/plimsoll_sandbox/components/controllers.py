"""kube-controller-manager and kube-scheduler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.apiserver import service_account_key
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.health import answers, tls_context
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import CONTROLLER_MANAGER, SCHEDULER, Identity, kubeconfig_of

# EndpointSlices refuse the loopback addresses that pods have here; the service proxy picks pods by itself. The other
# controllers need a cloud, a network of nodes, or volumes to attach.
_SWITCHED_OFF = (
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
    "node-route-controller",
    "node-ipam-controller",
    "persistentvolume-attach-detach-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-cleaner-controller",
)


def controller_manager(config: Config, serving: KeyPair) -> Component:
    """All controllers that mean something here. The HPA looks every 5 s and trusts young pods early."""
    port = config.network.ports["controller_manager"]
    command = (
        str(config.request.programs.controlplane),
        "kube-controller-manager",
        *_common(config, serving, CONTROLLER_MANAGER, port),
        f"--controllers=*,{','.join(f'-{name}' for name in _SWITCHED_OFF)}",
        f"--service-account-private-key-file={service_account_key(config)}",
        f"--root-ca-file={config.authority}",
        "--use-service-account-credentials=true",
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
        # Looks for volumes of a claim that came first as often as a person looks at the claim.
        "--pvclaimbinder-sync-period=5s",
    )
    return Component("kube-controller-manager", command, _healthy(config, port))


def scheduler(config: Config, serving: KeyPair) -> Component:
    port = config.network.ports["scheduler"]
    command = (
        str(config.request.programs.controlplane),
        "kube-scheduler",
        *_common(config, serving, SCHEDULER, port),
    )
    return Component("kube-scheduler", command, _healthy(config, port))


def _common(config: Config, serving: KeyPair, identity: Identity, port: int) -> tuple[str, ...]:
    return (
        f"--kubeconfig={kubeconfig_of(identity, config.layout.credentials)}",
        "--leader-elect=false",
        # By default each controller stops at 20 requests a second, and hundreds of objects would wait for that alone.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--profiling=false",
    )


def _healthy(config: Config, port: int) -> Callable[[], Awaitable[bool]]:
    return answers(f"https://127.0.0.1:{port}/healthz", tls_context(config.authority))
