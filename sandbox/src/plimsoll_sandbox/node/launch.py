"""Everything a container's process is started with, worked out anew for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.images import Image
from plimsoll_sandbox.node.command import compose_command
from plimsoll_sandbox.node.environment import Surroundings, compose_environment, needed_objects
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.room import Room
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.orphans import CONTAINER_MARK, MARK, POD_MARK


@dataclass(frozen=True)
class Launch:
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mounts
    folder: Path
    message_file: Path


async def prepare_launch(container: Container, room: Room) -> Launch:
    """Raises ImageMissingError, ConfigError, ApiError and what aiohttp raises."""
    image = room.host.images.program(container.image)
    folder = room.container_folder(container)
    folder.mkdir(parents=True, exist_ok=True)
    message_file = folder / "termination-log"
    message_file.write_bytes(b"")
    objects = await room.objects.fetch(needed_objects(container))
    services = room.host.service_variables(room.pod.namespace) if room.pod.service_links else {}

    def surroundings(mounts: Mounts) -> Surroundings:
        return Surroundings(room.facts, image, objects, services, mounts)

    # Sub-path expressions are expanded with the environment as the pod wrote it, its mount paths not yet rewritten.
    declared = compose_environment(container, surroundings(Mounts({})))
    mounts = room.volumes.mounts_of(container, declared, {container.message_path: message_file})
    environment = compose_environment(container, surroundings(mounts))
    command = compose_command(container, image, environment, mounts)
    working_folder = _working_folder(container, image, folder, mounts)
    return Launch(
        command, environment | _own_variables(container, room, environment), mounts, working_folder, message_file
    )


def _own_variables(container: Container, room: Room, environment: Mapping[str, str]) -> dict[str, str]:
    """Marks by which the process is found again; a home of its own; the way to the apiserver for its token."""
    variables = {
        MARK: str(room.host.folder),
        POD_MARK: str(room.host.folder),
        CONTAINER_MARK: str(room.container_folder(container)),
        "HOME": environment.get("HOME", str(room.container_folder(container))),
    }
    kubeconfig = room.kubeconfig_of(container)
    if kubeconfig is not None and "KUBECONFIG" not in environment:
        variables["KUBECONFIG"] = str(kubeconfig)
    return variables


def _working_folder(container: Container, image: Image, folder: Path, mounts: Mounts) -> Path:
    """As the pod says, else as the image says, else the container's own. What is not there is made inside that."""
    if container.working_folder:
        wanted = Path(mounts.rewrite(container.working_folder))
        if wanted.is_dir():
            return wanted
        made = folder / "root" / container.working_folder.lstrip("/")
        made.mkdir(parents=True, exist_ok=True)
        return made
    return image.working_folder or folder
