"""The trials of an earlier start are used again by the same model on the same device, in its dtype, by the same
versions; what differs in any of them is calibrated anew."""

from __future__ import annotations

import platform
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from held_memory import AMPLE
from plimsoll_server.engine.calibration import Calibrator
from plimsoll_server.engine.calibration_file import calibration_file, recall, remember
from plimsoll_server.engine.meter import ProcessMeter
from plimsoll_server.engine.process_memory import ProcessBudget
from plimsoll_server.engine.trials import Trials
from plimsoll_server.models.family import Between
from plimsoll_server.models.location import Located
from plimsoll_server.types import Activation, ModelInfo, Output, Tokens

INFO = ModelInfo(
    location="/m", revision="e" * 40, family="modernbert", task="text-classification", dtype="float32",
    attention="sdpa", device="cpu", window=8192, vocabulary=6, width=8, layers=22, pooling="mean", packing="packed",
    labels=("sea",), activation=Activation.SOFTMAX, tokenizer_file="",
)  # fmt: skip
ON_GPU = replace(INFO, device="cuda:0")


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Calibration sets that of its process."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


class Counting:
    """A model that tells of how many batches it was asked."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.batches = 0

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        self.batches += 1
        return []


@dataclass(frozen=True)
class Start:
    """Of what model, on what machine, by which versions if not by those that are installed."""

    info: ModelInfo = INFO
    configuration: str = "{}"
    weights: str = "1"
    gpu: str = "NVIDIA L4"
    machine: str = "x86_64"
    threads: int = 2
    versions: Mapping[str, str] = field(default_factory=dict)

    def batches(self, folder: Path, kept: Path) -> int:
        """How many it tries, with the trials that are kept there."""
        (folder / "config.json").write_text(self.configuration)
        (folder / "model.safetensors").write_text(self.weights)
        model = Counting(self.info)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(torch.cuda, "get_device_name", lambda _: self.gpu)
            patched.setattr(platform, "machine", lambda: self.machine)
            patched.setattr(torch, "get_num_threads", lambda: self.threads)
            patched.setattr(
                "plimsoll_server.engine.calibration_file.version", lambda name: self.versions.get(name, version(name))
            )
            file = calibration_file(str(kept), self.info, Located(folder, None))
        trials = Trials(model, ProcessMeter(), lambda: None, [1, 4, 5, 2], 512)
        assert Calibrator(ProcessBudget(AMPLE, AMPLE), file).calibrate(trials, 1024)
        return model.batches


@pytest.mark.parametrize(
    ("before", "then", "again"),
    [
        pytest.param(Start(), Start(), False, id="nothing differs"),
        pytest.param(Start(ON_GPU), Start(ON_GPU), False, id="nothing differs, on a GPU"),
        pytest.param(Start(), Start(replace(INFO, labels=("land",))), False, id="what a label is called"),
        pytest.param(Start(), Start(weights="2"), False, id="the weights' values, which take no more or less"),
        pytest.param(Start(), Start(replace(INFO, location="/other")), True, id="the model"),
        pytest.param(Start(), Start(replace(INFO, revision="f" * 40)), True, id="its revision"),
        pytest.param(Start(), Start(replace(INFO, family="bert")), True, id="its family"),
        pytest.param(Start(), Start(replace(INFO, task="feature-extraction")), True, id="its task"),
        pytest.param(Start(), Start(configuration='{"hidden_size": 7}'), True, id="its configuration"),
        pytest.param(Start(), Start(ON_GPU), True, id="the kind of device"),
        pytest.param(Start(ON_GPU), Start(ON_GPU, gpu="NVIDIA H200"), True, id="the GPU"),
        pytest.param(Start(), Start(machine="aarch64"), True, id="the kind of processor"),
        pytest.param(Start(), Start(threads=4), True, id="the threads"),
        pytest.param(Start(), Start(replace(INFO, dtype="bfloat16")), True, id="the dtype"),
        pytest.param(Start(), Start(replace(INFO, attention="varlen")), True, id="the attention"),
        pytest.param(Start(), Start(replace(INFO, packing="alone")), True, id="whether it packs"),
        pytest.param(Start(), Start(versions={"plimsoll-server": "99"}), True, id="the server's version"),
        pytest.param(Start(), Start(versions={"torch": "99"}), True, id="torch's version"),
        pytest.param(Start(), Start(versions={"transformers": "99"}), True, id="transformers' version"),
    ],
)
def test_what_was_measured_is_used_again_unless_that_differs(
    tmp_path: Path, before: Start, then: Start, again: bool
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    assert before.batches(tmp_path, kept) > 0
    assert (then.batches(tmp_path, kept) > 0) is again
    assert before.batches(tmp_path, kept) == 0, "each has its own"


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert calibration_file("", INFO, Located(tmp_path, None)) is None
    remember(None, [])
    assert recall(None) == ()
