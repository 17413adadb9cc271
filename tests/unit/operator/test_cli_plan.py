"""`kubectl plimsoll plan`: a pull request's check, with no cluster. 1 is over the line, 2 a file that is wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import make_spec
from plimsoll_operator.cli.main import main
from plimsoll_operator.cli.plan import PROFILES_FILE

ROOT = Path(__file__).resolve().parents[3]
Plan = Callable[..., tuple[int, str]]
KNOWN_SHAPE = {"uri": "pvc://models/domains", "shape": "modernbert-base"}


def manifest(name: str = "domains", **sections: Any) -> dict[str, Any]:
    spec = make_spec(**{"model": KNOWN_SHAPE, **sections})
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Runs the command: its exit code, and everything that was said."""

    def run(path: Path | str, *options: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["kubectl-plimsoll", "plan", "-f", str(path), *options])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code, "\n".join(line.rstrip() for line in (said.out + said.err).splitlines())

    return run


@pytest.fixture
def plan_of(plan: Plan, tmp_path: Path) -> Plan:
    def run(*manifests: Any, options: tuple[str, ...] = ()) -> tuple[int, str]:
        path = tmp_path / "file.yaml"
        path.write_text(yaml.safe_dump_all(manifests))
        return plan(path, *options)

    return run


def test_the_command_is_installed_and_needs_no_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(manifest()))
    command = [str(Path(sys.executable).with_name("kubectl-plimsoll")), "plan", "-f", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"HOME": "/nowhere"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        "domains  within its load line  nvidia-l4",
        "TIER    MAX TOKENS   ASKED   SAFE   LINE     WEIGHTS MiB   OF MiB   BYTES A TOKEN",
        "short   512          8       1180   within   284           19578    32256",
    ]


LONG = [{"name": "long", "maxTokens": 32768, "concurrency": 40}]


def test_a_file_over_its_line_fails_and_says_what_would_fit(plan_of: Plan) -> None:
    code, said = plan_of(manifest("other"), manifest(tiers=LONG))
    assert code == 1
    assert "other  within its load line" in said
    assert "tier long asks for 40 at once, nvidia-l4 carries 18" in said
    assert "nvidia-h100-80gb would carry all" in said


def test_a_model_that_fits_nowhere_on_the_gpu_fails(plan_of: Plan, tmp_path: Path) -> None:
    small = tmp_path / "values.yaml"
    small.write_text("gpuProfiles: {nvidia-l4: {memory: 300Mi}}")
    code, said = plan_of(manifest(), options=("--profiles", str(small)))
    assert code == 1
    assert "no tier fits nvidia-l4" in said


def test_profiles_of_ones_own_are_merged_as_helm_merges_values(plan_of: Plan, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        "serverImage: {tag: '1'}\ngpuProfiles: {mine: {memory: 80Gi, resourceName: amd.com/gpu}, cpu: null}"
    )
    options = ("--profiles", str(values))
    assert plan_of(manifest(gpu={"profile": "mine"}), options=options)[0] == 0
    assert plan_of(manifest(), options=options)[0] == 0
    code, said = plan_of(manifest(gpu={"profile": "cpu"}), options=options)
    assert code == 2
    assert "'cpu' is not in the table" in said


def test_a_shape_that_is_not_stated_is_said_and_holds_nothing_up(plan_of: Plan) -> None:
    code, said = plan_of(manifest(model={"uri": "pvc://models/domains"}))
    assert code == 0
    assert "not planned" in said
    assert "spec.model.shape" in said


def test_steps_that_the_pods_cannot_give_are_said_and_hold_nothing_up(plan_of: Plan) -> None:
    file = manifest(rollout={"strategy": "Canary"}, scaling={"minReplicas": 1, "maxReplicas": 1})
    code, said = plan_of(file)
    assert code == 0
    assert "note: with 1 pod (minReplicas) the steps 10, 30 and 50 % give the canary 50 % of the requests" in said
    assert json.loads(plan_of(file, options=("-o", "json"))[1])[0]["warnings"]


def test_standard_input_and_lists_are_read(plan: Plan) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [manifest("a"), manifest("b")]}
    code, said = plan("-", stdin=json.dumps(items))
    assert code == 0
    assert [line.split()[0] for line in said.splitlines() if "load line" in line] == ["a", "b"]


def test_other_objects_of_the_file_are_passed_over(plan_of: Plan) -> None:
    assert plan_of({"apiVersion": "v1", "kind": "Secret"}, manifest())[0] == 0


WRONG = [
    pytest.param(
        [manifest(tiers=[{"name": "s", "maxTokens": 1, "concurency": 2}])], "spec.tiers[].concurency", id="typo"
    ),
    pytest.param([manifest(gpu={"profile": "abacus"})], "'abacus' is not in the table", id="unknown GPU"),
    pytest.param([manifest(model={"uri": "ftp://x"})], "spec.model.uri", id="unreadable model"),
    pytest.param([manifest(model={**KNOWN_SHAPE, "dtype": "int8"})], "spec.model.dtype", id="no such value"),
    pytest.param([manifest() | {"apiVersion": "plimsoll.dev/v1"}], "plimsoll.dev/v1alpha1", id="other version"),
    pytest.param([manifest() | {"spec": None}], "metadata.name and spec", id="no spec"),
    pytest.param(
        [manifest(rollout={"canary": {"steps": [100]}})],
        "spec.rollout.canary.steps: write shares of 1 to 99 percent, found [100]",
        id="a step that is everything",
    ),
    pytest.param([manifest(rollout={"canary": {"maxPods": 0}})], "maxPods: write at least 1", id="no pod of a canary"),
    pytest.param([manifest(scaling={"minReplicas": -1})], "minReplicas: write 0 or more", id="fewer pods than none"),
    pytest.param([{"kind": "Deployment"}], "found none among 1 objects", id="none of ours"),
    pytest.param(["text"], "found str", id="no object"),
]


@pytest.mark.parametrize(("documents", "words"), WRONG)
def test_a_file_that_is_wrong_is_named_with_what_was_expected(plan_of: Plan, documents: list[Any], words: str) -> None:
    code, said = plan_of(*documents)
    assert code == 2
    assert said.startswith("error: ")
    assert words in said


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "expected YAML"), (None, "No such file")], ids=["no YAML", "no file"]
)
def test_a_file_that_cannot_be_read_is_wrong(plan: Plan, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "file.yaml"
    if text is not None:
        path.write_text(text)
    code, said = plan(path)
    assert code == 2
    assert words in said


@pytest.mark.parametrize("text", ["- a", "gpuProfiles: 7", "gpuProfiles: {mine: {}}"])
def test_profiles_that_cannot_be_read_are_wrong(plan_of: Plan, tmp_path: Path, text: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text)
    code, said = plan_of(manifest(), options=("--profiles", str(path)))
    assert code == 2
    assert "gpuProfiles" in said


def test_every_example_can_be_planned(plan: Plan) -> None:
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        assert plan(path)[0] == 0, path


def test_the_gpu_table_is_that_of_the_chart() -> None:
    chart = yaml.safe_load((ROOT / "charts/plimsoll/values.yaml").read_text("utf-8"))["gpuProfiles"]
    copy = ROOT / "operator/src/plimsoll_operator/cli" / PROFILES_FILE
    assert yaml.safe_load(copy.read_text("utf-8")) == chart, "run python charts/sync_profiles.py"
