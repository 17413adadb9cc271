"""The API keys that may call, and who each of them is."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

MIN_CHARACTERS = 16
"""Less could be guessed, or found from its short hash."""
MAX_CHARACTERS = 512
MAX_KEYS = 1024
_IDENTITY_CHARACTERS = 12


@dataclass(frozen=True)
class KeyRing:
    """Holds no key: only what each looks like under a secret of this process, and the identity of who has it.

    Looking one up takes a time that depends on bytes which no caller can predict, so it tells nothing of the keys.
    """

    _secret: bytes
    _identities: dict[bytes, str]

    def identity(self, key: bytes) -> str | None:
        """Who has `key`: the same in every pod and at every start. None when nobody has."""
        if len(key) > MAX_CHARACTERS:
            return None
        return self._identities.get(_disguised(self._secret, key))


def parse_keys(content: bytes) -> KeyRing:
    """One key per line; empty lines and those that begin with # are left out. Raises ValueError, which quotes none."""
    keys = []
    for number, line in enumerate(content.splitlines(), start=1):
        key = line.strip()
        if key and not key.startswith(b"#"):
            _check(key, number)
            keys.append(key)
    if not keys:
        raise ValueError(f"there is no key in it: write one per line, each of {MIN_CHARACTERS} characters or more")
    if len(keys) > MAX_KEYS:
        raise ValueError(f"there are {len(keys)} keys in it, at most {MAX_KEYS} are read: take some out")
    secret = secrets.token_bytes(32)
    return KeyRing(secret, {_disguised(secret, key): _identity(key) for key in keys})


def _check(key: bytes, number: int) -> None:
    if not MIN_CHARACTERS <= len(key) <= MAX_CHARACTERS:
        raise ValueError(
            f"line {number} has {len(key)} characters: write keys of {MIN_CHARACTERS} to {MAX_CHARACTERS}, such as "
            "`openssl rand -hex 32` makes"
        )
    if not all(0x21 <= byte <= 0x7E for byte in key):
        raise ValueError(f"line {number} has characters that no header can carry: write letters, digits and signs")


def _disguised(secret: bytes, key: bytes) -> bytes:
    return hmac.digest(secret, key, "sha256")


def _identity(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_IDENTITY_CHARACTERS]
