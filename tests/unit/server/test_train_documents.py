"""The split and the documents."""

from __future__ import annotations

import pytest

from plimsoll_server.train.demo.corpus import Module, read_corpus, standard_library
from plimsoll_server.train.demo.documents import Apart, documents, joined_documents, split


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return read_corpus(standard_library())


def make_module(name: str, *docstrings: str, topic: str = "trees") -> Module:
    return Module(name, topic, docstrings)


def names(modules: tuple[Module, ...]) -> set[str]:
    return {module.name for module in modules}


def packages(modules: tuple[Module, ...]) -> set[tuple[str, str]]:
    return {(module.topic, module.package) for module in modules}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("apart", list(Apart))
def test_no_module_is_on_both_sides_and_none_is_lost(modules: list[Module], apart: Apart, seed: int) -> None:
    sides = split(modules, apart, seed)

    assert not names(sides.training) & names(sides.held_out)
    assert names(sides.training) | names(sides.held_out) == names(tuple(modules))


@pytest.mark.parametrize("seed", range(5))
def test_no_text_is_on_both_sides(modules: list[Module], seed: int) -> None:
    sides = split(modules, Apart.MODULE, seed)
    learnt, held_out = (
        {text for module in side for text in module.docstrings} for side in (sides.training, sides.held_out)
    )

    assert not learnt & held_out


@pytest.mark.parametrize("seed", range(5))
def test_apart_by_package_keeps_packages_apart(modules: list[Module], seed: int) -> None:
    sides = split(modules, Apart.PACKAGE, seed)

    assert not packages(sides.training) & packages(sides.held_out)


@pytest.mark.parametrize("seed", range(5))
def test_about_a_quarter_of_each_topic_is_held_out(modules: list[Module], seed: int) -> None:
    sides = split(modules, Apart.MODULE, seed)

    for topic in {module.topic for module in modules}:
        held_out = sum(module.characters for module in sides.held_out if module.topic == topic)
        assert 0.15 < held_out / sum(module.characters for module in modules if module.topic == topic) < 0.29


def test_a_seed_always_gives_one_split_and_another_seed_another(modules: list[Module]) -> None:
    assert split(modules, Apart.MODULE, 1) == split(modules, Apart.MODULE, 1)
    assert split(modules, Apart.MODULE, 1) != split(modules, Apart.MODULE, 2)


@pytest.mark.parametrize(
    ("docstrings", "expected"),
    [
        pytest.param(["a" * 10], ["a" * 10], id="one that is long enough"),
        pytest.param(["a" * 6, "b" * 6, "c" * 12], ["a" * 6 + "\n\n" + "b" * 6, "c" * 12], id="neighbours are joined"),
        pytest.param(["a" * 10, "b" * 4], ["a" * 10, "b" * 4], id="a rest of a third stays"),
        pytest.param(["a" * 10, "b" * 3], ["a" * 10], id="a smaller rest is dropped"),
    ],
)
def test_a_document_ends_with_the_docstring_that_completes_it(docstrings: list[str], expected: list[str]) -> None:
    assert [document.text for document in documents([make_module("oak", *docstrings)], 10)] == expected


def test_a_document_never_spans_two_modules() -> None:
    found = documents([make_module("oak", "a" * 6), make_module("ash", "b" * 6)], 10)

    assert [(document.name, document.text) for document in found] == [("oak", "a" * 6), ("ash", "b" * 6)]


def test_joined_documents_span_modules_but_never_topics_and_have_no_shorter_rest() -> None:
    found = joined_documents(
        [make_module("oak", "a" * 6), make_module("cat", "b" * 9, topic="animals"), make_module("ash", "c" * 6)], 10
    )

    assert [(document.topic, document.text) for document in found] == [("trees", "c" * 6 + "\n\n" + "a" * 6)]
