"""The corpus: which modules, which texts, in which order, and what is said when they are missing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from plimsoll_server.train.demo.corpus import (
    LEAST_CHARACTERS_PER_TOPIC,
    LEAST_MODULES_PER_TOPIC,
    Module,
    read_corpus,
    standard_library,
)
from plimsoll_server.train.demo.topics import TOPICS
from plimsoll_server.train.errors import TrainingError

OF_OTHER_VERSIONS = {
    *("_pydatetime", "_pylong"),  # since 3.12
    *("asynchat", "asyncore", "smtpd"),  # until 3.11
    *("cgi", "lib2to3", "nntplib", "telnetlib"),  # until 3.12
    *("_compression", "sre_parse"),  # until 3.13
}


def make_library(folder: Path, sources: dict[str, str]) -> Path:
    """`sources` by their paths, and enough plants that the topic may be learnt."""
    words = LEAST_CHARACTERS_PER_TOPIC // LEAST_MODULES_PER_TOPIC // len("leaf0 ") + 2
    plants = {f"plant{number}.py": f'"""{f"leaf{number} " * words}"""' for number in range(LEAST_MODULES_PER_TOPIC)}
    for path, source in {**plants, **sources}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return folder


def read(library: Path, *names: str) -> dict[str, Module]:
    plants = tuple(f"plant{number}" for number in range(LEAST_MODULES_PER_TOPIC))
    return {module.name: module for module in read_corpus(library, {"plants": (*names, *plants)})}


def long(word: str) -> str:
    return " ".join([word] * 100)


def test_every_name_of_the_table_is_a_module_of_a_supported_python() -> None:
    listed = {name for names in TOPICS.values() for name in names}

    assert listed <= sys.stdlib_module_names | OF_OTHER_VERSIONS


def test_no_name_stands_under_two_topics() -> None:
    counts = Counter(name for names in TOPICS.values() for name in names)

    assert [name for name, count in counts.items() if count > 1] == []


def test_this_python_has_enough_of_every_topic_and_every_text_once() -> None:
    modules = read_corpus(standard_library())
    texts = Counter(text for module in modules for text in module.docstrings)

    assert {module.topic for module in modules} == set(TOPICS)
    assert [module.name for module in modules] == sorted({module.name for module in modules})
    assert max(texts.values()) == 1
    assert not [module.name for module in modules if "test" in module.name.split(".")]


def test_docstrings_come_in_the_order_of_the_source_and_without_the_code(tmp_path: Path) -> None:
    source = f'''"""{long("first")}"""

class Oak:
    """second"""

    def grow(self):
        """third"""
        return "not documentation"

async def water():
    """fourth"""
'''
    modules = read(make_library(tmp_path, {"oak.py": source}), "oak")

    assert modules["oak"].docstrings == (long("first"), "second", "third", "fourth")


def test_a_package_stands_for_all_its_modules_but_its_tests(tmp_path: Path) -> None:
    library = make_library(
        tmp_path,
        {
            "oak/__init__.py": f'"""{long("init")}"""',
            "oak/leaf.py": f'"""{long("leaf")}"""',
            "oak/deep/root.py": f'"""{long("root")}"""',
            "oak/tests/leaf.py": f'"""{long("test")}"""',
        },
    )

    assert {name for name in read(library, "oak") if name.startswith("oak")} == {"oak", "oak.leaf", "oak.deep.root"}


def test_a_text_of_two_modules_belongs_to_the_first(tmp_path: Path) -> None:
    both = f'"""{long("shared")}"""\n'
    library = make_library(tmp_path, {"ash.py": both, "oak.py": both + f'def grow():\n    """{long("own")}"""\n'})

    modules = read(library, "oak", "ash")

    assert modules["ash"].docstrings == (long("shared"),)
    assert modules["oak"].docstrings == (long("own"),)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("'''short'''", id="hardly a word"),
        pytest.param("x = 1", id="no docstring"),
        pytest.param("def broken(:\n", id="no Python"),
        pytest.param("x = '\0'", id="a null byte"),
    ],
)
def test_a_module_without_documentation_is_passed_over(tmp_path: Path, source: str) -> None:
    assert "oak" not in read(make_library(tmp_path, {"oak.py": source}), "oak")


def test_a_module_that_this_python_lacks_is_passed_over(tmp_path: Path) -> None:
    assert "gone" not in read(make_library(tmp_path, {}), "gone")


@pytest.mark.parametrize("library", ["missing", "python311.zip", "stripped"])
def test_a_python_without_sources_is_told_what_was_found_and_what_to_do(tmp_path: Path, library: str) -> None:
    (tmp_path / "python311.zip").write_bytes(b"PK")
    (tmp_path / "stripped").mkdir()
    (tmp_path / "stripped" / "queue.py").write_text("class Queue: ...\n")

    with pytest.raises(TrainingError, match=rf"{library}: at least 5 modules.*found 0 and 0.*--library"):
        read_corpus(tmp_path / library)
