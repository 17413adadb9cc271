"""What all containers of one pod share: its address, volumes, objects and folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.credentials import kubeconfig, write_kubeconfig
from plimsoll_sandbox.node.facts import Facts
from plimsoll_sandbox.node.host import Host
from plimsoll_sandbox.node.objects import PodObjects
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.volumes import Volumes

_ACCOUNT_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass
class Room:
    """`pod` is what the API said last: labels and annotations may change while it runs."""

    host: Host
    pod: Pod
    address: str
    folder: Path
    objects: PodObjects
    volumes: Volumes

    @classmethod
    def open(cls, host: Host, pod: Pod) -> Room:
        """Take an address and make the pod's folder."""
        folder = host.pods_folder / pod.uid
        folder.mkdir(parents=True, exist_ok=True)
        objects = PodObjects(host.kube, pod)
        volumes = Volumes(folder / "volumes", pod.volumes, objects, host.images)
        return cls(host, pod, host.addresses.take(), folder, objects, volumes)

    @property
    def facts(self) -> Facts:
        return Facts(self.pod, self.address, self.host.node.address, self.host.node.capacity)

    def container_folder(self, container: Container) -> Path:
        return self.folder / "containers" / container.name

    def log_file(self, container: Container, attempt: int) -> Path:
        return self.container_folder(container) / f"{attempt}.log"

    async def set_up_volumes(self) -> None:
        await self.volumes.set_up(self.facts)
        self._write_kubeconfig()

    async def refresh_volumes(self) -> None:
        await self.volumes.refresh(self.facts)
        self._write_kubeconfig()

    def kubeconfig_of(self, container: Container) -> Path | None:
        """The kubeconfig of the pod's ServiceAccount, for containers that have its token mounted."""
        return self._kubeconfig if self._account_volume(container) is not None else None

    @property
    def _kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def _account_volume(self, container: Container) -> str | None:
        """A client in a container finds its token at a fixed path. Here that path is the machine's, hence the file."""
        return next((mount.volume for mount in container.mounts if mount.path == _ACCOUNT_MOUNT), None)

    def _write_kubeconfig(self) -> None:
        volume = next(filter(None, map(self._account_volume, self.pod.all_containers)), None)
        if volume is None:
            return
        folder = self.folder / "volumes" / volume
        token = folder / "token"
        content = kubeconfig(
            self.host.apiserver_url,
            folder / "ca.crt",
            token.read_text(),
            name="in-cluster",
            namespace=self.pod.namespace,
        )
        # Clients that know `tokenFile` prefer it and see a new token by themselves; the others read this file anew.
        content["users"][0]["user"]["tokenFile"] = str(token)
        write_kubeconfig(self._kubeconfig, content)
