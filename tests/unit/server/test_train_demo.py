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

from plimsoll_server.train.demo.cache import cached_model, model_cache
from plimsoll_server.train.demo.corpus import read_corpus
from plimsoll_server.train.demo.documents import documents
from plimsoll_server.train.demo.ensure import ensure_demo_model
from plimsoll_server.train.demo.examine import Examiner
from plimsoll_server.train.demo.record import read_record, summary
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.save import save
from plimsoll_server.train.demo.topics import TOPICS
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.progress import Reporter
from train_builders import TINY, train_tiny


def load(folder: Path) -> Any:
    loader: Any = AutoModelForSequenceClassification
    return loader.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, local_files_only=True)


def read_tokenizer(folder: Path) -> Tokenizer:
    tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return tokenizer


def test_the_folder_is_one_of_the_hub_for_everyone_to_read(trained_folder: Path) -> None:
    assert {file.name for file in trained_folder.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    }
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in trained_folder.iterdir())


def test_the_configuration_is_a_modernberts_with_a_window_and_alternating_attention(trained_folder: Path) -> None:
    config = json.loads((trained_folder / "config.json").read_text())

    assert config["model_type"] == "modernbert"
    assert config["architectures"] == ["ModernBertForSequenceClassification"]
    assert config["max_position_embeddings"] == TINY.window
    assert config["layer_types"] == ["full_attention", "sliding_attention"]
    assert config["classifier_pooling"] == "mean"
    assert config["vocab_size"] == TINY.vocabulary
    assert list(config["id2label"].values()) == sorted(TOPICS)


def test_two_trainings_of_one_seed_give_the_same_bytes(trained_folder: Path, library: Path, tmp_path: Path) -> None:
    train_tiny(tmp_path / "again", library)

    for file in trained_folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_what_is_loaded_answers_as_it_did_when_it_was_examined(trained_folder: Path, library: Path) -> None:
    """The record's count of right answers comes from the network before it was saved."""
    record = read_record(trained_folder)
    held_out = [module for module in read_corpus(library) if module.name in record.held_out_modules]
    examiner = Examiner(load(trained_folder), read_tokenizer(trained_folder), window=TINY.window, overlap=TINY.overlap)

    with repeatable(TINY.seed):
        result = examiner.examine(documents(held_out, TINY.document_characters), lambda: None)

    assert result == record.results.short


def test_a_saved_network_reloads_to_the_same_logits_with_the_hubs_tokenizer(
    trained_folder: Path, tmp_path: Path
) -> None:
    network = load(trained_folder)
    with torch.no_grad():
        network.model.layers[0].mlp.Wi.weight.add_(0.5)
    tokenize: Any = AutoTokenizer.from_pretrained(trained_folder)
    inputs = tokenize(
        ["Open a socket.", "The mean of some numbers, longer than the other"], padding=True, return_tensors="pt"
    )

    save(tmp_path, network, read_tokenizer(trained_folder), read_record(trained_folder), TINY)

    with torch.inference_mode():
        assert torch.equal(load(tmp_path)(**inputs).logits, network(**inputs).logits)


def test_the_card_and_the_summary_tell_the_measured_numbers(trained_folder: Path) -> None:
    record = read_record(trained_folder)
    card = (trained_folder / "README.md").read_text()

    for result in (record.results.short, record.results.long, record.results.chunked):
        assert f"| {result.documents} | {result.mean_tokens:,} | {result.accuracy:.1%} |" in card
        assert f"{result.accuracy:.1%} of {result.documents}" in " ".join(summary(record))
    assert record.library in card


def test_a_little_training_tells_topics_apart_that_have_words_of_their_own(trained_folder: Path) -> None:
    assert read_record(trained_folder).results.short.accuracy > 0.9


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demos_model_is_thirty_points_above_the_majority_and_no_worse_on_long_texts() -> None:
    results = read_record(ensure_demo_model(model_cache())).results

    assert results.short.margin >= 0.30
    assert min(results.long.accuracy, results.chunked.accuracy) > results.short.accuracy - 0.05
    assert math.isclose(results.chunked.mean_tokens, 3_300, rel_tol=0.2)
