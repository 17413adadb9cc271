"""The figures as a page and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plimsoll_server.bench.loading import Document


def lines(document: Document) -> Iterator[str]:
    """Markdown."""
    figures = document["figures"]
    yield f"{figures['texts']:,} texts, {figures['accuracy']:.1%} of their labels right; {figures['samples']} samples."
    yield ""
    yield "| temperature | expected calibration error |"
    yield "|---:|---:|"
    for which in ("before", "after"):
        calibration = figures[which]
        yield f"| {calibration['temperature']:.2f} | {calibration['expected_calibration_error']:.1%} |"
    yield ""
    apart = figures["apart"]
    if apart is not None:
        yield f"{apart['texts']:,} texts of another kind are told apart (AUROC; 0.5 would be by chance):"
        yield ""
        yield "| by | AUROC |"
        yield "|---|---:|"
        yield f"| predictive entropy | {apart['entropy']:.3f} |"
        yield f"| mutual information | {apart['mutual_information']:.3f} |"
        yield f"| the likeliest label's probability | {apart['likeliest']:.3f} |"
        yield ""


def draw(document: Document, path: Path) -> None:
    """How often labels of each probability are right, before and after the temperature; the diagonal is as they say."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 5))
    axes.plot([0, 1], [0, 1], "--", color="#888888", label="as they say")
    for which, colour in (("before", "#d08a2c"), ("after", "#1a6fb0")):
        calibration = document["figures"][which]
        there = [each for each in calibration["bins"] if each["texts"]]
        label = f"temperature {calibration['temperature']:.2f}: {calibration['expected_calibration_error']:.1%} apart"
        axes.plot(
            [each["probability"] for each in there], [each["right"] for each in there], "o-", color=colour, label=label
        )
    axes.set(title="Labels that are right, by their probability", xlabel="probability", ylabel="part that is right")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
