"""The figures as a picture: what a page shows before its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

_COLOURS = {
    "plimsoll": "#1a6fb0",
    "transformers, one by one": "#bbbbbb",
    "transformers, padded batches of 8": "#888888",
    "Infinity": "#d08a2c",
    "text-embeddings-inference": "#7a5aa6",
}


def draw(document: Document, path: Path) -> None:
    """Rates of the encoder on the left, services on the right; a part that was not measured is left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6), width_ratios=(2, 3))
    _rates(left, document.get("rates", {}).get("figures", ()))
    cells = [cell for part in ("services", "breadth", "crowds") for cell in document.get(part, {}).get("figures", ())]
    _services(right, cells)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _rates(axes: Any, rates: Any) -> None:
    tokens = [rate["tokens"] for rate in rates]
    plain = [rate["plimsoll"] / rate["ahead"]["median"] for rate in rates]
    axes.plot(tokens, [rate["linear_layers"] for rate in rates], "--", color="#555555", label="its linear layers alone")
    axes.plot(tokens, [rate["plimsoll"] for rate in rates], "o-", color=_COLOURS["plimsoll"], label="Plimsoll")
    axes.plot(tokens, plain, "s-", color="#888888", label="plain transformers")
    if tokens:
        axes.set_xscale("log", base=2)
    axes.set(title="Encoder, GFLOP/s by tokens of a text", ylim=(0, None), xticks=tokens)
    axes.set_xticklabels([f"{count / 1024:g}K" if count >= 1_024 else str(count) for count in tokens])
    if tokens:
        axes.legend(frameon=False)


def _services(axes: Any, cells: Any) -> None:
    """Each workload's rates as parts of Plimsoll's."""
    names = [name for name in _COLOURS if any(_of(cell, name) for cell in cells)]
    height = 0.8 / max(1, len(names))
    for place, name in enumerate(names):
        found = [(row, 1 / _of(cell, name)) for row, cell in enumerate(cells) if _of(cell, name)]
        rows = [row + height * (place - (len(names) - 1) / 2) for row, _ in found]
        axes.barh(rows, [rate for _, rate in found], height, color=_COLOURS[name], label=name)
    axes.set(title="Texts per second over HTTP, Plimsoll = 1", yticks=range(len(cells)))
    axes.set_yticklabels(
        [f"{cell['lengths']} tokens, {cell['at_once']} at once, {cell['layers']} layers" for cell in cells], fontsize=8
    )
    axes.invert_yaxis()
    if names:
        # Below the axis: within it bars reach to the right edge wherever a service is nearly as fast.
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)


def _of(cell: Mapping[str, Any], name: str) -> float:
    """How far Plimsoll is ahead of `name`; 0 where it did not take part."""
    return next((float(served["ahead"]["median"]) for served in cell["services"] if served["service"] == name), 0.0)
