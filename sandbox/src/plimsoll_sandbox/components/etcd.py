"""etcd: where the apiserver keeps its objects. Only holders of a certificate of the sandbox may speak to it."""

from __future__ import annotations

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.health import answers, tls_context
from plimsoll_sandbox.config import Config


def etcd(config: Config, serving: KeyPair, client: KeyPair) -> Component:
    url = etcd_url(config)
    peer = f"http://127.0.0.1:{config.network.ports['etcd_peer']}"
    command = (
        str(config.request.programs.controlplane),
        "etcd",
        f"--data-dir={config.layout.data / 'etcd'}",
        # A sandbox outlives its processes but need not outlive a power cut.
        "--unsafe-no-fsync",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={serving.certificate}",
        f"--key-file={serving.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={config.authority}",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
        "--log-level=warn",
    )
    return Component("etcd", command, answers(f"{url}/health", tls_context(config.authority, client)))


def etcd_url(config: Config) -> str:
    return f"https://127.0.0.1:{config.network.ports['etcd']}"
