"""Writes what follows from the CRD, so that it cannot drift from it.

That is the field tables and the table of messages in docs/api.md, and the list of fields by which the operator sees
that an installed CRD is older than itself.

python crds/render_reference.py            rewrite them
python crds/render_reference.py --check    only compare; exits 1 when one is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_operator.cluster.compatibility import FIELDS_FILE, field_paths

ROOT = Path(__file__).resolve().parents[1]
CRD = ROOT / "crds" / "plimsoll.dev_inferencedeployments.yaml"
PAGE = ROOT / "docs" / "api.md"
FIELDS = ROOT / "operator" / "src" / "plimsoll_operator" / "cluster" / FIELDS_FILE

Schema = dict[str, Any]
_DEFAULT = re.compile(r" ?Default: (.+)\.$")


@dataclass(frozen=True)
class Field:
    """One field of the API; `path` writes a list's items as `tiers[]` and a map's values as `limits{}`."""

    path: str
    schema: Schema
    required: bool


def fields(schema: Schema, path: str = "") -> Iterator[Field]:
    """Every field under a schema, parents first, in the order of the file."""
    for name, child in schema.get("properties", {}).items():
        child_path = f"{path}.{name}" if path else name
        yield Field(child_path, child, name in schema.get("required", ()))
        yield from _inside(child, child_path)


def _inside(schema: Schema, path: str) -> Iterator[Field]:
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")
    else:
        yield from fields(schema, path)


def rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Every rule's (path, message): the field a message is reported at, and the message's fixed text."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"{path}{rule.get('fieldPath', '')}".lstrip("."), rule["message"]
    for name, child in schema.get("properties", {}).items():
        yield from rules(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from rules(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from rules(schema["additionalProperties"], f"{path}{{}}")


def describe_type(schema: Schema) -> str:
    """`integer 1 to 16`, `Auto, Native, …`, `list, at most 8`."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return "quantity"
    match schema["type"]:
        case "integer" if "maximum" in schema:
            return f"integer {schema['minimum']} to {schema['maximum']}"
        case "integer" if "minimum" in schema:
            return f"integer from {schema['minimum']}"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case "string":
            return f"string ≤ {schema['maxLength']}"
        case "array":
            return f"list ≤ {schema['maxItems']}"
        case "object" if "additionalProperties" in schema:
            return f"map ≤ {schema['maxProperties']}"
        case plain:
            return str(plain)


def _row(field: Field, under: str) -> str:
    description = field.schema["description"]
    default = _DEFAULT.search(description)
    value = "**required**" if field.required else f"`{default.group(1)}`" if default else ""
    name = field.path.removeprefix(f"{under}.")
    return f"| `{name}` | {describe_type(field.schema)} | {value} | {_DEFAULT.sub('', description)} |"


def _table(title: str, section: Field, header: str) -> str:
    inner = list(_inside(section.schema, section.path))
    lines = [f"### {title}", "", section.schema["description"], ""]
    if inner:
        lines += [header, "|---|---|---|---|", *(_row(field, "status") for field in inner), ""]
    return "\n".join(lines)


def render_reference(schema: Schema) -> str:
    """The reference as markdown: a table per section of the spec, one of the status, one of the messages."""
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    sections = [field for field in fields(spec) if "." not in field.path]
    parts = ["## Fields of spec", "", spec["description"], ""]
    parts += [_table(f"`{s.path}`", s, "| field | type | default | meaning |") for s in sections]
    parts += ["## Fields of status", "", status["description"], ""]
    parts += ["| field | type | always there | meaning |", "|---|---|---|---|"]
    parts += [_row(field, "status").replace("**required**", "yes") for field in fields(status, "status")]
    parts += ["", "## Messages", "", _MESSAGES, "", "| field | message |", "|---|---|"]
    parts += [f"| `{path}` | {_escape(message)} |" for path, message in rules(schema)]
    return "\n".join(parts) + "\n"


_MESSAGES = """\
A bad object is refused when it is applied, with the field and what to write instead. Some messages also name the values
that were found; this is their fixed text."""


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def splice(page: str, reference: str) -> str:
    """The page with the text between its two markers replaced. Raises ValueError when a marker is missing."""
    begin, end = "<!-- generated by crds/render_reference.py -->\n", "<!-- end of the generated part -->\n"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"{PAGE}: expected the lines {begin.strip()!r} and {end.strip()!r} once each")
    head, rest = page.split(begin)
    return head + begin + "\n" + reference + "\n" + end + rest.split(end)[1]


def main(arguments: list[str]) -> int:
    definition = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    current = {
        PAGE: splice(PAGE.read_text(encoding="utf-8"), render_reference(schema)),
        FIELDS: "".join(f"{path}\n" for path in field_paths(schema)),
    }
    if arguments == ["--check"]:
        old = [path for path, text in current.items() if path.read_text(encoding="utf-8") != text]
        for path in old:
            sys.stderr.write(f"{path.relative_to(ROOT)} is older than the CRD; run: python crds/render_reference.py\n")
        return int(bool(old))
    for path, text in current.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
