"""The docstrings of the standard library, read from its sources without importing them."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.train.demo.topics import TOPICS
from plimsoll_server.train.errors import TrainingError

LEAST_CHARACTERS_PER_MODULE = 200
LEAST_CHARACTERS_PER_TOPIC = 40_000
LEAST_MODULES_PER_TOPIC = 5

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_NOT_DOCUMENTATION = {"test", "tests"}


@dataclass(frozen=True)
class Module:
    """A module's docstrings in the order of its source, less those that an earlier module has word for word."""

    name: str
    topic: str
    docstrings: tuple[str, ...]

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def characters(self) -> int:
        return sum(map(len, self.docstrings))


def standard_library() -> Path:
    """The sources of the Python that runs this."""
    return Path(sysconfig.get_path("stdlib"))


def read_corpus(library: Path, topics: Mapping[str, tuple[str, ...]] = TOPICS) -> list[Module]:
    """The documented modules of `topics`, by name. Raises TrainingError where there is too little to learn from."""
    found = sorted((name, topic, path) for topic, names in topics.items() for name, path in _sources(library, names))
    modules = list(_without_repeats((name, topic, _docstrings(path)) for name, topic, path in found))
    _check_enough(library, modules, topics)
    return modules


def _sources(library: Path, names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        paths = [library / f"{name}.py", *(library / name).rglob("*.py")]
        for path in paths:
            parts = path.relative_to(library).with_suffix("").parts
            if path.is_file() and not _NOT_DOCUMENTATION.intersection(parts):
                yield ".".join(parts).removesuffix(".__init__"), path


def _docstrings(path: Path) -> list[str]:
    """None of a file that is no source for this Python: another version's library may hold such."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    return [text for node in _in_order(tree) if (text := ast.get_docstring(node))]


def _in_order(node: ast.AST) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Depth first, as one reads; `ast.walk` would give all classes before the first method."""
    if isinstance(node, _DOCUMENTED):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _without_repeats(found: Iterable[tuple[str, str, list[str]]]) -> Iterator[Module]:
    """A text that stands in two modules must not be learnt in one and asked for in the other."""
    seen: set[str] = set()
    for name, topic, docstrings in found:
        fresh = tuple(text for text in dict.fromkeys(docstrings) if text not in seen)
        seen.update(fresh)
        module = Module(name, topic, fresh)
        if module.characters >= LEAST_CHARACTERS_PER_MODULE:
            yield module


def _check_enough(library: Path, modules: list[Module], topics: Iterable[str]) -> None:
    for topic in topics:
        of_topic = [module for module in modules if module.topic == topic]
        characters = sum(module.characters for module in of_topic)
        if len(of_topic) < LEAST_MODULES_PER_TOPIC or characters < LEAST_CHARACTERS_PER_TOPIC:
            raise TrainingError(
                f"expected the standard library's sources with their docstrings in {library}: at least "
                f"{LEAST_MODULES_PER_TOPIC} modules and {LEAST_CHARACTERS_PER_TOPIC:,} characters on {topic}; found "
                f"{len(of_topic)} and {characters:,}. This Python may be zipped or stripped: name the library of "
                "another one by --library, such as /usr/lib/python3.11"
            )
