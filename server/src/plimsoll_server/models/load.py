"""From a location to a model that is ready to run, with every reason not to be told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from plimsoll_server.config import MIN_LARGEST_TIER, ModelConfig
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Family, Model, Placement
from plimsoll_server.models.folder import ModelFolder, inspect_folder
from plimsoll_server.models.location import Located, locate
from plimsoll_server.models.packed_attention import register_packed_attention
from plimsoll_server.models.pooling import pooling_of
from plimsoll_server.models.registry import family_named
from plimsoll_server.models.tokenizer_file import check_tokenizer
from plimsoll_server.types import Activation, ModelInfo

_UNFIT = (OSError, ValueError, TypeError, ArithmeticError, SafetensorError, StrictDataclassError)
"""What transformers raises for values of a config.json that no network can be made with."""


def load_model(wanted: ModelConfig, placement: Placement, located: Located | None = None) -> Model:
    """The model of `wanted` on its device. Raises ModelError with what to do.

    `located`: where it was found already; without it that is looked for here.
    """
    _silence_transformers()
    family = family_named(wanted.family)
    network_class = _network_class(family, wanted)
    located = located or locate(wanted.location)
    folder = inspect_folder(located.folder)
    _check_belongs(folder, wanted, family, network_class)
    placement = replace(placement, attention=family.attention(network_class, placement.attention))
    network = _load_network(folder, family, wanted.task, placement)
    config: Any = network.config
    check_tokenizer(folder.tokenizer_file, config.vocab_size, wanted.task)
    info = ModelInfo(
        location=wanted.location,
        revision=located.revision,
        family=wanted.family,
        task=wanted.task,
        dtype=str(placement.dtype).removeprefix("torch."),
        attention=placement.attention,
        device=str(placement.device),
        window=_window(family, config),
        vocabulary=config.vocab_size,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        pooling=pooling_of(folder.path, wanted.task, config),
        packing=family.packing,
        uncertain=family.uncertain,
        labels=_labels(config, wanted.task),
        activation=_activation(config),
        tokenizer_file=str(folder.tokenizer_file),
        weights=located.weights,
        verified_by=located.verified_by,
    )
    return family.serve(network, info)


def _silence_transformers() -> None:
    """Its warnings and progress bars are no JSON; what matters of them is checked here and raised."""
    chatter: Any = transformers_logging
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()


def _network_class(family: Family, wanted: ModelConfig) -> type[PreTrainedModel]:
    try:
        return family.networks[wanted.task]
    except KeyError:
        raise ModelError(
            f"family {wanted.family} does not serve the task {wanted.task}; it serves {', '.join(family.networks)}"
        ) from None


def _check_belongs(folder: ModelFolder, wanted: ModelConfig, family: Family, network_class: type) -> None:
    if folder.model_type != family.model_type:
        raise ModelError(
            f"{folder.path}/config.json has model_type {folder.model_type!r}, but the family is {wanted.family}; "
            "set spec.model.family to the model's own, or serve another model"
        )
    # Embeddings need no head: whatever the model was trained for, its hidden states are there.
    if wanted.task != "feature-extraction" and folder.architecture != network_class.__name__:
        fitting = [task for task, known in family.networks.items() if known.__name__ == folder.architecture]
        advice = f"set spec.model.task: {fitting[0]}" if fitting else "fine-tune it for the task first"
        raise ModelError(
            f"{folder.path} was saved as {folder.architecture}, but the task {wanted.task} needs "
            f"{network_class.__name__}; {advice}"
        )


def _load_network(folder: ModelFolder, family: Family, task: str, placement: Placement) -> PreTrainedModel:
    register_packed_attention()
    options = family.backbone_options if task == "feature-extraction" else {}
    try:
        loaded: Any = family.networks[task].from_pretrained(
            folder.path,
            dtype=placement.dtype,
            attn_implementation=family.attention_name(placement.attention),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            # What does not fit is reported and refused below, with its names.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
    except KeyError as error:
        raise ModelError(
            f"{folder.path}/config.json names {error}, which transformers does not know; write another, such as gelu "
            "for an activation"
        ) from error
    except _UNFIT as error:
        why = " ".join(str(error).split())
        raise ModelError(f"the model in {folder.path} cannot be loaded: {why}; save it again") from error
    network, report = loaded
    _check_complete(folder.path, report)
    placed: PreTrainedModel = network.eval().requires_grad_(requires_grad=False).to(placement.device)
    return placed


def _check_complete(path: Path, report: dict[str, Any]) -> None:
    """Without this check, missing weights would be drawn at random and served."""
    for kind in ("missing_keys", "mismatched_keys", "error_msgs"):
        if found := report.get(kind):
            names = sorted(name if isinstance(name, str) else str(name[0]) for name in found)[:5]
            raise ModelError(
                f"the weights in {path} do not fit its config.json ({kind.replace('_', ' ')}: {', '.join(names)}); "
                "save model and configuration together"
            )


def _window(family: Family, config: Any) -> int:
    window = family.window(config)
    if window < MIN_LARGEST_TIER:
        raise ModelError(
            f"by config.json the model reads {window} tokens (max_position_embeddings "
            f"{config.max_position_embeddings}), expected {MIN_LARGEST_TIER} or more; save it with the positions "
            "that it was trained with"
        )
    return window


def _labels(config: Any, task: str) -> tuple[str, ...]:
    """Each by a name of its own, for that is all that an answer tells of it. Raises ModelError."""
    if task == "feature-extraction":
        return ()
    labels = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise ModelError(
            f"config.json has {len(labels)} labels (id2label), expected a name of its own for each, but "
            f"{', '.join(map(repr, twice[:5]))} is there more than once; name them apart"
        )
    return labels


def _activation(config: Any) -> Activation:
    """As transformers' own pipeline chooses it."""
    if config.problem_type == "regression":
        return Activation.NONE
    independent = config.num_labels == 1 or config.problem_type == "multi_label_classification"
    return Activation.SIGMOID if independent else Activation.SOFTMAX
