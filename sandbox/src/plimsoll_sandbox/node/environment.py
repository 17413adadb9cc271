"""A container's environment, composed as a kubelet and a container runtime do together. No I/O here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll_sandbox.images import Image
from plimsoll_sandbox.node.expansion import expand
from plimsoll_sandbox.node.facts import Facts
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.variables import FieldRef, KeyRef, ResourceRef, Variable, VariablesFrom


class ConfigError(Exception):
    """A container cannot be configured yet; the message is what its status says (CreateContainerConfigError)."""


ObjectKey = tuple[str, str]
"""Kind (ConfigMap or Secret) and name, in the pod's namespace."""


@dataclass(frozen=True)
class Surroundings:
    """All that a container's environment is made from. `objects` holds None for what does not exist."""

    facts: Facts
    image: Image
    objects: Mapping[ObjectKey, Mapping[str, bytes] | None]
    service_variables: Mapping[str, str]
    mounts: Mounts


def needed_objects(container: Container) -> set[ObjectKey]:
    """The ConfigMaps and Secrets that this container's environment refers to."""
    named = {(source.kind, source.name) for source in container.variables_from}
    keys = {variable.source for variable in container.variables if isinstance(variable.source, KeyRef)}
    return named | {(key.kind, key.name) for key in keys}


def compose_environment(container: Container, around: Surroundings) -> dict[str, str]:
    """Later ones win: this machine's PATH, the image's, Services', envFrom, env. Raises ConfigError.

    Mount paths are rewritten in what comes from the pod, never in what comes from the image map.
    """
    pod = around.facts.pod
    own = {"POD_IP": around.facts.pod_address, "POD_NAME": pod.name, "POD_NAMESPACE": pod.namespace}
    declared = dict(around.service_variables)
    for source in container.variables_from:
        declared |= _all_keys(source, around)
    for variable in container.variables:
        value = _value(variable, container, declared, around)
        if value is not None:
            declared[variable.name] = value
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOSTNAME": pod.name,
        **{name: expand(value, own) for name, value in around.image.env.items()},
        **{name: around.mounts.rewrite(value) for name, value in declared.items()},
    }


def _all_keys(source: VariablesFrom, around: Surroundings) -> dict[str, str]:
    found = around.objects[source.kind, source.name]
    if found is None:
        if source.optional:
            return {}
        raise ConfigError(f'{source.kind.lower()} "{source.name}" not found')
    return {source.prefix + key: _text(value) for key, value in found.items()}


def _value(variable: Variable, container: Container, declared: Mapping[str, str], around: Surroundings) -> str | None:
    """None where an optional reference leads nowhere."""
    match variable.source:
        case None:
            return expand(variable.value, declared)
        case FieldRef() as reference:
            return around.facts.field(reference)
        case ResourceRef() as reference:
            return around.facts.resource(reference, container)
        case KeyRef() as reference:
            return _key(reference, around)


def _key(reference: KeyRef, around: Surroundings) -> str | None:
    found = around.objects[reference.kind, reference.name]
    if found is not None and reference.key in found:
        return _text(found[reference.key])
    if reference.optional:
        return None
    kind, namespace = reference.kind.lower(), around.facts.pod.namespace
    if found is None:
        raise ConfigError(f'{kind} "{reference.name}" not found')
    raise ConfigError(f"couldn't find key {reference.key} in {reference.kind} {namespace}/{reference.name}")


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
