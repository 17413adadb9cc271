"""`make setup` on a small copy of the workspace: a lock without packages, and three packages that need none."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plimsoll_sandbox.toolchain import plimsoll_home

BOOTSTRAP = Path(__file__).resolve().parents[3] / "bootstrap.py"
PACKAGES = ("operator", "server", "sandbox")
CLOSED_PORT = "http://127.0.0.1:9"

PYPROJECT = """
[project]
name = "plimsoll-{name}"
version = "0.1.0"

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# The least that can link a package: the tests need no registry for it.
BACKEND = """
import pathlib, zipfile

def build_editable(folder, settings=None, metadata=None):
    name = "plimsoll_{name}"
    about = f"{{name}}-0.1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / f"{{name}}-0.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{{name}}.pth", str(pathlib.Path.cwd()))
        wheel.writestr(f"{{about}}/METADATA", f"Metadata-Version: 2.1\\nName: plimsoll-{name}\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{{about}}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{{about}}/RECORD", "")
    return f"{{name}}-0.1.0-py3-none-any.whl"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    checkout = tmp_path / "checkout"
    for package in PACKAGES:
        (checkout / package).mkdir(parents=True)
        (checkout / package / "pyproject.toml").write_text(PYPROJECT.format(name=package))
        (checkout / package / "backend.py").write_text(BACKEND.format(name=package))
        (checkout / package / f"plimsoll_{package}.py").write_text("")
    (checkout / "requirements.lock").write_text("")
    shutil.copy(BOOTSTRAP, checkout)
    return checkout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cache folder of the test's own, but with the uv that is there."""
    tools = tmp_path / "home" / "tools"
    tools.mkdir(parents=True)
    for installed in plimsoll_home().glob("tools/uv-*"):
        (tools / installed.name).symlink_to(installed)
    return tools.parent


def setup(checkout: Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, checkout / "bootstrap.py"],
        env={**os.environ, "PLIMSOLL_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def imports(checkout: Path) -> bool:
    program = "; ".join(f"import plimsoll_{package}" for package in PACKAGES)
    return subprocess.run([checkout / ".venv/bin/python", "-c", program], timeout=60, check=False).returncode == 0


def test_it_makes_an_environment_says_so_and_does_nothing_the_second_time(checkout: Path, home: Path) -> None:
    first = setup(checkout, home)
    assert first.returncode == 0, first.stderr
    assert f"The Python environment is ready: {checkout / '.venv'}" in first.stdout
    assert imports(checkout)
    before = processor_seconds()
    second = setup(checkout, home)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert processor_seconds() - before < 1


def processor_seconds() -> float:
    """Of all processes that this one has waited for: what others take of the machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("changed", ["requirements.lock", "operator/pyproject.toml", ".venv/plimsoll-stamp"])
def test_a_changed_input_brings_the_environment_up_to_date(checkout: Path, home: Path, changed: str) -> None:
    setup(checkout, home)
    with (checkout / changed).open("a") as file:
        file.write("\n# changed\n")
    assert "Installing what requirements.lock pins" in setup(checkout, home).stdout
    assert imports(checkout)


def test_a_checkout_that_was_moved_is_linked_anew(checkout: Path, home: Path) -> None:
    setup(checkout, home)
    moved = checkout.rename(checkout.with_name("moved"))
    assert "Linking" in setup(moved, home).stdout
    assert imports(moved)


def test_killed_half_way_it_can_be_started_again(checkout: Path, home: Path) -> None:
    command = [sys.executable, str(checkout / "bootstrap.py")]
    environment = {**os.environ, "PLIMSOLL_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Making .venv"):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert setup(checkout, home).returncode == 0
    assert imports(checkout)


def test_without_a_network_the_error_says_what_to_do_and_names_no_registry(checkout: Path, home: Path) -> None:
    (checkout / "requirements.lock").write_text(f"editables==0.6 --hash=sha256:{'0' * 64}\n")
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), CLOSED_PORT)
    failed = setup(checkout, home, **proxies, NO_PROXY="", no_proxy="", UV_HTTP_RETRIES="0")
    assert failed.returncode == 1
    assert "The package registry could not be reached: check the network" in failed.stderr
    assert str(home / "tools" / "logs" / "setup.log") in failed.stderr
    assert "https://…" in failed.stderr


def test_a_file_that_differs_from_its_hash_is_refused(checkout: Path, home: Path) -> None:
    (checkout / "requirements.lock").write_text("editables==0.6\n")
    failed = setup(checkout, home)
    assert failed.returncode == 1
    assert "hash" in failed.stderr
    assert setup(checkout, home).returncode == 1  # a failure is not taken for done


def test_a_home_that_cannot_be_written_is_named_with_the_way_out(checkout: Path) -> None:
    failed = setup(checkout, Path("/dev/null"))
    assert failed.returncode == 1
    assert "The folder /dev/null/tools cannot be made" in failed.stderr
    assert "PLIMSOLL_HOME" in failed.stderr
