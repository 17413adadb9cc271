"""Nodes as they were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll_sandbox.config import Config, Programs, Request
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import Node, NodeGroup, plan_nodes
from plimsoll_sandbox.gpu_profiles import Taint, checkout_profiles, load_profiles
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.network import Network

NETWORK = Network(64, 65, {"apiserver": 20002})


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("cpu", NodeGroup("cpu", 1, 1)),
        ("nvidia-l4:2", NodeGroup("nvidia-l4", 2, 1)),
        ("nvidia-h100-80gb:1:8", NodeGroup("nvidia-h100-80gb", 1, 8)),
    ],
)
def test_a_group_is_read(text: str, group: NodeGroup) -> None:
    assert NodeGroup.parse(text) == group


@pytest.mark.parametrize("text", ["", ":2", "cpu:0", "cpu:-1", "cpu:two", "cpu:1:1:1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SandboxError, match=r"expected PROFILE, PROFILE:COUNT or PROFILE:COUNT:GPUS"):
        NodeGroup.parse(text)


@pytest.fixture(scope="module")
def nodes() -> tuple[Node, ...]:
    groups = [NodeGroup("cpu", 2), NodeGroup("nvidia-l4"), NodeGroup("nvidia-l4", 1, 4)]
    return plan_nodes(groups, load_profiles(checkout_profiles()), NETWORK)


def test_nodes_are_numbered_over_all_groups_of_a_profile(nodes: tuple[Node, ...]) -> None:
    assert [node.name for node in nodes] == ["cpu-0", "cpu-1", "nvidia-l4-0", "nvidia-l4-1"]
    assert [node.address for node in nodes] == ["127.65.0.1", "127.65.0.2", "127.65.0.3", "127.65.0.4"]


def test_a_gpu_node_advertises_is_labelled_and_tainted_by_its_profile(nodes: tuple[Node, ...]) -> None:
    plain, gpu = nodes[0], nodes[3]
    assert gpu.capacity["nvidia.com/gpu"] == "4"
    assert gpu.labels["nvidia.com/gpu.product"] == "NVIDIA-L4"
    assert gpu.taints == (Taint("nvidia.com/gpu", "present", "NoSchedule"),)
    assert "nvidia.com/gpu" not in plain.capacity
    assert plain.taints == ()


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(SandboxError, match=r"no GPU profile 'nvidia-l5'; known are .*nvidia-l4"):
        plan_nodes([NodeGroup("nvidia-l5")], load_profiles(checkout_profiles()), NETWORK)


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(SandboxError, match="at most 200 nodes"):
        plan_nodes([NodeGroup("cpu", 201)], load_profiles(None), NETWORK)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gpuProfiles: {a: 3}", r"gpuProfiles\.a: expected a map"),
        ("[1, 2]", "expected a map of GPU profiles"),
        ("{", "cannot be read"),
    ],
)
def test_bad_profiles_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(text)
    with pytest.raises(SandboxError, match=complaint):
        load_profiles(path)


def test_profiles_are_also_read_bare(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text("mine: {memory: 1Gi, resourceName: example.com/gpu}")
    assert load_profiles(path)["mine"].resource_name == "example.com/gpu"


def test_a_config_is_read_as_it_was_written(tmp_path: Path, nodes: tuple[Node, ...]) -> None:
    programs = Programs(Path("/c"), Path("/m"), Path("/p"), Path("/k"))
    request = Request(programs, ("cpu:2:1",), None, tmp_path / "images.yaml", 2.5)
    config = Config(Layout(tmp_path), request, NETWORK, nodes)
    config.save()
    assert Config.load(Layout(tmp_path)) == config


def test_a_sandbox_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"there is no sandbox 'gone'.*plimsoll-sandbox up --name gone"):
        Config.load(Layout(tmp_path / "gone"))


def test_a_config_of_another_version_says_to_start_anew(tmp_path: Path) -> None:
    Layout(tmp_path).config.write_text('{"request": {}}')
    with pytest.raises(SandboxError, match="is not of this version"):
        Config.load(Layout(tmp_path))


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a" * 41])
def test_names_that_are_no_folders_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="expected at most 40 lower-case letters"):
        Layout.of(name, tmp_path)
