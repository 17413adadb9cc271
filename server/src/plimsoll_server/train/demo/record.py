"""What a saved model says of its own training: `training.json`, and the model card made from it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from plimsoll_server.train.demo.documents import Apart
from plimsoll_server.train.demo.results import Results
from plimsoll_server.train.errors import TrainingError

FILE = "training.json"


class TrainingRecord(BaseModel):
    """Nothing in it differs between two runs of one seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: str
    """The folder's name of the standard library whose docstrings it read, such as python3.11."""
    seed: int
    apart: Apart
    labels: tuple[str, ...]
    training_modules: tuple[str, ...]
    held_out_modules: tuple[str, ...]
    results: Results


def is_trained_model(folder: Path) -> bool:
    """Folders appear complete, so one file tells."""
    return (folder / FILE).is_file()


def read_record(folder: Path) -> TrainingRecord:
    """Raises TrainingError on a folder that this project did not train."""
    try:
        return TrainingRecord.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(
            f"expected a model of `plimsoll-server train-demo` in {folder}, but its {FILE} cannot be read: {error}"
        ) from error


def write_record(record: TrainingRecord, folder: Path) -> None:
    (folder / FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def summary(record: TrainingRecord) -> tuple[str, str]:
    """What a person wants to read after the training."""
    short, long, chunked = record.results.short, record.results.long, record.results.chunked
    main = (
        f"held-out accuracy {short.accuracy:.1%} of {short.documents} documents of about {short.mean_tokens} tokens, "
        f"from {len(record.held_out_modules)} modules that it never saw; "
        f"always answering {short.majority_topic}: {short.majority_share:.1%}, {100 * short.margin:.0f} points less"
    )
    longer = (
        f"of longer texts: {long.accuracy:.1%} of {long.documents} of about {long.mean_tokens:,} tokens "
        f"(majority {long.majority_share:.1%}); in chunks, {chunked.accuracy:.1%} of {chunked.documents} of about "
        f"{chunked.mean_tokens:,} tokens (majority {chunked.majority_share:.1%})"
    )
    return main, longer
