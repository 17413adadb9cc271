"""What one sandbox is made of, written by `up` and read by the supervisor, the node agent and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.files import read_json, write_json
from plimsoll_sandbox.fleet import Node
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.network import Network

DEFAULT_RESTART_BACKOFF_SECONDS = 10.0
"""What the kubelet waits before it restarts a container that failed twice."""


@dataclass(frozen=True)
class Programs:
    """The programs the supervisor starts."""

    controlplane: Path
    metrics_adapter: Path
    prometheus: Path
    kubectl: Path


@dataclass(frozen=True)
class Request:
    """What a person asked `up` for."""

    programs: Programs
    groups: tuple[str, ...]
    gpu_profiles: Path | None
    images: Path | None
    restart_backoff_seconds: float = DEFAULT_RESTART_BACKOFF_SECONDS

    def to_json(self) -> dict[str, Any]:
        return {
            "programs": {name: str(path) for name, path in asdict(self.programs).items()},
            "groups": list(self.groups),
            "gpuProfiles": None if self.gpu_profiles is None else str(self.gpu_profiles),
            "images": None if self.images is None else str(self.images),
            "restartBackoffSeconds": self.restart_backoff_seconds,
        }

    def describe(self) -> str:
        """The options in the words of the command line."""
        return f"--node {' --node '.join(self.groups)} --images {self.images} --gpu-profiles {self.gpu_profiles}"

    def save(self, layout: Layout) -> None:
        write_json(layout.request, self.to_json())

    @classmethod
    def load(cls, layout: Layout) -> Request:
        return cls.from_json(read_json(layout.request))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        return cls(
            programs=Programs(**{name: Path(path) for name, path in value["programs"].items()}),
            groups=tuple(value["groups"]),
            gpu_profiles=None if value["gpuProfiles"] is None else Path(value["gpuProfiles"]),
            images=None if value["images"] is None else Path(value["images"]),
            restart_backoff_seconds=value["restartBackoffSeconds"],
        )


@dataclass(frozen=True)
class Config:
    """A request, and the addresses, ports and nodes it was given."""

    layout: Layout
    request: Request
    network: Network
    nodes: tuple[Node, ...]

    @property
    def apiserver_url(self) -> str:
        return f"https://127.0.0.1:{self.network.ports['apiserver']}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.network.ports['prometheus']}"

    @property
    def authority(self) -> Path:
        """The certificate that every server of the sandbox is verified by."""
        return self.layout.credentials / "ca.crt"

    def save(self) -> None:
        write_json(
            self.layout.config,
            {
                "request": self.request.to_json(),
                "network": asdict(self.network),
                "nodes": [node.to_json() for node in self.nodes],
            },
        )

    @classmethod
    def load(cls, layout: Layout) -> Config:
        """Raises SandboxError where there is no sandbox, or one of another version of this program."""
        try:
            value = read_json(layout.config)
            return cls(
                layout=layout,
                request=Request.from_json(value["request"]),
                network=Network(**value["network"]),
                nodes=tuple(Node.from_json(node) for node in value["nodes"]),
            )
        except FileNotFoundError:
            raise SandboxError(
                f"there is no sandbox {layout.name!r} in {layout.folder}: "
                f"make one with plimsoll-sandbox up --name {layout.name}"
            ) from None
        except (KeyError, TypeError, ValueError) as error:
            raise SandboxError(
                f"{layout.config} is not of this version ({error!r}): "
                f"run plimsoll-sandbox down --name {layout.name}, then up"
            ) from error
