"""What memory one long sequence takes while it runs: peak less resident after the run, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.contest import contestant
from serving.folders import model_folder
from serving.shapes import BASE, PERIOD, Shape


@dataclass(frozen=True, slots=True)
class Peak:
    """In bytes. Memory peaks within the first layers, so three of them tell; the weights are those of all 22."""

    name: str
    tokens: int
    layers: int
    activations: int
    weights: int
    process: int
    """The whole process at its highest, with the weights of the layers that it has."""

    @property
    def share(self) -> float:
        return self.activations / self.weights


def peaks(pairs: Sequence[tuple[str, int]], *, whole: bool, tell: Callable[[str], None]) -> list[Peak]:
    """One for each pair of a contestant and a length. Raises ContestError."""
    shape: Shape = BASE if whole else PERIOD
    found = []
    for name, tokens in pairs:
        with contestant(name, model_folder(shape)) as entrant:
            answer = entrant.ask(do="peak", tokens=tokens)
        peak = Peak(
            name, tokens, shape.layers, answer["peak"] - answer["resident"], BASE.weight_bytes(), answer["peak"]
        )
        tell(line(peak))
        found.append(peak)
    return found


def line(peak: Peak) -> str:
    return (
        f"{peak.tokens:>6} tokens, {peak.layers:>2} layers, {peak.name}: activations {peak.activations >> 20} MiB, "
        f"{peak.share:.2f}× the weights of all 22 layers; process {peak.process >> 20} MiB"
    )
