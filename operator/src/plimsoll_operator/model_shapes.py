"""Shapes of published encoders, so that a load line can be planned before anything runs."""

from __future__ import annotations

from plimsoll_operator.spec import Dimensions, Model

PRESETS = {
    "modernbert-base": Dimensions(
        layers=22, hidden_size=768, heads=12, intermediate_size=1152, vocab_size=50368, local_window=128, global_every=3
    ),
    "modernbert-large": Dimensions(
        layers=28,
        hidden_size=1024,
        heads=16,
        intermediate_size=2624,
        vocab_size=50368,
        local_window=128,
        global_every=3,
    ),
}


class UnknownShapeError(ValueError):
    """`spec.model.shape` names no preset."""


def dimensions_of(model: Model) -> Dimensions | None:
    """The model's dimensions, or None when the spec does not state them. Raises UnknownShapeError."""
    if model.dimensions is not None:
        return model.dimensions
    if not model.shape:
        return None
    if model.shape not in PRESETS:
        known = ", ".join(sorted(PRESETS))
        raise UnknownShapeError(
            f"spec.model.shape {model.shape!r} is not a known preset ({known}); "
            "write one of them, or the numbers in spec.model.dimensions"
        )
    return PRESETS[model.shape]
