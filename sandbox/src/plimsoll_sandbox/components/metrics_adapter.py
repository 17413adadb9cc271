"""The custom metrics API, answered from Prometheus: what the HorizontalPodAutoscaler scales by."""

from __future__ import annotations

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.cluster_objects import METRICS_ADAPTER
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.health import answers, tls_context
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import Identity, kubeconfig_of

METRICS_ADAPTER_ACCOUNT = Identity(METRICS_ADAPTER, f"system:serviceaccount:plimsoll-sandbox:{METRICS_ADAPTER}")


def metrics_adapter(config: Config, serving: KeyPair) -> Component:
    """Needs the kubeconfig of its ServiceAccount."""
    port = config.network.ports["metrics_adapter"]
    command = (
        str(config.request.programs.metrics_adapter),
        f"--kubeconfig={kubeconfig_of(METRICS_ADAPTER_ACCOUNT, config.layout.credentials)}",
        f"--prometheus-url={config.prometheus_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
    )
    ready = answers(f"https://127.0.0.1:{port}/livez", tls_context(config.authority))
    return Component("metrics-adapter", command, ready)
