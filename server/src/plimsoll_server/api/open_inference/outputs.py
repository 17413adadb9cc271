"""What a model gives, as tensors: which there are by its task, and those of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plimsoll_server.api.large_answers import dumped
from plimsoll_server.api.open_inference.tensors import OutputTensor
from plimsoll_server.api.vectors import normalised
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.types import ModelInfo


@dataclass(frozen=True, slots=True)
class Output:
    datatype: str
    elements: Callable[[Answer, ModelInfo, bool], Sequence[Any]]
    """(answer, model, whether embeddings are to be normalised)."""
    width: Callable[[ModelInfo], int] | None = None
    """Elements for each input; None where the tensor has no second dimension."""

    def shape(self, inputs: int, info: ModelInfo) -> tuple[int, ...]:
        return (inputs,) if self.width is None else (inputs, self.width(info))


def _scores(answer: Answer, info: ModelInfo, normalise: bool) -> Sequence[float]:  # noqa: ARG001
    return answer.scores


def _label(answer: Answer, info: ModelInfo, normalise: bool) -> Sequence[str]:  # noqa: ARG001
    return [info.labels[answer.scores.index(max(answer.scores))]]


def _embedding(answer: Answer, info: ModelInfo, normalise: bool) -> Sequence[float]:  # noqa: ARG001
    return normalised(answer.embedding) if normalise else answer.embedding


def _entities(answer: Answer, info: ModelInfo, normalise: bool) -> Sequence[str]:  # noqa: ARG001
    found = [
        {"label": entity.label, "score": entity.score, "start": entity.start, "end": entity.end}
        for entity in answer.entities
    ]
    return [dumped(found)]


def _uncertainty(answer: Answer, info: ModelInfo, normalise: bool) -> Sequence[float]:  # noqa: ARG001
    return () if answer.uncertainty is None else answer.uncertainty.numbers


_OUTPUTS: Mapping[str, Mapping[str, Output]] = {
    "text-classification": {
        "scores": Output("FP32", _scores, lambda info: len(info.labels)),
        "label": Output("BYTES", _label),
    },
    "token-classification": {"entities": Output("BYTES", _entities)},
    "feature-extraction": {"embedding": Output("FP32", _embedding, lambda info: info.width)},
}
"""By task and name. `entities`: of each text, its entities as JSON, with the characters that they cover."""
_UNCERTAINTY = {"uncertainty": Output("FP32", _uncertainty, lambda _: 2)}
"""Predictive entropy and mutual information, in nats."""


def outputs_of(info: ModelInfo) -> Mapping[str, Output]:
    return {**_OUTPUTS[info.task], **(_UNCERTAINTY if info.uncertain else {})}


def tensor_of(name: str, answers: Sequence[Answer], info: ModelInfo, *, normalise: bool) -> OutputTensor:
    output = outputs_of(info)[name]
    elements = [element for answer in answers for element in output.elements(answer, info, normalise)]
    return OutputTensor(name, output.datatype, output.shape(len(answers), info), elements)


def described(info: ModelInfo) -> list[dict[str, Any]]:
    """The outputs, as a model's metadata has them."""
    return [
        {"name": name, "datatype": output.datatype, "shape": output.shape(-1, info)}
        for name, output in outputs_of(info).items()
    ]
