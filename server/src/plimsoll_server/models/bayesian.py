"""`bayesian`: an encoder that says how sure it is. Its last layer's weights are a Gaussian distribution in the place of
numbers, and a label's probability is the mean over samples of them.

The covariance is the same for all labels, so the logits of a text vary by one deviation, whatever the label; it is
large for texts unlike those that the weights were learnt from (a Laplace approximation, Daxberger et al. 2021, in the
form of Liu et al. 2020, "SNGP"). In the place of weights the logits are drawn, which is the same (Kingma et al. 2015),
so samples cost next to nothing. They are drawn once: a text has the same answer on every pod.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from plimsoll_server.models.encoder import Encoder, EncoderConfig, EncoderForSequenceClassification
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Between, Family
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.scaled import Layer
from plimsoll_server.types import Activation, LabelLogits, ModelInfo, Output, Tokens, Uncertainty

_MOST_SAMPLES = 256
_MOST_DRAWS = 1 << 18
"""Samples by labels: of a batch of 32 texts, 32 MiB in float32."""


class BayesianConfig(EncoderConfig):  # type: ignore[no-untyped-call]
    model_type = "bayesian"

    max_position_embeddings: int = 512
    num_samples: int = 32
    sample_seed: int = 0
    temperature: float = 1.0
    """By which logits are divided (Guo et al. 2017)."""


class BayesianForSequenceClassification(EncoderForSequenceClassification):  # type: ignore[no-untyped-call]
    config_class = BayesianConfig
    base_model_prefix = "bayesian"
    layer = Layer

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.spread = nn.Parameter(torch.zeros(config.hidden_size, config.hidden_size), requires_grad=False)
        """(width, width), times its transpose the covariance of each label's weights; zero until it is fitted."""

    def deviations(self, features: Tensor) -> Tensor:
        """Of the logits of each row of features (rows, width), in float32: (rows,)."""
        found: Tensor = torch.linalg.vector_norm(features.float() @ self.spread.float(), dim=-1)
        return found


def samples(logits: Tensor, deviations: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Logarithms of probabilities, (samples, rows, labels), from mean logits (rows, labels), their deviations (rows,)
    and standard normal noise (samples, labels)."""
    drawn = logits + noise.unsqueeze(1) * deviations.unsqueeze(1)
    return (drawn / temperature).log_softmax(-1)


def uncertainty(sampled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From logarithms of probabilities (samples, rows, labels): those of their mean (rows, labels), its entropy and the
    mutual information of label and weights, both (rows,)."""
    mean = sampled.logsumexp(0) - math.log(len(sampled))
    entropy = _entropy(mean)
    return mean, entropy, (entropy - _entropy(sampled).mean(0)).clamp_min(0)


def noise_of(config: Any, device: torch.device) -> Tensor:
    """The same on every machine: (samples, labels)."""
    drawn = torch.Generator().manual_seed(config.sample_seed)
    return torch.randn(config.num_samples, config.num_labels, generator=drawn).to(device)


def _entropy(logarithms: Tensor) -> Tensor:
    return -(logarithms.exp() * logarithms).sum(-1)


class Bayesian(Encoder):
    """One loaded network."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        super().__init__(network, info)
        _check(self._network.config, info)
        self._noise = noise_of(self._network.config, self._device)

    @torch.inference_mode()
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        network = self._network
        features = network.features(Pack(batch, self._device), between)
        drawn = samples(
            network.classifier(features).float(),
            network.deviations(features),
            self._noise,
            network.config.temperature,
        )
        rows = zip(*(part.tolist() for part in uncertainty(drawn)), strict=True)
        return [LabelLogits(tuple(logits), Uncertainty(entropy, mutual)) for logits, entropy, mutual in rows]


def _check(config: Any, info: ModelInfo) -> None:
    if info.activation is not Activation.SOFTMAX:
        raise ModelError(
            "a model of the family bayesian gives probabilities that add up to 1, but config.json has "
            f"{config.num_labels} labels and problem_type {config.problem_type!r}; expected two labels or more, and "
            "single_label_classification"
        )
    most = min(_MOST_SAMPLES, _MOST_DRAWS // config.num_labels)
    if not isinstance(config.num_samples, int) or not 2 <= config.num_samples <= most:
        raise ModelError(
            f"config.json has num_samples {config.num_samples!r}, expected a whole number from 2 to {most} for "
            f"{config.num_labels} labels"
        )
    if not isinstance(config.temperature, int | float) or not 0 < config.temperature < math.inf:
        raise ModelError(f"config.json has temperature {config.temperature!r}, expected a number above 0")


BAYESIAN = Family(
    model_type=BayesianConfig.model_type,
    networks={"text-classification": BayesianForSequenceClassification},
    serve=Bayesian,
    uncertain=True,
)
