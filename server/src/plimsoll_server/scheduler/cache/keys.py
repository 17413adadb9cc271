"""What an answer is remembered by: a digest of everything that it depends on."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import ModelInfo

_DIGEST_BYTES = 32
_ELSEWHERE = ("device", "attention", "tokenizer_file", "packing", "verified_by")
"""Of a model: where and how it runs here. Its answer is the same to within rounding."""


class Keys:
    """Keys of one model under one configuration. Another model, policy or release has other ones."""

    def __init__(self, info: ModelInfo, tiers: Sequence[Tier], policy: LongInputConfig, scope: str = "") -> None:
        """`scope`: whose answers they are, for what is shared with others."""
        model = {name: str(value) for name, value in asdict(info).items() if name not in _ELSEWHERE}
        cut = [(tier.name, tier.max_tokens, tier.concurrency, tier.usable) for tier in tiers]
        whole = [version("plimsoll-server"), scope, model, cut, policy.model_dump()]
        self._salt = hashlib.blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=_DIGEST_BYTES).digest()

    def of_text(self, text: str, options: Options) -> bytes:
        # Half a surrogate pair cannot be encoded, and has no answer; its key is nobody else's.
        return self._digest(b"text", options, text.encode(errors="surrogatepass"))

    def of_tokens(self, tokens: Sequence[int], options: Options) -> bytes:
        return self._digest(b"tokens", options, array("q", tokens).tobytes())

    def _digest(self, kind: bytes, options: Options, content: bytes) -> bytes:
        digest = hashlib.blake2b(options.parameters, digest_size=_DIGEST_BYTES, key=self._salt, person=kind)
        digest.update(b"\0")
        digest.update(content)
        return digest.digest()
