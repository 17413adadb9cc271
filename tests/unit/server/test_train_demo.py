"""From this Python's documentation to a folder that others load, and the texts for its demonstration."""

from __future__ import annotations

import io
import json
import math
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from typer.testing import CliRunner

from plimsoll_server.train.__main__ import app
from plimsoll_server.train.demo.cache import cached_model, ensure_demo_model, model_cache
from plimsoll_server.train.demo.corpus import read_corpus
from plimsoll_server.train.demo.documents import documents
from plimsoll_server.train.demo.examine import Examiner
from plimsoll_server.train.demo.record import read_record, summary
from plimsoll_server.train.demo.save import save
from plimsoll_server.train.demo.texts import demo_texts
from plimsoll_server.train.demo.topics import TOPICS
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.progress import Reporter
from train_builders import TINY, made_up_library, train_tiny


def load(folder: Path) -> Any:
    loader: Any = AutoModelForSequenceClassification
    return loader.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, local_files_only=True)


def read_tokenizer(folder: Path) -> Tokenizer:
    tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return tokenizer


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_library(tmp_path_factory.mktemp("lib") / "python3.99")


@pytest.fixture(scope="module")
def tiny(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained in seconds. Only read."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    train_tiny(folder, library)
    return folder


def test_the_folder_is_one_of_the_hub_for_everyone_to_read(tiny: Path) -> None:
    assert {file.name for file in tiny.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    }
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in tiny.iterdir())


def test_the_configuration_is_a_modernberts_with_a_window_and_alternating_attention(tiny: Path) -> None:
    config = json.loads((tiny / "config.json").read_text())

    assert config["model_type"] == "modernbert"
    assert config["architectures"] == ["ModernBertForSequenceClassification"]
    assert config["max_position_embeddings"] == TINY.window
    assert config["layer_types"] == ["full_attention", "sliding_attention"]
    assert config["classifier_pooling"] == "mean"
    assert config["vocab_size"] == TINY.vocabulary
    assert list(config["id2label"].values()) == sorted(TOPICS)


def test_two_trainings_of_one_seed_give_the_same_bytes(tiny: Path, library: Path, tmp_path: Path) -> None:
    train_tiny(tmp_path / "again", library)

    for file in tiny.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_what_is_loaded_answers_as_it_did_when_it_was_examined(tiny: Path, library: Path) -> None:
    """The record's count of right answers comes from the network before it was saved."""
    record = read_record(tiny)
    held_out = [module for module in read_corpus(library) if module.name in record.held_out_modules]
    examiner = Examiner(load(tiny), read_tokenizer(tiny), window=TINY.window, overlap=TINY.overlap)

    result = examiner.examine(documents(held_out, TINY.document_characters), lambda: None)

    assert result == record.results.short


def test_a_saved_network_reloads_to_the_same_logits_with_the_hubs_tokenizer(tiny: Path, tmp_path: Path) -> None:
    network = load(tiny)
    with torch.no_grad():
        network.model.layers[0].mlp.Wi.weight.add_(0.5)
    tokenize: Any = AutoTokenizer.from_pretrained(tiny)
    inputs = tokenize(
        ["Open a socket.", "The mean of some numbers, longer than the other"], padding=True, return_tensors="pt"
    )

    save(tmp_path, network, read_tokenizer(tiny), read_record(tiny), TINY)

    with torch.inference_mode():
        assert torch.equal(load(tmp_path)(**inputs).logits, network(**inputs).logits)


def test_the_card_and_the_summary_tell_the_measured_numbers(tiny: Path) -> None:
    record = read_record(tiny)
    card = (tiny / "README.md").read_text()

    for result in (record.results.short, record.results.long, record.results.chunked):
        assert f"| {result.documents} | {result.mean_tokens:,} | {result.accuracy:.1%} |" in card
        assert f"{result.accuracy:.1%} of {result.documents}" in " ".join(summary(record))
    assert record.library in card


def test_a_little_training_tells_topics_apart_that_have_words_of_their_own(tiny: Path) -> None:
    assert read_record(tiny).results.short.accuracy > 0.9


def test_what_has_not_learnt_is_not_published(library: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"at least 95% above.*nothing was saved.*--seed"):
        train_tiny(tmp_path / "model", library, replace(TINY, least_margin=0.95))

    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow further, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [pytest.param(1_000, id="config"), pytest.param(20_000, id="tokenizer or weights")])
