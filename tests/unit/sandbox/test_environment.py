"""A container's environment and command, composed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plimsoll_sandbox.images import Image
from plimsoll_sandbox.node.command import compose_command
from plimsoll_sandbox.node.environment import ConfigError, Surroundings, compose_environment, needed_objects
from plimsoll_sandbox.node.facts import Facts
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.spec.containers import Container, parse_container
from plimsoll_sandbox.node.spec.pods import Pod

MOUNTS = Mounts({"/models": Path("/pod/models")})


def make_container(**fields: Any) -> Container:
    return parse_container({"name": "main", "image": "image", **fields})


def surroundings(
    objects: Mapping[tuple[str, str], Mapping[str, bytes] | None] | None = None,
    image: Image | None = None,
    services: Mapping[str, str] | None = None,
) -> Surroundings:
    pod = Pod("uid", "pod", "team", "node", (make_container(),))
    facts = Facts(pod, "127.65.1.1", "127.65.0.1", {})
    return Surroundings(facts, image or Image("image"), objects or {}, services or {}, MOUNTS)


def reference(kind: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": "VALUE", "valueFrom": {f"{kind}KeyRef": {"name": "named", "key": key, **more}}}


def test_what_the_pod_says_wins_over_services_over_the_image() -> None:
    image = Image("image", env={"A": "image", "B": "image", "C": "image", "OWN": "$(POD_IP) $(POD_NAME)"})
    container = make_container(env=[{"name": "C", "value": "pod"}])
    found = compose_environment(container, surroundings(image=image, services={"B": "service", "C": "service"}))
    assert {name: found[name] for name in "ABC"} == {"A": "image", "B": "service", "C": "pod"}
    assert found["OWN"] == "127.65.1.1 pod"


def test_a_variable_may_refer_to_earlier_ones_only() -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "C", "value": "3"}]
    assert compose_environment(make_container(env=variables), surroundings())["B"] == "1$(C)"


def test_mount_paths_are_rewritten_in_what_the_pod_says_but_not_in_the_image_map() -> None:
    image = Image("image", env={"IMAGE": "/models"})
    container = make_container(env=[{"name": "POD", "value": '{"at": "/models/x"}'}])
    found = compose_environment(container, surroundings(image=image))
    assert (found["IMAGE"], found["POD"]) == ("/models", '{"at": "/pod/models/x"}')


def test_env_from_takes_every_key_with_its_prefix() -> None:
    container = make_container(envFrom=[{"secretRef": {"name": "named"}, "prefix": "P_"}])
    found = compose_environment(container, surroundings({("Secret", "named"): {"a": b"1", "b": b"2"}}))
    assert (found["P_a"], found["P_b"]) == ("1", "2")


@pytest.mark.parametrize(
    ("fields", "objects", "complaint"),
    [
        ({"env": [reference("configMap", "k")]}, {("ConfigMap", "named"): None}, 'configmap "named" not found'),
        (
            {"env": [reference("secret", "k")]},
            {("Secret", "named"): {}},
            "couldn't find key k in Secret team/named",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "named"}}]},
            {("ConfigMap", "named"): None},
            'configmap "named" not found',
        ),
    ],
    ids=["no ConfigMap", "no key", "envFrom"],
)
def test_what_is_missing_is_named(
    fields: dict[str, Any], objects: Mapping[tuple[str, str], Mapping[str, bytes] | None], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(")):
        compose_environment(make_container(**fields), surroundings(objects))


def test_what_is_optional_may_be_missing() -> None:
    container = make_container(
        env=[reference("configMap", "k", optional=True)],
        envFrom=[{"secretRef": {"name": "named", "optional": True}}],
    )
    objects: dict[tuple[str, str], None] = {("ConfigMap", "named"): None, ("Secret", "named"): None}
    assert "VALUE" not in compose_environment(container, surroundings(objects))
    assert needed_objects(container) == set(objects)


@pytest.mark.parametrize(
    ("command", "args", "executed"),
    [
        (None, None, ["/image/program", "default"]),
        (None, ["given"], ["/image/program", "given"]),
        (["own"], None, ["own"]),
        (["own"], ["given"], ["own", "given"]),
        (["own", "$(WORD)"], ["$$(WORD)", "/models/x"], ["own", "word", "$(WORD)", "/pod/models/x"]),
    ],
    ids=["image's", "own args", "own command", "both", "expanded and rewritten"],
)
def test_command_and_arguments_replace_the_images(
    command: list[str] | None, args: list[str] | None, executed: list[str]
) -> None:
    image = Image("image", command=("/image/program",), args=("default",))
    container = make_container(command=command, args=args)
    assert compose_command(container, image, {"WORD": "word"}, MOUNTS) == tuple(executed)


def test_a_container_without_any_program_is_refused() -> None:
    with pytest.raises(ConfigError, match="no command specified"):
        compose_command(make_container(), Image("image", path=Path("/models")), {}, MOUNTS)
