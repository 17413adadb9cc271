"""How a model's folder says how its hidden states become one embedding."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from family_builders import family_model, load_family
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.pooling import pooling_of

SILENT = SimpleNamespace()
BY_FIRST_TOKEN = SimpleNamespace(classifier_pooling="cls")
EMBED = "feature-extraction"


def write_pooling(folder: Path, content: Any) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(content))


def switches(**on: bool) -> dict[str, Any]:
    return {"word_embedding_dimension": 32, "include_prompt": True, **{f"pooling_mode_{key}": on[key] for key in on}}


@pytest.mark.parametrize(
    ("task", "config", "saved", "expected"),
    [
        pytest.param(EMBED, SILENT, None, "mean", id="nothing said"),
        pytest.param(EMBED, BY_FIRST_TOKEN, None, "cls", id="by the model's configuration"),
        pytest.param(EMBED, BY_FIRST_TOKEN, switches(cls_token=False, mean_tokens=True), "mean", id="saved: mean"),
        pytest.param(EMBED, SILENT, switches(cls_token=True, mean_tokens=False), "cls", id="saved: first token"),
        pytest.param(EMBED, SILENT, {"pooling_mode": "cls"}, "cls", id="saved by name"),
        pytest.param("text-classification", SILENT, {"pooling_mode": "mean"}, "cls", id="a classifier's own"),
    ],
)
def test_pooling_is_what(tmp_path: Path, task: str, config: Any, saved: Any, expected: str) -> None:
    if saved is not None:
        write_pooling(tmp_path, saved)
    assert pooling_of(tmp_path, task, config) == expected


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        pytest.param(switches(max_tokens=True), "pools by max_tokens", id="by the maximum"),
        pytest.param(switches(cls_token=True, mean_tokens=True), "pools by cls and mean", id="by two joined"),
        pytest.param(switches(cls_token=False), "pools by nothing", id="by nothing"),
        pytest.param([], "Input should be an object", id="no object"),
    ],
)
def test_pooling_that_is_not_served_is_refused(tmp_path: Path, saved: Any, message: str) -> None:
    write_pooling(tmp_path, saved)
    with pytest.raises(ModelError, match=message):
        pooling_of(tmp_path, EMBED, SILENT)


def test_a_projection_after_the_pooling_is_refused(tmp_path: Path) -> None:
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match="has Dense after the pooling"):
        pooling_of(tmp_path, EMBED, SILENT)


def test_embeddings_are_served_from_a_model_with_a_head(tmp_path: Path) -> None:
    """Its hidden states are there; the head is left out."""
    folder = family_model(tmp_path, "bert", "text-classification")
    model = load_family(folder, "bert", EMBED)
    assert model.info.labels == ()
    assert [len(output.numbers) for output in model.forward([[4, 5], [6]])] == [model.info.width] * 2
