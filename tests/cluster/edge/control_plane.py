"""An apiserver with its etcd and nothing else: ours to stop, and with a record of every request."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from free_ports import free_port

ADMIN_TOKEN = "administrator"
READY_SECONDS = 120
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass
class ControlPlane:
    """Started by `running_control_plane`; everything it writes is under `folder`."""

    program: Path
    folder: Path
    etcd_port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    _etcd: subprocess.Popen[bytes] | None = None
    _apiserver: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    def start(self) -> None:
        self._write_files()
        own, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self._etcd = self._run(
            "etcd",
            *("--data-dir", "etcd", "--unsafe-no-fsync"),
            *("--listen-client-urls", own, "--advertise-client-urls", own),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
        )
        self.start_apiserver()
        self.write_kubeconfig(self.kubeconfig, {"token": ADMIN_TOKEN})

    def start_apiserver(self) -> None:
        self._apiserver = self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--cert-dir=certificates",
            "--authorization-mode=RBAC",
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            "--token-auth-file=tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=service-accounts.key",
            "--service-account-signing-key-file=service-accounts.key",
            "--service-cluster-ip-range=10.99.0.0/16",
            "--audit-policy-file=audit-policy.yaml",
            "--audit-log-path=audit.log",
            "--profiling=false",
        )
        self._wait_until_ready()

    def kill_apiserver(self) -> None:
        assert self._apiserver is not None
        self._apiserver.kill()
        self._apiserver.wait(10)

    def stop(self) -> None:
        for process in (self._apiserver, self._etcd):
            if process is not None:
                process.kill()
                process.wait(10)

    def write_kubeconfig(self, path: Path, user: dict[str, str], port: int | None = None) -> None:
        """`port` is the apiserver's own, or of something before it."""
        authority = str(self.folder / "certificates" / "apiserver.crt")
        cluster = {"server": f"https://127.0.0.1:{port or self.port}", "certificate-authority": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path.write_text(yaml.safe_dump(config))

    def requests_of(self, user: str, since: int = 0) -> list[dict[str, Any]]:
        """What `user` asked after the first `since` lines of the record."""
        lines = (self.folder / "audit.log").read_text().rpartition("\n")[0].splitlines()[since:]
        return [event for event in map(json.loads, lines) if event["user"]["username"] == user]

    def recorded(self) -> int:
        """Length of the record, for `requests_of`."""
        return (self.folder / "audit.log").read_text().count("\n")

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "service-accounts.key").write_bytes(pem)
        (self.folder / "tokens.csv").write_text(f"{ADMIN_TOKEN},admin,admin,system:masters\n")
        (self.folder / "audit-policy.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))

    def _run(self, subcommand: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{subcommand}.log").open("ab") as log:
            return subprocess.Popen([self.program, subcommand, *arguments], cwd=self.folder, stdout=log, stderr=log)

    def _wait_until_ready(self) -> None:
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/readyz", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}
        )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(request, timeout=2, context=trusting):
                    return
            except urllib.error.HTTPError as error:
                error.close()
            except OSError:
                pass
            time.sleep(0.2)
        log = (self.folder / "kube-apiserver.log").read_text()
        raise AssertionError(f"kube-apiserver not ready within {READY_SECONDS} s:\n{log[-2000:]}")


@contextmanager
def running_control_plane(program: Path, folder: Path) -> Iterator[ControlPlane]:
    control_plane = ControlPlane(program, folder)
    try:
        control_plane.start()
        yield control_plane
    finally:
        control_plane.stop()
