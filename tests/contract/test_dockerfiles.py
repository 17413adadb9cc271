"""Both Dockerfiles: pinned, hash-locked, without root or secrets, and copying only what is there and let through."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPERATOR, SERVER = ROOT / "Dockerfile.operator", ROOT / "Dockerfile.server"

PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)
LOCKS = {
    "operator/requirements.lock": "operator",
    "server/requirements.lock": "server",
    "server/requirements-flash.lock": None,
    "requirements-build.lock": None,
}
HOW_TO_LOCK = "write the lock files anew: make lock"


class Instruction(NamedTuple):
    name: str
    text: str


def instructions(dockerfile: Path) -> list[Instruction]:
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    parts = (re.split(r"\s+", line.strip(), maxsplit=1) for line in logical if line.strip())
    return [Instruction(name.upper(), re.sub(r"\s+", " ", text)) for name, text in parts]


def last_stage(dockerfile: Path) -> list[Instruction]:
    found = instructions(dockerfile)
    start = max(number for number, instruction in enumerate(found) if instruction.name == "FROM")
    return found[start:]


def arguments(dockerfile: Path) -> dict[str, str]:
    pairs = (text.partition("=") for name, text in instructions(dockerfile) if name == "ARG")
    return {name: value.strip('"') for name, _, value in pairs}


def environment(dockerfile: Path) -> dict[str, str]:
    pairs = (pair for name, text in last_stage(dockerfile) if name == "ENV" for pair in text.split())
    return dict(pair.split("=", 1) for pair in pairs)


def copied(dockerfile: Path) -> Iterator[str]:
    """What is copied from the repository."""
    for name, text in instructions(dockerfile):
        if name == "COPY" and not text.startswith("--from="):
            yield from text.split()[:-1]


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text(encoding="utf-8")))


both = pytest.mark.parametrize("dockerfile", [OPERATOR, SERVER], ids=lambda path: path.name)


@both
def test_every_base_is_an_earlier_stage_or_an_argument_with_a_pinned_version(dockerfile: Path) -> None:
    defaults, stages = arguments(dockerfile), set()
    for name, text in instructions(dockerfile):
        if name != "FROM":
            continue
        base, _, stage = text.partition(" AS ")
        argument = re.fullmatch(r"\$\{(\w+_IMAGE)\}", base)
        if argument:
            repository, _, tag = defaults[argument[1]].partition(":")
            assert re.match(r"\d+\.\d+\.\d+-", tag), f"{argument[1]}: expected a tag with a full version, found {tag!r}"
            assert "." not in repository.split("/")[0], f"{argument[1]} names a registry, which is the builder's choice"
        else:
            assert base.replace("${ATTENTION}", defaults.get("ATTENTION", "")) in stages
        stages.add(stage)


@both
def test_it_runs_as_a_numeric_user_that_is_not_root(dockerfile: Path) -> None:
    (user,) = [text for name, text in last_stage(dockerfile) if name == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


@both
def test_what_ships_comes_from_the_build_stage_alone(dockerfile: Path) -> None:
    stage = last_stage(dockerfile)
    assert not [text for name, text in stage if name in {"RUN", "ADD"}]
    assert [text for name, text in stage if name == "COPY"] == ["--from=build /opt/plimsoll /opt/plimsoll"]


@both
def test_no_secret_is_an_argument_or_a_variable(dockerfile: Path) -> None:
    named = {*arguments(dockerfile), *environment(dockerfile)}
    assert not [name for name in named if re.search(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|_KEY$", name)]
    mounts = [text for name, text in instructions(dockerfile) if name == "RUN" and "pip.conf" in text]
    assert all("--mount=type=secret,id=pip,target=/etc/pip.conf" in text for text in mounts)


@both
def test_packages_are_installed_by_hash_or_from_what_is_there(dockerfile: Path) -> None:
    commands = [
        command.strip()
        for name, text in instructions(dockerfile)
        if name == "RUN"
        for command in text.split("&&")
        if re.search(r"/pip\b.* (install|download|wheel) ", command)
    ]
    assert commands
    assert [command for command in commands if not re.search(r"--require-hashes|--no-index", command)] == []


@both
def test_no_cache_of_a_package_manager_stays(dockerfile: Path) -> None:
    for name, text in instructions(dockerfile):
        if name == "RUN" and "apt-get install" in text:
            assert "--no-install-recommends" in text
            assert text.endswith("rm -rf /var/lib/apt/lists/*")
    assert "PIP_NO_CACHE_DIR=1" in next(text for name, text in instructions(dockerfile) if name == "ENV")


@both
def test_what_it_copies_is_there(dockerfile: Path) -> None:
    sources = list(copied(dockerfile))
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_build_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert let_through == {*copied(OPERATOR), *copied(SERVER)}


@pytest.mark.parametrize(
    ("dockerfile", "entrypoint", "command", "variables"),
    [
        pytest.param(OPERATOR, '["plimsoll-operator"]', '["run"]', {"PLIMSOLL_BIND_ADDRESS": "0.0.0.0"}, id="operator"),
        pytest.param(
            SERVER,
            '["plimsoll-server"]',
            '["serve"]',
            {
                "PLIMSOLL_BIND_ADDRESS": "0.0.0.0",
                "MALLOC_MMAP_THRESHOLD_": "16777216",
                "MALLOC_TRIM_THRESHOLD_": "33554432",
                "HF_HUB_DISABLE_TELEMETRY": "1",
            },
            id="server",
        ),
    ],
)
def test_it_starts_the_program_that_its_package_installs(
    dockerfile: Path, entrypoint: str, command: str, variables: dict[str, str]
) -> None:
    stage = dict(last_stage(dockerfile))
    assert (stage["ENTRYPOINT"], stage["CMD"]) == (entrypoint, command)
    program = entrypoint.strip('[]"')
    assert program in scripts(program.removeprefix("plimsoll-"))
    assert variables.items() <= environment(dockerfile).items()


def scripts(package: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
    return dict(project["scripts"])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry or not PIN.match(entry)] == []
    assert not re.search(r"://|--index|--find-links", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_an_image_holds_the_versions_that_were_tested(lock: str) -> None:
    tested, locked = pins("requirements.lock"), pins(lock)
    differing = {name for name in locked.keys() & tested.keys() if locked[name] != tested[name]}
    assert not differing, HOW_TO_LOCK
    package = LOCKS[lock]
    if package:
        assert not locked.keys() - tested.keys(), HOW_TO_LOCK
        assert required(package) <= locked.keys(), HOW_TO_LOCK


def required(package: str) -> set[str]:
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower() for requirement in project["dependencies"]}
