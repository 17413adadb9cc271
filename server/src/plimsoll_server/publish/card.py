"""The model card: what the folder's own says, completed by what can be known, and refused where it says too little."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from huggingface_hub import ModelCard
from yaml import YAMLError

from plimsoll_server.publish.errors import PublishingError
from plimsoll_server.publish.files import CARD, Chosen

_MOST_BYTES = 1 << 20
_TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
}
_SECTIONS = {
    "metrics": (r"metrics|evaluation|measured", "## Metrics", "what was measured, on which texts, beside what"),
    "limits": (r"limits|limitations|bias", "## Limits", "what it is not for, and where it is known to be wrong"),
}
_USAGE = re.compile(r"^#+ .*\busage\b", re.IGNORECASE | re.MULTILINE)


def complete_card(
    chosen: Chosen, repository: str, labels: Sequence[str], license_name: str | None, language: str | None
) -> str:
    """The whole text of README.md. Raises PublishingError that names all that is missing."""
    file = chosen.folder / CARD
    if not file.is_file():
        raise PublishingError(
            f"{chosen.folder} has no {CARD}; write one that says what the model was trained on, with the sections "
            f"{_wanted()}"
        )
    if file.stat().st_size > _MOST_BYTES:
        raise PublishingError(f"{file} has more than {_MOST_BYTES >> 20} MiB; a card is a page")
    try:
        card = ModelCard(file.read_text(encoding="utf-8"), ignore_metadata_errors=False)
    except (ValueError, YAMLError) as error:
        raise PublishingError(f"the metadata at the head of {file} cannot be read: {error}") from error
    data: Any = card.data
    _fill(data, chosen, license_name, language)
    _check(card.text, data, file.name)
    if not _USAGE.search(card.text):
        card.text = card.text.rstrip() + "\n\n" + _usage(repository, data.pipeline_tag, labels)
    return str(card)


def _fill(data: Any, chosen: Chosen, license_name: str | None, language: str | None) -> None:
    """What the author has said stays."""
    architecture = (chosen.config.architectures or ("",))[0]
    task = next((task for ending, task in _TASKS.items() if architecture.endswith(ending)), "feature-extraction")
    data.pipeline_tag = data.pipeline_tag or task
    data.license = license_name or data.license
    data.language = language or data.language
    data.library_name = data.library_name or "plimsoll"
    tags = [*(data.tags or ()), chosen.config.model_type, "plimsoll"]
    data.tags = list(dict.fromkeys(tags))


def _check(text: str, data: Any, name: str) -> None:
    missing = [
        f"a section {heading} ({content})"
        for pattern, heading, content in _SECTIONS.values()
        if not re.search(rf"^#+ .*\b({pattern})\b", text, re.IGNORECASE | re.MULTILINE)
    ]
    if not data.license:
        missing.append("a license (write `license: apache-2.0` or another into its metadata, or give --license)")
    if not data.language:
        missing.append("a language (write `language: en` or another into its metadata, or give --language)")
    if missing:
        raise PublishingError(f"{name} is not complete, it lacks {'; '.join(missing)}")


def _wanted() -> str:
    return " and ".join(heading for _, heading, _ in _SECTIONS.values())


def _usage(repository: str, task: str, labels: Sequence[str]) -> str:
    told = f" Its labels are {', '.join(labels)}." if labels else ""
    return f"""## Usage

Plimsoll serves it by its commit, which `Files and versions` shows in full:{told}

```yaml
spec:
  model:
    uri: hf://{repository}:COMMIT
    task: {task}
```

Files are compared with their checksums before they are loaded; `SHA256SUMS` lists them for folders and volumes.
"""
