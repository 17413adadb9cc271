"""The operator's image: built by its Dockerfile, and started as Kubernetes would start it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from images.__main__ import build
from images.base import base_name, ensure_base, missing_for_base
from images.buildah import Buildah, ImageError
from images.contents import bill_of_materials

from cluster.images.container import GIVEN, Container, container_of
from cluster_kit import eventually
from free_ports import free_port
from operator_process import fetch
from plimsoll_sandbox.sandbox import Sandbox


def what_is_missing() -> str:
    """Why this machine cannot build and start an image; empty where it can."""
    try:
        buildah = Buildah.found()
    except ImageError as error:
        return str(error)
    if os.geteuid() != 0:
        return "a container is started here without a runtime, which needs root"
    return "" if buildah.identity(base_name()) else missing_for_base()


MISSING = what_is_missing()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    buildah = Buildah.found()
    image = build(buildah, "operator", ensure_base(buildah))
    folder = tmp_path_factory.mktemp("given")
    folder.chmod(0o755)
    with container_of(buildah, image, folder) as container:
        yield container


@pytest.fixture
def kubeconfig(sandbox: Sandbox, container: Container) -> str:
    """The sandbox's, as it is seen from inside."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    authority = Path(config["clusters"][0]["cluster"]["certificate-authority"])
    (container.folder / "authority.crt").write_bytes(authority.read_bytes())
    config["clusters"][0]["cluster"]["certificate-authority"] = f"/{GIVEN}/authority.crt"
    (container.folder / "kubeconfig").write_text(yaml.safe_dump(config))
    for path in container.folder.iterdir():
        path.chmod(0o644)
    return f"/{GIVEN}/kubeconfig"


def test_it_answers_for_itself_without_being_root(container: Container) -> None:
    assert container.user == "65532:65532"
    assert "keeps InferenceDeployments as their specs ask" in container.run(*container.entrypoint, "--help")


def test_it_serves_healthz_on_a_real_apiserver_from_a_read_only_root(
    container: Container, kubeconfig: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    health, metrics = free_port(), free_port()
    variables = {
        "KUBECONFIG": kubeconfig,
        "POD_NAMESPACE": "default",
        "POD_NAME": "from-the-image",
        "PLIMSOLL_LEASE_NAME": "from-the-image",
        "PLIMSOLL_SERVER_IMAGE": "plimsoll/server:test",
        "PLIMSOLL_WATCH_NAMESPACE": "default",
        "PLIMSOLL_HEALTH_PORT": str(health),
        "PLIMSOLL_METRICS_PORT": str(metrics),
    }
    log = tmp_path / "operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            container.starting(container.default_command, variables), stdout=output, stderr=output
        )
    try:
        eventually(lambda: fetch(health, "/healthz") == (200, "ok\n"), 60, log.read_text)
        eventually(lambda: said(log, "serving default"), 60, log.read_text)
        eventually(lambda: "plimsoll_operator_writes_total" in fetch(metrics, "/metrics")[1], 60, log.read_text)
    finally:
        process.kill()
        process.wait(10)
    del sandbox


def said(log: Path, words: str) -> bool:
    lines = log.read_text().rpartition("\n")[0].splitlines()
    return any(words in json.loads(line)["message"] for line in lines)


def test_its_root_cannot_be_written(container: Container) -> None:
    attempt = "id -u; (echo x > /opt/plimsoll/x) 2> /dev/null || echo refused"
    assert container.run("sh", "-c", attempt).split() == ["65532", "refused"]


def test_nothing_of_the_machine_that_built_it_is_in_it(container: Container) -> None:
    assert not (container.root / "etc/pip.conf").exists()
    assert not [*container.root.glob("run/plimsoll-build*")]
    variables = {text.partition("=")[0] for text in container.config["Env"]}
    assert not [name for name in variables if "proxy" in name.lower() or name.startswith("PIP_")]


def test_its_bill_of_materials_names_what_is_in_it(container: Container) -> None:
    bill = json.loads(bill_of_materials(container.root, "plimsoll/operator", "0", "sha256:0"))
    urls = {component["purl"].partition("@")[0] for component in bill["components"]}
    assert {"pkg:pypi/kopf", "pkg:pypi/plimsoll-operator", "pkg:deb/debian/libc6"} <= urls
    assert "pkg:pypi/pip" not in urls
