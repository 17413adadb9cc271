"""Everything that can be wrong with a model has a message of its own, before the first request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, TextClassificationPipeline
from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.scheduler.scores import activate
from plimsoll_server.types import Activation
from server_builders import edit_json, random_model, save_tokenizer, word_tokenizer

CPU = Placement(torch.device("cpu"), torch.float32, "sdpa")


def wanted(location: Path | str, **fields: Any) -> ModelConfig:
    return ModelConfig(location=str(location), **fields)


def test_a_loaded_model_tells_what_it_is(topic_folder: Path) -> None:
    info = load_model(wanted(topic_folder), CPU).info
    assert (info.family, info.task, info.dtype, info.attention) == (
        "modernbert",
        "text-classification",
        "float32",
        "sdpa",
    )
    assert (info.window, info.labels, info.activation) == (1024, ("sea", "land"), Activation.SOFTMAX)
    assert info.revision is None


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        pytest.param(("sea", "land"), None, id="several labels"),
        pytest.param(("sea", "land"), "single_label_classification", id="one of several labels"),
        pytest.param(("sea", "land"), "multi_label_classification", id="independent labels"),
        pytest.param(("sea",), None, id="a single label"),
        pytest.param(("sea", "land"), "regression", id="numbers"),
        pytest.param(("depth",), "regression", id="a number"),
    ],
)
def test_scores_are_made_of_logits_as_transformers_makes_them(
    tmp_path: Path, labels: tuple[str, ...], problem: str | None
) -> None:
    """By its own pipeline. Through a sigmoid, a regression of -3 would be told as 0.05."""
    folder = random_model(tmp_path, id2label=dict(enumerate(labels)), label2id={}, problem_type=problem)
    info = load_model(wanted(folder), CPU).info
    kind: Any = TextClassificationPipeline
    tokenizer: Any = PreTrainedTokenizerFast
    pipeline = kind(
        model=ModernBertForSequenceClassification.from_pretrained(folder),
        tokenizer=tokenizer(tokenizer_file=str(folder / "tokenizer.json")),
    )
    logits = (-3.0, 0.5)[: len(labels)]
    told = pipeline.postprocess({"logits": torch.tensor([logits])}, top_k=None, _legacy=False)
    expected = {entry["label"]: entry["score"] for entry in told}
    assert dict(zip(info.labels, activate(logits, info.activation), strict=True)) == pytest.approx(expected)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text(content)

    return spoil


def change_config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", **changes)


def rotate_by(**numbers: Any) -> Callable[[Path], None]:
    ordinary = {"rope_type": "default", "rope_theta": 10_000.0}
    return change_config(
        rope_parameters={
            "full_attention": {**ordinary, "rope_type": "yarn", **numbers},
            "sliding_attention": ordinary,
        }
    )


def drop_classifier(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def pickle_the_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_the_weights_short(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def cut_the_last_byte(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def point_to_missing_shards(folder: Path) -> None:
    index = {"metadata": {}, "weight_map": {"classifier.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")


def leave_a_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def leave_an_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    (folder / "model.safetensors").unlink()


def put_one_folder_deeper(folder: Path) -> None:
    shutil.copytree(folder, folder / "final")
    (folder / "config.json").unlink()


def shard(*named: str) -> Callable[[Path], None]:
    """The weights as a shard, with an index that names `named`."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        (folder / "within").mkdir()
        shutil.copy(folder / "part.safetensors", folder / "within")
        shutil.copy(folder / "part.safetensors", folder.parent / "outside.safetensors")
        index = {"metadata": {}, "weight_map": {str(number): name for number, name in enumerate(named)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return spoil


def break_the_index(folder: Path) -> None:
    shard()(folder)
    (folder / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": ["part.safetensors"]}')


def rename_the_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights.safetensors")


def write_a_header(header: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())

    return spoil


NESTED = "[" * 100_000 + "]" * 100_000


def save_the_weights_as(dtype: torch.dtype) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file({name: tensor.to(dtype) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})

    return spoil


def change_tokenizer(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "tokenizer.json"
        told = json.loads(file.read_text())
        change(told)
        file.write_text(json.dumps(told))

    return spoil


def end_texts_with(number: int) -> Callable[[Path], None]:
    return change_tokenizer(lambda told: told["post_processor"]["special_tokens"]["[SEP]"].update(ids=[number]))


def enlarge_the_tokenizer(folder: Path) -> None:
    save_tokenizer(word_tokenizer([f"word{number}" for number in range(500)]), folder)


WRONG = [
    pytest.param(shutil.rmtree, {}, "does not exist", id="no folder"),
    pytest.param(remove("config.json"), {}, "has no config.json; point the model location", id="no config"),
    pytest.param(write("config.json", "{"), {}, "cannot be read as JSON", id="config is not JSON"),
    pytest.param(write("config.json", "[]"), {}, "Input should be an object", id="config is a list"),
    pytest.param(remove("model.safetensors"), {}, "found no weights at all", id="no weights"),
    pytest.param(pickle_the_weights, {}, "found pytorch_model.bin, which can run code", id="pickled weights"),
    pytest.param(cut_the_weights_short, {}, "no safetensors file that can be read", id="weights cut within the header"),
    pytest.param(cut_the_last_byte, {}, "it was cut short; copy it again", id="weights cut short"),
    pytest.param(write("model.safetensors", ""), {}, "no safetensors file that can be read", id="empty weights"),
    pytest.param(write("model.safetensors", "\x7f" * 99), {}, "its header would have", id="no safetensors at all"),
    pytest.param(leave_a_pointer, {}, "is a pointer of Git LFS", id="cloned without its weights"),
    pytest.param(leave_an_adapter, {}, "merge it into its base", id="an adapter"),
    pytest.param(put_one_folder_deeper, {}, "but final in it has; point the model location", id="one folder deeper"),
    pytest.param(
        change_config(quantization_config={"quant_method": "gptq"}), {}, "are quantised by gptq", id="quantised"
    ),
    pytest.param(break_the_index, {}, "weight_map: Input should be", id="bad index"),
    pytest.param(shard("../outside.safetensors"), {}, "names '../outside.safetensors', expected", id="shard outside"),
    pytest.param(shard("within/part.safetensors"), {}, "names 'within/part.safetensors', exp", id="shard deeper"),
    pytest.param(shard("part.safetensors", "part.bin"), {}, "names 'part.bin', expected", id="pickled shard"),
    pytest.param(
        rename_the_weights, {}, "name a single file of weights model.safetensors", id="weights by another name"
    ),
    pytest.param(
        change_config(transformers_weights="within/part.safetensors"), {}, "weights of its own", id="weights elsewhere"
    ),
    pytest.param(write_a_header("[]"), {}, "its header is not as expected", id="header is a list"),
    pytest.param(write_a_header(NESTED), {}, "recursion limit exceeded", id="header nested without end"),
    pytest.param(point_to_missing_shards, {}, "names model-00002-of-00002.safetensors: not", id="a shard is missing"),
    pytest.param(shard("a" * 300 + ".safetensors"), {}, "aaa.safetensors: not there; copy all", id="endless name"),
    pytest.param(save_the_weights_as(torch.int8), {}, " as I8, expected one of F64, F32", id="whole numbers"),
    pytest.param(save_the_weights_as(torch.float8_e4m3fn), {}, " as F8_E4M3, expected one of", id="narrow numbers"),
    pytest.param(drop_classifier, {}, "missing keys: classifier.bias, classifier.weight", id="head is missing"),
    pytest.param(change_config(hidden_size=64), {}, "do not fit its config.json (hidden_size is 64", id="sizes differ"),
    pytest.param(change_config(id2label={"0": "sea"}), {}, "(mismatched keys: classifier.bias", id="shapes differ"),
    pytest.param(change_config(vocab_size=2_000_000_000), {}, "vocab_size is 2000000000, which", id="huge vocabulary"),
    pytest.param(change_config(num_labels=1 << 20), {}, "num_labels is 1048576, and no tensor", id="endless labels"),
    pytest.param(change_config(num_labels=-1), {}, "num_labels: Input should be greater", id="less than no labels"),
    pytest.param(change_config(type_vocab_size=10**9), {}, "type_vocab_size is 1000000000, and no", id="endless kinds"),
    pytest.param(write("config.json", NESTED), {}, "recursion limit exceeded", id="config nested without end"),
    pytest.param(change_config(architectures={"a": 1}), {}, "architectures: Input should", id="architectures: object"),
    pytest.param(change_config(architectures=5), {}, "architectures: Input should", id="architectures: number"),
    pytest.param(change_config(architectures="Modern"), {}, "architectures: Input should", id="architectures: string"),
    pytest.param(
        change_config(id2label={"1": "sea", "2": "land"}), {}, "numbered 1, 2 and so on, expected 0 to 1", id="from 1"
    ),
    pytest.param(
        change_config(id2label={"0": "sea", "5": "land"}), {}, "numbered 0, 5 and so on, expected 0 to 1", id="a gap"
    ),
    pytest.param(change_config(id2label={"x": "sea"}), {}, "id2label.x", id="labels without numbers"),
    pytest.param(change_config(id2label={"0": None}), {}, "id2label.0", id="a label without a name"),
    pytest.param(change_config(hidden_size="64"), {}, "hidden_size: Input should be a valid integer", id="a string"),
    pytest.param(change_config(hidden_size=-32), {}, "hidden_size: Input should be greater than", id="negative size"),
    pytest.param(change_config(num_attention_heads=0), {}, "num_attention_heads: Input should", id="no heads"),
    pytest.param(change_config(num_hidden_layers=0), {}, "num_hidden_layers: Input should be", id="no layers"),
    pytest.param(change_config(num_hidden_layers=10**9), {}, "num_hidden_layers: Input should be", id="endless layers"),
    pytest.param(change_config(num_hidden_layers=5), {}, "`num_hidden_layers` (5) must be equal", id="layers differ"),
    pytest.param(
        change_config(layer_types=["own"] * 3), {}, "cannot be loaded: Validation error", id="kinds of layers"
    ),
    pytest.param(change_config(max_position_embeddings="1k"), {}, "max_position_embeddings: Input", id="odd window"),
    pytest.param(change_config(num_attention_heads=5), {}, "5 attention heads cannot share a width", id="heads"),
    pytest.param(change_config(num_attention_heads=32), {}, "has a width of 1, expected an even", id="odd heads"),
    pytest.param(change_config(pad_token_id=5_000), {}, "pad_token_id is 5000, expected less", id="padding"),
    pytest.param(change_config(local_attention=-1), {}, "local_attention: Input should be greater", id="no window"),
    pytest.param(change_config(problem_type="guess"), {}, "problem_type: Input should be 'single", id="odd problem"),
    pytest.param(change_config(global_rope_theta="a"), {}, "global_rope_theta: Input should be", id="odd rotation"),
    pytest.param(
        change_config(rope_parameters={"full_attention": {"rope_theta": 0}}),
        {},
        "rope_parameters.full_attention.rope_theta: Input should be greater",
        id="no rotation",
    ),
    pytest.param(
        change_config(rope_parameters={"full_attention": {"rope_type": "longrope", "rope_theta": 10_000.0}}),
        {},
        "a short text is turned otherwise beside a long one; expected another, such as default",
        id="rotation by the longest text",
    ),
    pytest.param(
        change_config(rope_scaling={"type": "longrope"}), {}, "rope_type is longrope", id="the same in older words"
    ),
    pytest.param(rotate_by(factor="a"), {}, "full_attention.factor: Input should be", id="rotation by a letter"),
    pytest.param(rotate_by(attention_factor="a"), {}, "attention_factor: Input should be", id="scaled by a letter"),
    pytest.param(
        rotate_by(factor=2.0, mscale="a", mscale_all_dim="b"), {}, "be loaded: can't multiply", id="scaled by letters"
    ),
    pytest.param(change_config(max_position_embeddings=0), {}, "max_position_embeddings: Input", id="no positions"),
    pytest.param(
        change_config(max_position_embeddings=15), {}, "the model reads 15 tokens (max_position_emb", id="few positions"
    ),
    pytest.param(change_config(id2label={"0": "a", "1": "a"}), {}, "'a' is there more", id="labels of one name"),
    pytest.param(change_config(hidden_activation="nope"), {}, "config.json names 'nope', which", id="odd activation"),
    pytest.param(
        change_config(model_type="xlm-roberta", pad_token_id=None), {}, "pad_token_id is null", id="nothing to pad with"
    ),
    pytest.param(change_config(dtype="evil"), {}, "dtype: Input should be 'float64', 'float32'", id="unknown numbers"),
    pytest.param(write("modules.json", '{"a": 1}'), {"task": "feature-extraction"}, "valid array", id="odd modules"),
    pytest.param(remove("tokenizer.json"), {}, "has no tokenizer.json", id="no tokenizer"),
    pytest.param(write("tokenizer.json", "{}"), {}, "is no tokenizer that can be read", id="bad tokenizer"),
    pytest.param(enlarge_the_tokenizer, {}, "ids up to 503, but the model embeds 20", id="tokenizer of another model"),
    pytest.param(
        change_tokenizer(lambda told: told["model"]["vocab"].update(tides=5_000)),
        {},
        "has token ids up to 5000, but the model embeds 20",
        id="a token of no row",
    ),
    pytest.param(end_texts_with(999_999), {}, "has token ids up to 999999, but", id="every text ends in no row"),
    pytest.param(
        lambda folder: None, {"family": "bert"}, "has model_type 'modernbert', but the family is bert", id="family"
    ),
    pytest.param(
        change_config(architectures=["ModernBertForMaskedLM"]), {}, "fine-tune it for the task first", id="not tuned"
    ),
    pytest.param(
        lambda folder: None,
        {"task": "token-classification"},
        "set spec.model.task: text-classification",
        id="the other task",
    ),
    pytest.param(
        lambda folder: None,
        {"family": "scaled", "task": "token-classification"},
        "does not serve the task",
        id="task not served",
    ),
    pytest.param(
        lambda folder: None, {"family": "unheard-of"}, "no model family 'unheard-of'; this server has", id="no family"
    ),
]


@pytest.mark.parametrize(("spoil", "fields", "message"), WRONG)
def test_a_model_that_cannot_be_served_is_refused_with_what_to_do(
    topic_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], fields: dict[str, Any], message: str
) -> None:
    folder = Path(shutil.copytree(topic_folder, tmp_path / "models" / "topics"))
    spoil(folder)
    with pytest.raises(ModelError) as refusal:
        load_model(wanted(folder, **fields), CPU)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value), "it is one sentence"


def test_positions_that_older_releases_saved_beside_the_weights_are_no_reason_to_refuse_them(
    topic_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(topic_folder, tmp_path / "model"))
    file = folder / "model.safetensors"
    weights = {**load_file(file), "model.embeddings.position_ids": torch.arange(1024)}
    save_file(weights, file, metadata={"format": "pt"})
    assert load_model(wanted(folder), CPU)


def test_labels_that_are_numbers_are_told_as_words(topic_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(topic_folder, tmp_path / "model"))
    edit_json(folder / "config.json", id2label={"0": 1, "1": 2.5})
    assert load_model(wanted(folder), CPU).info.labels == ("1", "2.5")


def test_code_in_the_folder_is_never_run(topic_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(topic_folder, tmp_path / "model"))
    trace = tmp_path / "trace"
    (folder / "modeling_own.py").write_text(f"open({str(trace)!r}, 'w')")
    edit_json(
        folder / "config.json",
        auto_map={"AutoModelForSequenceClassification": "modeling_own.Own", "AutoConfig": "modeling_own.Own"},
    )
    assert load_model(wanted(folder), CPU)
    assert not trace.exists()
