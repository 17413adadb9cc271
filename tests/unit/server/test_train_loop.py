"""Batches and the training loop, on a network that takes seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from plimsoll_server.train.demo.batches import Batch, batches, topic_streams
from plimsoll_server.train.demo.corpus import Module
from plimsoll_server.train.demo.loop import LAST_LEARNING_RATE, learning_rate_share, train
from plimsoll_server.train.demo.network import build_network
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.tokenizer import SPECIAL_TOKENS, train_tokenizer
from plimsoll_server.train.errors import TrainingError

SMALL = Recipe(vocabulary=200, hidden=32, heads=2, layers=2, intermediate=32, steps=40, batch=512, longest=64)
LABELS = ("animals", "plants")
STREAMS = [torch.full((500,), 100), torch.full((300,), 101)]
START, END, MASK = (SPECIAL_TOKENS.index(token) for token in ("[CLS]", "[SEP]", "[MASK]"))


def losses(recipe: Recipe) -> list[float]:
    told: list[float] = []
    with repeatable(recipe.seed):
        train(build_network(recipe, LABELS), batches(STREAMS, recipe), recipe, told.append)
    return told


def test_a_stream_holds_a_topics_texts_one_after_the_other() -> None:
    tokenizer = train_tokenizer(["the cat eats", "the oak grows"] * 3, 200)
    modules = [
        Module("cat", "animals", ("the cat", "eats")),
        Module("oak", "plants", ("the oak",)),
        Module("dog", "animals", ("the cat",)),
    ]

    streams = topic_streams(modules, tokenizer, LABELS)

    assert [tokenizer.decode(stream.tolist()) for stream in streams] == ["the cat eats the cat", "the oak"]


def test_every_batch_is_framed_unpadded_and_of_its_topics_text() -> None:
    for batch in batches(STREAMS, SMALL):
        assert set(batch.tokens[:, 0].tolist()) == {START}
        assert set(batch.tokens[:, -1].tolist()) == {END}
        for row, topic in zip(batch.tokens[:, 1:-1], batch.topics.tolist(), strict=True):
            assert set(row.tolist()) <= {int(STREAMS[topic][0]), MASK}


def test_batches_have_about_the_wanted_size_and_every_topic_equally_often() -> None:
    made = list(batches(STREAMS, SMALL))

    assert len(made) == SMALL.steps
    assert len({batch.tokens.shape[1] for batch in made}) > SMALL.steps / 4
    for batch in made:
        spans, length = batch.tokens.shape
        assert SMALL.shortest <= length - 2 <= SMALL.longest
        assert SMALL.batch - length <= spans * (length - 2) <= SMALL.batch
        assert abs((batch.topics == 0).sum().item() - spans / 2) <= 0.5


def test_a_topic_with_little_text_bounds_the_length_of_all() -> None:
    made = batches([torch.arange(40), torch.arange(900)], SMALL)
    assert {batch.tokens.shape[1] - 2 for batch in made} <= set(range(SMALL.shortest, 41))


@pytest.mark.parametrize(
    ("step", "share"),
    [
        pytest.param(0, 0.1, id="first"),
        pytest.param(9, 1.0, id="top"),
        pytest.param(55, (1 + LAST_LEARNING_RATE) / 2, id="half way down"),
        pytest.param(100, LAST_LEARNING_RATE, id="last"),
        pytest.param(101, LAST_LEARNING_RATE, id="never below"),
    ],
)
def test_the_learning_rate_rises_in_a_line_and_falls_as_a_cosine(step: int, share: float) -> None:
    assert learning_rate_share(step, steps=100, warm_up=0.1) == pytest.approx(share)


def test_training_lowers_the_loss_and_tells_each_one() -> None:
    told = losses(SMALL)

    assert len(told) == SMALL.steps
    assert told[0] > 0.9 * math.log(2)
    assert sum(told[-5:]) / 5 < 0.4


def test_a_seed_always_gives_the_same_losses_and_another_seed_others() -> None:
    assert losses(SMALL) == losses(SMALL)
    assert losses(SMALL) != losses(replace(SMALL, seed=1))


def test_a_loss_that_is_no_number_ends_the_training_and_says_where() -> None:
    network = build_network(SMALL, LABELS)

    def broken() -> Iterator[Batch]:
        yield from list(batches(STREAMS, SMALL))[:2]
        with torch.no_grad():
            network.classifier.weight.fill_(math.nan)
        yield from batches(STREAMS, SMALL)

    with pytest.raises(TrainingError, match=r"found nan at step 3 of 40; nothing was saved.*--seed"):
        train(network, broken(), SMALL, lambda _: None)


def test_the_process_keeps_its_random_state_and_its_threads() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()

    losses(replace(SMALL, steps=1))

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
