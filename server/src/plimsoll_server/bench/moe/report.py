"""The figures as a page and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plimsoll_server.bench.loading import Document

BASELINES = ("loop over tokens", "all experts for all tokens", "loop over experts, masked", "transformers")


def lines(document: Document) -> Iterator[str]:
    """Markdown."""
    machine = document["machine"]
    yield (
        f"`{document['command']}`, {document['date']}, {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gib']} GiB; " + ", ".join(f"{name} {at}" for name, at in document["versions"].items()) + "."
    )
    yield ""
    if document["layers"]:
        yield (
            "| batch x sequence x width | feed-forward | ours, s | GFLOP/s | tokens/s | "
            + " | ".join(BASELINES)
            + " (its best setting) |"
        )
        yield "|---|---:|---:|---:|---:|" + "---:|" * len(BASELINES)
        for layer in document["layers"]:
            ours = layer["seconds"]["plimsoll"]
            yield (
                f"| {layer['shape']}, {layer['dtype']} | {layer['inner']:,} | {ours:.3f} | {layer['gflops']:.0f} | "
                f"{layer['tokens_per_second']:,} | "
                + " | ".join(_ahead(layer["ahead"][name]) for name in BASELINES)
                + f" ({layer['best_of_transformers']}) |"
            )
        yield ""
    for shape, reason in document["left_out"].items():
        yield f"{shape} was not run: {reason}."
        yield ""
    if document["use"] is not None:
        yield from _use(document["use"])


def _ahead(ratio: Mapping[str, float]) -> str:
    return f"{ratio['median']:.2f}× ({ratio['least']:.2f} to {ratio['most']:.2f})"


def _use(use: Document) -> Iterator[str]:
    read = f"{use['texts']:,} texts, {use['tokens']:,} tokens"
    yield f"Experts over {read}; {use['buffers_reused']:.0%} of buffers reused."
    yield ""
    yield (
        "| layer | "
        + " | ".join(f"expert {number}" for number in range(len(use["layers"][0]["shares"])))
        + (" | busiest for mean | entropy of the router | hardly used |")
    )
    yield "|---:|" + "---:|" * (len(use["layers"][0]["shares"]) + 3)
    for number, layer in enumerate(use["layers"]):
        shares = " | ".join(f"{share:.1%}" for share in layer["shares"])
        yield f"| {number} | {shares} | {layer['balance']:.2f} | {layer['entropy']:.0%} | {layer['unused']} |"
    yield ""


def draw(document: Document, path: Path) -> None:
    """What each way takes for a token on the left, and the experts' shares on the right, where they were measured."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    use = document["use"]
    figure, axes = pyplot.subplots(1, 2 if use else 1, figsize=(12 if use else 7, 5), squeeze=False)
    _ways(axes[0][0], document["layers"])
    if use:
        _shares(axes[0][1], use["layers"])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _ways(axes: Any, layers: Sequence[Document]) -> None:
    height = 0.8 / max(1, len(layers))
    for place, layer in enumerate(layers):
        rows = [row + height * (place - (len(layers) - 1) / 2) for row in range(len(BASELINES))]
        ratios = [layer["ahead"][name]["median"] for name in BASELINES]
        axes.barh(rows, ratios, height, label=f"{layer['shape']}, {layer['dtype']}")
        for row, ratio in zip(rows, ratios, strict=True):
            axes.text(ratio, row, f" {ratio:.2f}", va="center", fontsize=8)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set(title="Time for a token, Plimsoll = 1", xscale="log", yticks=range(len(BASELINES)))
    axes.set_yticklabels(BASELINES)
    axes.invert_yaxis()
    if layers:
        axes.legend(frameon=False, fontsize=8)


def _shares(axes: Any, layers: Sequence[Document]) -> None:
    image = axes.imshow([layer["shares"] for layer in layers], vmin=0, aspect="auto", cmap="Blues")
    axes.set(title="Tokens given to each expert", xlabel="expert", ylabel="layer", yticks=range(len(layers)))
    for row, layer in enumerate(layers):
        for column, share in enumerate(layer["shares"]):
            axes.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=8)
    axes.figure.colorbar(image, ax=axes)
