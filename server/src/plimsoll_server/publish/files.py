"""What of a folder is published: what a server reads, what says where it comes from, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.models.checksums import SUMS_FILE, read_files
from plimsoll_server.models.configuration import Configuration, read_configuration
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.folder import inspect_folder
from plimsoll_server.publish.errors import PublishingError

CARD = "README.md"
_FURTHER = ("tokenizer_config.json", "special_tokens_map.json", "*training.json")
"""By pattern: what other readers of the model want, and the record of its training."""


@dataclass(frozen=True, slots=True)
class Chosen:
    folder: Path
    config: Configuration
    files: tuple[Path, ...]
    """To be published as they are, ascending by name."""
    left: tuple[Path, ...]
    """That are not, but for the card and the checksums, which are written anew."""

    def name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    @property
    def weight_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files if file.suffix == ".safetensors")


def choose(folder: Path) -> Chosen:
    """Raises PublishingError for what no server could load."""
    try:
        inspect_folder(folder)
        read = read_files(folder)
    except ModelError as error:
        raise PublishingError(str(error)) from error
    further = [file for pattern in _FURTHER for file in folder.glob(pattern) if file.is_file()]
    files = tuple(sorted({*read, *further}))
    written = {folder / CARD, folder / SUMS_FILE}
    left = [file for file in folder.rglob("*") if file.is_file() and file not in files and file not in written]
    return Chosen(folder, read_configuration(folder), files, tuple(sorted(left)))


def checksums(chosen: Chosen, card: str) -> str:
    """What `sha256sum` writes of all that is published."""
    sums = {chosen.name(file): _sha256(file) for file in chosen.files}
    sums[CARD] = hashlib.sha256(card.encode()).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sizes(chosen: Chosen) -> Sequence[tuple[str, int]]:
    """Name and bytes of each."""
    return [(chosen.name(file), file.stat().st_size) for file in chosen.files]
