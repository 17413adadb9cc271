"""POST /predict against a running server: shapes, long input, entities, and every bad input with its own answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification

from plimsoll_server.engine.self_test import SelfTestError
from server_builders import (
    TOPICS,
    entity_model,
    lexicon_model,
    random_model,
    server_config,
    topic_model,
)
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = "the tides near the old harbour"
CHUNKS = {"chunkTokens": 64, "overlapTokens": 8}


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topic_model(tmp_path_factory.mktemp("topics"))


@pytest.fixture(scope="module")
def entities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return entity_model(tmp_path_factory.mktemp("entities"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(topics: Path) -> AsyncIterator[Server]:
    """One server of ordinary settings for all tests that need no other."""
    async with serving(server_config(topics, longInput=CHUNKS)) as ready:
        yield ready


def labels_of(prediction: list[dict[str, Any]]) -> list[str]:
    return [entry["label"] for entry in prediction]


async def test_one_text_is_answered_by_its_labels_in_falling_order(server: Server) -> None:
    sea = (await server.predict(SHORT)).json()
    land = (await server.predict("gearbox and tyre")).json()
    assert (labels_of(sea), labels_of(land)) == (["sea", "land"], ["land", "sea"])
    assert set(sea[0]) == {"label", "score"}
    assert sum(entry["score"] for entry in sea) == pytest.approx(1)


async def test_a_batch_is_answered_by_a_list_of_lists_in_its_order(server: Server) -> None:
    answer = (await server.predict([[SHORT], ["tyre"], ["anchor"]])).json()
    assert [labels_of(prediction)[0] for prediction in answer] == ["sea", "land", "sea"]


@pytest.mark.parametrize(("inputs", "batch"), [([SHORT], False), ([[SHORT]], True)], ids=["in a list", "a batch of it"])
async def test_the_innermost_list_is_one_input_as_text_embeddings_inference_reads_it(
    server: Server, inputs: list[Any], batch: bool
) -> None:
    one = (await server.predict(SHORT)).json()
    assert (await server.predict(inputs)).json() == ([one] if batch else one)


async def test_raw_scores_are_logits(server: Server) -> None:
    raw = (await server.predict(SHORT, raw_scores=True)).json()
    scores = (await server.predict(SHORT)).json()
    logits = torch.tensor([entry["score"] for entry in raw])
    assert logits.softmax(0).tolist() == pytest.approx([entry["score"] for entry in scores], abs=1e-6)


async def test_a_batch_over_http_equals_its_texts_one_by_one(tmp_path: Path) -> None:
    folder = random_model(tmp_path)
    texts = ["near the sea " * number for number in (1, 2, 5, 9)]
    async with serving(server_config(folder)) as server:
        together = (await server.predict([[text] for text in texts])).json()
        alone = [(await server.predict(text)).json() for text in texts]
    for batched, single in zip(together, alone, strict=True):
        assert labels_of(batched) == labels_of(single)
        assert [entry["score"] for entry in batched] == pytest.approx([entry["score"] for entry in single], abs=1e-5)


def scores_by_hand(folder: Path, pieces: list[list[int]]) -> torch.Tensor:
    """Probabilities of each piece by transformers alone: shape (pieces, labels)."""
    network: Any = ModernBertForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    with torch.inference_mode():
        return torch.cat([network(torch.tensor([piece])).logits for piece in pieces]).softmax(-1)


async def test_the_mean_of_chunks_is_that_of_the_chunks_run_by_hand(tmp_path: Path) -> None:
    """Sixty tokens and no overlap: three chunks of twenty, each framed, against transformers and the formula."""
    folder = random_model(tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text = "x" * 60
    content = tokenizer.encode(text).ids[1:-1]
    expected = scores_by_hand(folder, [[1, *content[start : start + 20], 2] for start in (0, 20, 40)]).mean(0)
    policy = {"policy": "Chunk", "chunkTokens": 22, "overlapTokens": 0}
    async with serving(server_config(folder, longInput=policy)) as server:
        response = await server.predict(text)
    assert response.headers["x-plimsoll-chunks"] == "3"
    found = {entry["label"]: entry["score"] for entry in response.json()}
    assert [found[label] for label in ("sea", "land", "sky")] == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("aggregation", "winner"),
    [
        pytest.param("Mean", "sea", id="the mean follows the text"),
        pytest.param("Max", "land", id="the maximum finds it"),
    ],
)
async def test_one_passage_of_a_long_text(topics: Path, aggregation: str, winner: str) -> None:
    """Five of six passages speak of the sea, faintly; one of the land, loudly."""
    faint, loud = "tides the a and of was here there near " * 40, "engine gearbox tyre " * 18
    policy = {**CHUNKS, "aggregation": aggregation}
    async with serving(server_config(topics, longInput=policy)) as server:
        response = await server.predict(faint + loud)
    assert int(response.headers["x-plimsoll-chunks"]) >= 6
    assert labels_of(response.json())[0] == winner


async def test_headers_tell_how_each_text_was_read(server: Server) -> None:
    response = await server.predict([["tides"], ["tides " * 100], ["tides " * 300]])
    assert response.headers["x-plimsoll-tier"] == "short,long,long"
    assert response.headers["x-plimsoll-tokens"] == "3,102,302"
    assert response.headers["x-plimsoll-chunks"].startswith("1,1,")
    assert response.headers["x-plimsoll-truncated-tokens"] == "0,0,0"


@pytest.mark.parametrize("by", ["policy", "request"])
async def test_truncation_is_never_silent(topics: Path, by: str) -> None:
    policy = {"policy": "Truncate" if by == "policy" else "Reject"}
    async with serving(server_config(topics, longInput=policy)) as server:
        response = await server.predict("tides " * 300 + "tyre " * 900, truncate=by == "request")
    assert response.status_code == 200
    assert response.headers["x-plimsoll-truncated-tokens"] == str(1200 - 254)
    assert labels_of(response.json())[0] == "sea", "the beginning is what was read"


async def test_a_refused_length_names_limit_policy_and_way_out(topics: Path) -> None:
    async with serving(server_config(topics, longInput={"policy": "Reject"})) as server:
        response = await server.predict("tides " * 400)
    assert response.status_code == 413
    assert response.json()["error_type"] == "Validation"
    assert "402 tokens, at most 256 run in one pass here" in response.json()["error"]


async def test_entities_carry_the_characters_of_the_original_text(entities: Path) -> None:
    text = "the old Ada  Lovelace was near Paris"
    async with serving(server_config(entities, model={"task": "token-classification"})) as server:
        found = (await server.predict(text)).json()
        nothing = (await server.predict("the old")).json()
    assert [(entity["label"], text[entity["start"] : entity["end"]]) for entity in found] == [
        ("PER", "Ada  Lovelace"),
        ("LOC", "Paris"),
    ]
    assert all(0.5 < entity["score"] <= 1 for entity in found)
    assert nothing == []


@pytest.mark.parametrize("overlap", [0, 6], ids=["touching chunks", "overlapping chunks"])
async def test_no_entity_is_lost_or_split_at_a_border_between_chunks(entities: Path, overlap: int) -> None:
    """A name at every place of the text, so some border falls before, within and after one."""
    text = " ".join(["the Ada Lovelace was here"] * 40)
    config = server_config(
        entities,
        model={"task": "token-classification"},
        longInput={"policy": "Chunk", "chunkTokens": 19, "overlapTokens": overlap},
    )
    async with serving(config) as server:
        response = await server.predict(text)
    found = [text[entity["start"] : entity["end"]] for entity in response.json()]
    assert int(response.headers["x-plimsoll-chunks"]) > 10
    assert found == ["Ada Lovelace"] * 40
    assert len({entity["start"] for entity in response.json()}) == 40


async def test_umlauts_and_emoji_do_not_shift_entities_after_them(tmp_path: Path) -> None:
    """Bytes as tokens: each character of several bytes is several tokens, at chunk borders too."""
    from server_builders import byte_tokenizer

    tokenizer = byte_tokenizer()
    lexicon = {"Q": "B-PER", "q": "I-PER"}
    folder = lexicon_model(tmp_path, lexicon, ("O", "B-PER", "I-PER"), "token-classification", tokenizer=tokenizer)
    text = "🚢üß " * 30 + "Qqq" + " ß🚢" * 30
    config = server_config(
        folder,
        model={"task": "token-classification"},
        longInput={"policy": "Chunk", "chunkTokens": 40, "overlapTokens": 8},
    )
    async with serving(config) as server:
        found = (await server.predict(text)).json()
    assert [text[entity["start"] : entity["end"]] for entity in found] == ["Qqq"]


BAD: list[tuple[str, bytes, int, str]] = [
    ("malformed", b"{", 400, "the body is not JSON"),
    ("nothing", b"", 422, "body: Field required"),
    ("a list", b"[]", 422, "body"),
    ("no inputs", b"{}", 422, "inputs: Field required"),
    ("a number", b'{"inputs": 5}', 422, "inputs"),
    ("null", b'{"inputs": null}', 422, "inputs"),
    ("a number among texts", b'{"inputs": [["a"], [5]]}', 422, "inputs"),
    ("empty text", b'{"inputs": ""}', 422, "inputs: the text is empty; send a text"),
    ("brackets without an end", b"[" * 4_000, 400, "the body is not JSON"),
    ("an empty text in a batch", b'{"inputs": [["sea"], [""]]}', 422, "inputs.1.0: the text is empty"),
    ("white space", b'{"inputs": "  \\n"}', 422, "empty once tokenised"),
    ("empty batch", b'{"inputs": []}', 422, "the list is empty"),
    ("an empty batch in a list", b'{"inputs": [[]]}', 422, "the list is empty"),
    (
        "a pair",
        b'{"inputs": ["a", "b"]}',
        422,
        "not served; send a batch of texts as [[text], [text]]",
    ),
    ("three texts in a list", b'{"inputs": ["a", "b", "c"]}', 422, "send a batch of texts as [[text], [text]]"),
    ("a pair in a batch", b'{"inputs": [["a"], ["b", "c"]]}', 422, "pairs of texts are not served"),
    ("a text and a list", b'{"inputs": ["a", ["b"]]}', 422, "inputs"),
    ("too many texts", json.dumps({"inputs": [["a"]] * 257}).encode(), 422, "257 entries, at most 256"),
    ("a word in the place of a boolean", b'{"inputs": "sea", "truncate": "yes"}', 422, "truncate"),
    ("half a character", b'{"inputs": "\\ud800"}', 400, "the body is not JSON: unexpected end of hex escape"),
    ("not text at all", b"\xff\xfe", 400, "the body is not JSON"),
    ("a hundred thousand brackets", b"[" * 100_000, 422, "more than 4096 strings, lists and objects"),
]


async def test_bad_input_is_answered_with_its_reason_and_nothing_else_suffers(server: Server) -> None:
    before = (await server.metrics())["plimsoll_requests_total", "none", "invalid"]
    for what, body, status, message in BAD:
        response = await post(server, body)
        assert response.status_code == status, (what, response.text)
        assert set(response.json()) == {"error", "error_type"}, what
        assert message in response.json()["error"], what
    assert (await server.predict(SHORT)).status_code == 200
    counted = await server.metrics()
    assert counted["plimsoll_requests_total", "none", "invalid"] - before == len(BAD)


async def post(server: Server, body: bytes, content_type: str = "application/json") -> Any:
    return await server.client.post("/predict", content=body, headers={"Content-Type": content_type})


async def test_what_was_sent_is_never_repeated_in_an_error(server: Server) -> None:
    response = await post(server, b'{"inputs": {"secret": "hunter2"}}')
    assert response.status_code == 422
    assert "hunter2" not in response.text


async def test_a_form_is_told_to_be_json(server: Server) -> None:
    response = await post(server, b"inputs=sea", "application/x-www-form-urlencoded")
    assert response.status_code == 422
    assert "send Content-Type: application/json" in response.json()["error"]


async def test_a_model_whose_weights_are_not_numbers_never_becomes_ready(tmp_path: Path) -> None:
    folder = topic_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["model.final_norm.weight"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SelfTestError, match="is not finite; its weights are damaged"):
        async with serving(server_config(folder)):
            pass


async def test_a_word_that_poisons_the_model_is_an_error_of_its_own_text(tmp_path: Path) -> None:
    folder = lexicon_model(tmp_path, TOPICS, ("sea", "land"), poison=["cursed"])
    async with serving(server_config(folder)) as server:
        good, bad = await asyncio.gather(server.predict(SHORT), server.predict("the cursed harbour"))
        counted = await server.metrics()
    assert good.status_code == 200
    assert (bad.status_code, bad.json()["error_type"]) == (500, "NonFinite")
    assert counted["plimsoll_requests_total", "short", "error"] == 1
    assert counted["plimsoll_requests_total", "short", "ok"] == 1
