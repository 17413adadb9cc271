"""Argo CD's Lua: Lua 5.1 with tables and the two harmless functions of `os`, and the object in `obj`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lupa.lua51 import LuaRuntime, lua_type

ROOT = Path(__file__).parents[1]
HEALTH_SCRIPT = ROOT / "docs" / "argocd-health.lua"
CONFIG_MAP = ROOT / "examples" / "gitops" / "argocd" / "argocd-cm.yaml"
_CUSTOMIZATIONS = "resource.customizations.{}.plimsoll.dev_InferenceDeployment"

# Argo CD opens no other library, neither for a health script nor for an action, unless it is told to.
_AS_ARGO_CD_HAS_IT = """
local time, date = os.time, os.date
getmetatable("").__index = nil
for _, name in ipairs({"string", "math", "io", "debug", "package", "coroutine", "require", "dofile", "loadfile"}) do
  _G[name] = nil
end
os = { time = time, date = date }
"""


def argo_health(found: Mapping[str, Any]) -> str:
    """Healthy, Progressing, Degraded or Suspended; a message must come with it."""
    health = _run(HEALTH_SCRIPT.read_text(encoding="utf-8"), found)
    assert health["message"]
    return str(health["status"])


def customization(kind: str) -> str:
    """What the example ConfigMap holds for `health` or `actions`."""
    config: dict[str, Any] = yaml.safe_load(CONFIG_MAP.read_text(encoding="utf-8"))
    return str(config["data"][_CUSTOMIZATIONS.format(kind)])


def offered_actions(found: Mapping[str, Any]) -> set[str]:
    """The actions that a user may click on."""
    actions = _run(yaml.safe_load(customization("actions"))["discovery.lua"], found)
    return {name for name, action in actions.items() if not action["disabled"]}


def all_actions() -> set[str]:
    return {action["name"] for action in yaml.safe_load(customization("actions"))["definitions"]}


def after_action(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The object as Argo CD would send it to the apiserver."""
    definitions = yaml.safe_load(customization("actions"))["definitions"]
    script = next(action["action.lua"] for action in definitions if action["name"] == name)
    return _run(script, found)


def _run(script: str, found: Mapping[str, Any]) -> dict[str, Any]:
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute(_AS_ARGO_CD_HAS_IT)
    lua.globals()["obj"] = lua.table_from(found, recursive=True)
    returned: dict[str, Any] = _plain(lua.execute(script))
    return returned


def _plain(value: Any) -> Any:
    """A Lua table as a dict or a list."""
    if lua_type(value) != "table":
        return value
    entries = {key: _plain(inner) for key, inner in value.items()}
    return list(entries.values()) if entries and all(isinstance(key, int) for key in entries) else entries
