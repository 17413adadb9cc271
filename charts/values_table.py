"""Writes the table of values in the chart's README from values.yaml. `--check` only tells whether it is current.

A value is described by the comment above it that starts with `# -- ` and ends at a line with nothing but `#`.
A described map is one row: what is in it is the user's data, not more settings.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent / "plimsoll"
VALUES = CHART / "values.yaml"
README = CHART / "README.md"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
LONGEST_DEFAULT = 60

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][\w.-]*):(?P<rest>.*)")


def descriptions(text: str) -> dict[str, str]:
    """The description of each described value, by its dotted path."""
    found: dict[str, str] = {}
    comment: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        key = _KEY.fullmatch(line)
        if key:
            indent = len(key["indent"])
            parents = [parent for parent in parents if parent[0] < indent] + [(indent, key["key"])]
            description = _description(comment)
            if description:
                found[".".join(name for _, name in parents)] = description
        comment = []
    return found


def _description(comment: list[str]) -> str:
    starts = [number for number, line in enumerate(comment) if line.startswith("-- ")]
    if not starts:
        return ""
    lines = comment[starts[-1] :]
    end = lines.index("") if "" in lines else len(lines)
    return " ".join(lines[:end]).removeprefix("-- ")


def settings(values: Mapping[str, Any], described: Mapping[str, str], parent: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is a setting, with its default: a described one whole, others by what they hold."""
    for key, value in values.items():
        path = f"{parent}.{key}" if parent else key
        if isinstance(value, dict) and value and path not in described:
            yield from settings(value, described, path)
        else:
            yield path, value


def table(text: str) -> str:
    described = descriptions(text)
    rows = [f"| `{path}` | {_default(value)} | {described.get(path, '')} |" for path, value in _all(text, described)]
    return "\n".join(["| Value | Default | What it does |", "|---|---|---|", *rows])


def _all(text: str, described: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    return settings(yaml.safe_load(text), described)


def _default(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return f"`{written}`" if len(written) <= LONGEST_DEFAULT else "see values.yaml"


def rendered_readme() -> str:
    before, rest = README.read_text().split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(VALUES.read_text())}\n{END}{after}"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"expected nothing or --check, found {' '.join(arguments)}", file=sys.stderr)  # noqa: T201
        return 2
    current = README.read_text() == rendered_readme()
    if arguments and not current:
        print("the table of values in the chart's README.md is old: run python charts/values_table.py")  # noqa: T201
        return 1
    README.write_text(rendered_readme())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
