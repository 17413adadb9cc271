"""The families that can be served: one entry each."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_server.models.alone import MODEL_TYPES, alone
from plimsoll_server.models.bayesian import BAYESIAN
from plimsoll_server.models.bert import BERT
from plimsoll_server.models.distilbert import DISTILBERT
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Family
from plimsoll_server.models.modernbert import MODERNBERT
from plimsoll_server.models.moe import MOE
from plimsoll_server.models.scaled import SCALED
from plimsoll_server.models.spectral import SPECTRAL
from plimsoll_server.models.xlm_roberta import XLM_ROBERTA

FAMILIES: Mapping[str, Family] = {
    "bayesian": BAYESIAN,
    "bert": BERT,
    "distilbert": DISTILBERT,
    "modernbert": MODERNBERT,
    "moe": MOE,
    "scaled": SCALED,
    "spectral": SPECTRAL,
    "xlm-roberta": XLM_ROBERTA,
}
"""Those that are packed."""


def family_named(name: str) -> Family:
    if name in FAMILIES:
        return FAMILIES[name]
    if name in MODEL_TYPES:
        return alone(name)
    raise ModelError(f"no model family {name!r}; this server has {', '.join(sorted((*FAMILIES, *MODEL_TYPES)))}")
