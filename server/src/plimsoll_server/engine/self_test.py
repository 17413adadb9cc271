"""The forward pass that stands between a loaded model and its first request."""

from __future__ import annotations

import math

from plimsoll_server.errors import StartError
from plimsoll_server.models.family import Model
from plimsoll_server.types import Tokens

_TOLERANCE = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}


class SelfTestError(StartError):
    """The model is loaded but its answers cannot be trusted."""


def self_test(model: Model, long: Tokens, short: Tokens) -> None:
    """Packs two documents and compares each with itself alone: no batch may change an answer.

    `long` should exceed the window of local attention, so that every kind of block is run.
    """
    try:
        together = model.forward([long, short])
        alone = [*model.forward([long]), *model.forward([short])]
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SelfTestError(
            f"the model fails at an ordinary text ({error!r}): something in its config.json or its tokenizer does not "
            "fit its weights; save model, configuration and tokenizer together"
        ) from error
    tolerance = _TOLERANCE[model.info.dtype]
    for name, packed, single in zip(("long", "short"), together, alone, strict=True):
        if not all(map(math.isfinite, packed.numbers)):
            raise SelfTestError(
                f"the model's output for an ordinary {name} text is not finite; its weights are damaged, or "
                f"{model.info.dtype} is too narrow for them: try float32"
            )
        gap = max(abs(one - other) for one, other in zip(packed.numbers, single.numbers, strict=True))
        scale = max(1.0, *map(abs, single.numbers))
        if gap > tolerance * scale:
            raise SelfTestError(
                f"a {name} text packed with another differs from itself alone by {gap:.2g} "
                f"(attention {model.info.attention}, {model.info.dtype}); nothing is served that batching would change"
            )
