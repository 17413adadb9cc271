"""Any spec that the API accepts, made from the CRD's own rules: what they let through is what a user may write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

CRD = Path(__file__).resolve().parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
SCHEMA = yaml.safe_load(CRD.read_text("utf-8"))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]["properties"]
_PATTERN = re.compile(r"matches\('\^(.*?)\$'\)")

Strategy = st.SearchStrategy[Any]
Example = dict[str, Any]


def patterns(schema: dict[str, Any]) -> list[str]:
    """The regular expressions that the rules of one place state, without their anchors."""
    return [found for rule in schema["x-kubernetes-validations"] for found in _PATTERN.findall(rule["rule"])]


def text(schema: dict[str, Any]) -> Strategy:
    """Texts that a string's one rule accepts."""
    [pattern] = patterns(schema)
    return _matching(pattern, schema["maxLength"])


def _matching(pattern: str, limit: int) -> Strategy:
    return st.from_regex(re.compile(pattern), fullmatch=True).filter(lambda value: len(value) <= limit)


def _uris() -> Strategy:
    forms = [
        pattern for pattern in patterns(SPEC["model"]["properties"]["uri"]) if re.match("(hf|pvc|oci)://", pattern)
    ]
    assert len(forms) == 3
    anywhere = st.one_of([_matching(form, 512) for form in forms])
    return anywhere.filter(lambda uri: not {".", ".."} & set(uri.split("/")))


def _optional(**fields: Strategy) -> Strategy:
    return st.fixed_dictionaries({}, optional=fields)


def _model() -> Strategy:
    fields = SPEC["model"]["properties"]
    return st.fixed_dictionaries({"uri": _uris()}, optional={name: text(fields[name]) for name in ("family", "shape")})


def _tiers() -> Strategy:
    name = text(SPEC["tiers"]["items"]["properties"]["name"])
    names = st.lists(name, min_size=1, max_size=8, unique=True)
    return names.map(lambda all_: [{"name": name, "maxTokens": 512 * (n + 1)} for n, name in enumerate(all_)])


def _server() -> Strategy:
    fields = SPEC["server"]["properties"]
    cache, keys, tracing = (fields[name]["properties"] for name in ("cache", "auth", "tracing"))
    return _optional(
        **{name: text(fields[name]) for name in ("image", "tlsSecret", "rateLimit")},
        cache=_optional(redisSecret=text(cache["redisSecret"])),
        auth=st.fixed_dictionaries({"apiKeySecret": text(keys["apiKeySecret"])}),
        tracing=st.fixed_dictionaries({"endpoint": text(tracing["endpoint"])}),
    )


def _pod() -> Strategy:
    fields = SPEC["pod"]["properties"]
    keys = _matching(patterns(fields["nodeSelector"])[0], 317).filter(_has_no_long_prefix)
    selector = st.dictionaries(keys, text(fields["nodeSelector"]["additionalProperties"]), max_size=4)
    taint = fields["tolerations"]["items"]["properties"]
    key = text(taint["key"]).filter(_has_no_long_prefix)
    tolerations = st.lists(st.fixed_dictionaries({"key": key}, optional={"value": text(taint["value"])}), max_size=4)
    secrets = st.lists(text(fields["imagePullSecrets"]["items"]["properties"]["name"]), max_size=4, unique=True)
    return _optional(
        nodeSelector=selector,
        tolerations=tolerations,
        imagePullSecrets=secrets.map(lambda names: [{"name": name} for name in names]),
    )


def _has_no_long_prefix(key: str) -> bool:
    """Kubernetes takes prefixes of 253 characters; a longer one is refused with the Deployment, and told."""
    return len(key.rpartition("/")[0]) <= 253


def specs() -> Strategy:
    """Specs that the API accepts, with every text of the user's in them."""
    return st.fixed_dictionaries(
        {"model": _model(), "gpu": st.just({"profile": "cpu"}), "tiers": _tiers(), "server": _server(), "pod": _pod()}
    ).map(_with_a_token_for_the_hub)


def _with_a_token_for_the_hub(spec: Example) -> Example:
    if spec["model"]["uri"].startswith("hf://"):
        return {**spec, "server": {**spec["server"], "hubTokenSecret": "hub"}}
    return spec


def names() -> Strategy:
    """Names of objects that the API accepts."""
    [pattern] = patterns({"x-kubernetes-validations": SCHEMA["x-kubernetes-validations"][:1]})
    return _matching(pattern, 50)