def test_a_disk_without_room_leaves_what_was_there_and_is_told(library: Path, tmp_path: Path, size: int) -> None:
    train_tiny(tmp_path / "model", library)
    before = (tmp_path / "model" / "training.json").read_bytes()

    with no_file_larger_than(size), pytest.raises(TrainingError, match="expected to write the model"):
        train_tiny(tmp_path / "model", library, replace(TINY, seed=1))

    assert (tmp_path / "model" / "training.json").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_two_callers_train_the_cached_model_once(tmp_path: Path) -> None:
    recipe = replace(TINY, steps=1, least_margin=-1.0)
    said = io.StringIO()
    reporter = Reporter(Console(file=said))
    found: list[Path] = []
    callers = [
        threading.Thread(target=lambda: found.append(ensure_demo_model(tmp_path, reporter, recipe))) for _ in range(2)
    ]

    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(120)

    assert found == [cached_model(tmp_path, recipe)] * 2
    assert read_record(found[0]).seed == TINY.seed
    assert said.getvalue().count("waiting for it") == 1
    assert said.getvalue().count("Training: done") == 1


def test_the_cache_has_a_model_for_each_recipe_alone_in_its_folder(tmp_path: Path) -> None:
    one, other = (cached_model(tmp_path, replace(TINY, seed=seed)) for seed in (0, 1))

    assert one.name == other.name == "domains"
    assert one.parent != other.parent


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PLIMSOLL_HOME": "/data/plimsoll", "XDG_CACHE_HOME": "/cache"}, "/data/plimsoll/models"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/plimsoll/models"),
        ({"PLIMSOLL_HOME": "", "XDG_CACHE_HOME": ""}, "~/.cache/plimsoll/models"),
    ],
)
def test_the_cache_is_in_plimsolls_home(environment: dict[str, str], expected: str) -> None:
    assert model_cache(environment) == Path(expected).expanduser()


def test_the_texts_are_of_unseen_modules_of_three_topics_and_ordered_by_length(tiny: Path, library: Path) -> None:
    record = read_record(tiny)
    short, medium, long = texts = demo_texts(tiny, library)

    assert short.tokens < 200 <= medium.tokens < 1000
    assert long.tokens >= 3000
    assert len({text.topic for text in texts}) == 3
    assert {short.name, medium.name} <= set(record.held_out_modules)
    for text in texts:
        assert text.tokens == len(read_tokenizer(tiny).encode(text.text).ids)


def test_demo_texts_prints_one_object_per_line(tiny: Path, library: Path) -> None:
    result = run("demo-texts", tiny, "--library", library)

    assert result.exit_code == 0, result.output
    assert [sorted(json.loads(line)) for line in result.stdout.splitlines()] == [
        ["name", "text", "tokens", "topic"]
    ] * 3


def test_a_trained_model_is_kept_and_its_numbers_told_again(tiny: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in tiny.iterdir()}

    result = run("train-demo", tiny)

    assert result.exit_code == 0, result.output
    assert "kept. --force replaces it" in result.stderr
    assert result.stdout.splitlines() == [*summary(read_record(tiny)), str(tiny)]
    assert {file.name: file.stat().st_mtime_ns for file in tiny.iterdir()} == before


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["unforced", "forced"])
def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path, force: list[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")

    result = run("train-demo", tmp_path, *force)

    assert result.exit_code == 1
    assert "found something else, which is never replaced" in result.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["train-demo"], "expected OUTPUT_DIR", id="nowhere to write"),
        pytest.param(["train-demo", "out", "--cached"], "expected OUTPUT_DIR", id="two places to write"),
        pytest.param(["train-demo", "--cached", "--seed", "3"], "expected OUTPUT_DIR", id="a cache of one's own"),
        pytest.param(["train-demo", "out", "--library", "none"], "found 0 and 0", id="no library"),
        pytest.param(["train-demo", "/proc/out"], "/proc", id="no place to write"),
        pytest.param(["demo-texts", "none"], "expected a model of `plimsoll-server train-demo`", id="no model"),
    ],
)
def test_bad_arguments_are_told_in_a_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(*arguments)

    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demos_model_is_thirty_points_above_the_majority_and_no_worse_on_long_texts() -> None:
    results = read_record(ensure_demo_model(model_cache())).results

    assert results.short.margin >= 0.30
    assert min(results.long.accuracy, results.chunked.accuracy) > results.short.accuracy - 0.05
    assert math.isclose(results.chunked.mean_tokens, 3_300, rel_tol=0.2)
