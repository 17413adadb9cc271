"""Every reason that the operator's code can give to a condition, read from the code itself."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import plimsoll_operator
from plimsoll_operator.rollout.evidence import Data

PACKAGE = Path(plimsoll_operator.__file__).parent

PLACES = {"Reason": 0, "Condition": 2, "_condition": 2, "Move": 1}
"""Which argument of a call is the reason."""


def reasons_in_code() -> set[str]:
    return {reason for path in sorted(PACKAGE.rglob("*.py")) for reason in _reasons_in(path)}


def _reasons_in(path: Path) -> Iterator[str]:
    module = ".".join(("plimsoll_operator", *path.relative_to(PACKAGE).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            for expression in _reason_arguments(node):
                yield from _texts(expression, module)


def _reason_arguments(call: ast.Call) -> Iterator[ast.expr]:
    name = getattr(call.func, "id", "")
    place = PLACES.get(name)
    if place is not None and len(call.args) > place:
        yield call.args[place]
    if place is not None or name == "replace":
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "reason")


def _texts(expression: ast.expr, module: str) -> Iterator[str]:
    """The texts that an expression can have: a literal, a constant of the module, or either of a choice."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, module)
            yield from _texts(orelse, module)
        case ast.Attribute(attr="data"):
            yield from set(get_args(Data)) - {"Measured"}
        case ast.Name(id=name):
            constant = getattr(importlib.import_module(module), name, None)
            if isinstance(constant, str):
                yield constant
