"""What is really executed for a container. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_sandbox.images import Image
from plimsoll_sandbox.node.environment import ConfigError
from plimsoll_sandbox.node.expansion import expand
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.spec.containers import Container


def compose_command(
    container: Container, image: Image, environment: Mapping[str, str], mounts: Mounts
) -> tuple[str, ...]:
    """The container's command instead of the image's, and its arguments instead of the image's, as Kubernetes does.

    Raises ConfigError when neither names a program.
    """

    def own(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(mounts.rewrite(expand(word, environment)) for word in words)

    program = own(container.command) if container.command else image.command
    defaults = () if container.command else image.args
    arguments = defaults if container.args is None else own(container.args)
    if not program:
        raise ConfigError(f"no command specified, and the image map gives none for {image.name}")
    return program + arguments
