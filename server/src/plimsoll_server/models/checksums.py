"""Whether a model's files are the ones that were published, and which ones they are.

The hub's cache keeps each file under the name of its checksum: SHA-256 of a large one, Git's SHA-1 of a small one. In a
folder a file SHA256SUMS, as `sha256sum` writes it, says the same. A folder without one is served unverified, and says
so.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.hub import FILES_BESIDE_WEIGHTS
from plimsoll_server.models.location import Located
from plimsoll_server.models.weights import weight_files

log = logging.getLogger(__name__)

SUMS_FILE = "SHA256SUMS"
_SUM = re.compile(r"^\\?(?P<digest>[0-9a-fA-F]{64}) [ *](?:\./)?(?P<name>\S.*)$")
_MOST_SUMS_BYTES = 1 << 20
_SHA256, _SHA1 = 64, 40
"""Hexadecimal digits."""


class DamagedFileError(ModelError):
    """`file` is not what was published."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file = file


def verify(located: Located) -> Located:
    """`located` with what its files are and what they were compared with. Raises ModelError, or DamagedFileError."""
    files = read_files(located.folder)
    if located.revision is not None:
        return _verify_cached(located, files)
    # A list that cannot be read is no reason to serve unverified, and a link that leads nowhere is such a one.
    if os.path.lexists(located.folder / SUMS_FILE):
        return _verify_listed(located, files)
    log.info("the model's files are not verified: %s has no %s", located.folder, SUMS_FILE)
    return replace(located, weights=_identity({_name(located, file): _stamp(file) for file in files}))


def read_files(folder: Path) -> list[Path]:
    """What is read of a model, neither more nor less."""
    beside = (folder / name for name in FILES_BESIDE_WEIGHTS)
    return sorted((*filter(Path.is_file, beside), *weight_files(folder)))


def _verify_cached(located: Located, files: list[Path]) -> Located:
    """Against the names of the blobs that the snapshot's links point at."""
    found = {}
    for file in files:
        wanted = file.resolve().name
        if not file.is_symlink() or not re.fullmatch(f"[0-9a-f]{{{_SHA1}}}|[0-9a-f]{{{_SHA256}}}", wanted):
            log.info("the model's files are not verified: the hub's cache has no checksum of %s", file.name)
            return replace(located, weights=f"hub:{located.revision}")
        if wanted not in _possible_digests(file, len(wanted)):
            raise DamagedFileError(
                f"{file.name} in the hub's cache is not what the hub has (its checksum is not {wanted}): damaged on "
                f"the way or on the disk; delete {file.resolve()} and start again",
                file,
            )
        found[_name(located, file)] = wanted
    return replace(located, weights=_identity(found), verified_by="hub")


def _possible_digests(file: Path, digits: int) -> tuple[str, ...]:
    if digits == _SHA256:
        return (_digest(file, "sha256"),)
    # Mirrors of the hub name a file by its plain SHA-1, the hub by Git's.
    git = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    git.update(file.read_bytes())
    return git.hexdigest(), _digest(file, "sha1")


def _verify_listed(located: Located, files: list[Path]) -> Located:
    sums = _read_sums(located.folder / SUMS_FILE)
    for file in files:
        name = _name(located, file)
        if name not in sums:
            raise ModelError(
                f"{SUMS_FILE} in {located.folder} does not list {name}; write it anew: sha256sum * > {SUMS_FILE}"
            )
        if _digest(file, "sha256") != sums[name]:
            raise DamagedFileError(
                f"{file} is not what {SUMS_FILE} lists (its checksum is not {sums[name]}): it was damaged or changed; "
                f"copy the model again, or write {SUMS_FILE} anew if the change was meant",
                file,
            )
    for name in sums:
        # A name that no file system takes is not there either, and Path would raise.
        if not os.path.isfile(located.folder / name):  # noqa: PTH113
            raise ModelError(f"{SUMS_FILE} in {located.folder} lists {name}, which is not there; copy the model again")
    names = [_name(located, file) for file in files]
    return replace(located, weights=_identity({name: sums[name] for name in names}), verified_by=SUMS_FILE)


def _read_sums(file: Path) -> Mapping[str, str]:
    if not file.is_file():
        raise ModelError(
            f"{file} is no file that can be read; copy it again, or write it anew: sha256sum * > {SUMS_FILE}"
        )
    if file.stat().st_size > _MOST_SUMS_BYTES:
        raise ModelError(f"{file} is larger than {_MOST_SUMS_BYTES >> 20} MiB: that is no list of a model's files")
    sums = {}
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        match = _SUM.match(line)
        if match is None or ".." in Path(match["name"]).parts or Path(match["name"]).is_absolute():
            raise ModelError(
                f"line {number} of {file} is not 'CHECKSUM  NAME' as sha256sum writes it within the folder"
            )
        sums[match["name"]] = match["digest"].lower()
    return sums


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _name(located: Located, file: Path) -> str:
    return file.relative_to(located.folder).as_posix()


def _identity(parts: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {part}\n" for name, part in sorted(parts.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
