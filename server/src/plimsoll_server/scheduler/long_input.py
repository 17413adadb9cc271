"""What becomes of a document: one pass, chunks, a cut, or a refusal. Decided before the queue, by length alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.chunks import Span, chunks_of, cut, longest_of
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import TooLongError
from plimsoll_server.scheduler.tiers import Tier, tier_for, usable_tier_for

_CHUNK_ABOVE = 16_384
_CHUNK_ABOVE_WHEN_SHARED = 8_192
"""In a tier with a concurrency above 1."""

MAX_SEQUENCES = 1_024
"""Of one request, the chunks of its long texts among them. A body of 8 MiB of ordinary text in 256 inputs becomes half
as many in chunks of 8,192 tokens."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document that runs in one pass."""

    span: Span
    tier: Tier


@dataclass(frozen=True, slots=True)
class Route:
    tier: Tier
    """Of the document as a whole: the first it fits, or the last."""
    pieces: tuple[Piece, ...]
    truncated: int = 0
    """Tokens that were left out."""


class LongInput:
    """The policy for long input of one server."""

    def __init__(self, config: LongInputConfig, tiers: Sequence[Tier], window: int) -> None:
        self._config = config
        self._tiers = tiers
        self._window = window
        largest = max(tier.max_tokens for tier in tiers if tier.usable)
        self.chunk_size = min(config.chunk_tokens, largest, window)
        # A chunk that had to shrink keeps the proportion of its overlap.
        self.overlap = config.overlap_tokens * self.chunk_size // config.chunk_tokens
        self.longest_pass = min(largest, window)
        self.cuts_above = self.chunk_size if config.policy in ("Auto", "Chunk") else None
        """Tokens beyond which a document may be cut into chunks; None: none is."""

    def route(self, document: Document, *, truncate: bool = False) -> Route:
        """How `document` is run. `truncate`: the caller would rather have it cut than refused; what the policy reads
        whole stays whole. Raises TooLongError."""
        policy = self._config.policy
        tokens = document.tokens
        tier = tier_for(tokens, self._tiers) or self._tiers[-1]
        fits = tokens <= tier.max_tokens and tier.usable and tokens <= self._window
        if fits and tokens <= self._most_in_one_pass(tier):
            return Route(tier, (Piece((0, len(document.content)), tier),))
        if policy in ("Auto", "Chunk"):
            return Route(tier, self._chunk(document, tier))
        if truncate or policy == "Truncate":
            return self._truncate(document, tier)
        raise self._refusal(tokens, tier)

    def too_many(self, tier: Tier, advice: str = "send fewer texts at once") -> TooLongError:
        """For a request of more than MAX_SEQUENCES."""
        return TooLongError(
            f"the request has more than {MAX_SEQUENCES} sequences once long texts are cut into chunks of "
            f"{self.chunk_size} tokens, and no more are run for one; {advice}, or set spec.longInput.chunkTokens "
            "higher where tiers and model allow it",
            tier=tier.name,
            in_all=True,
        )

    def _chunk(self, document: Document, tier: Tier) -> tuple[Piece, ...]:
        room = self.chunk_size - document.frame.length
        if chunks_of(len(document.content), room, self.overlap, document.borders) > MAX_SEQUENCES:
            # Before it is cut: a megabyte has a hundred thousand of the shortest chunks.
            tokens = longest_of(MAX_SEQUENCES, room, self.overlap) + document.frame.length
            raise self.too_many(tier, f"send at most {tokens} tokens at once")
        spans = cut(len(document.content), room, self.overlap, document.borders)
        return tuple(self._piece(document, span) for span in spans)

    def _truncate(self, document: Document, tier: Tier) -> Route:
        kept = min(len(document.content), self._longest_whole() - document.frame.length)
        return Route(tier, (self._piece(document, (0, kept)),), truncated=len(document.content) - kept)

    def _piece(self, document: Document, span: Span) -> Piece:
        tokens = span[1] - span[0] + document.frame.length
        tier = usable_tier_for(tokens, self._tiers)
        assert tier is not None, "a piece is never longer than the largest usable tier"
        return Piece(span, tier)

    def _most_in_one_pass(self, tier: Tier) -> int:
        """Tokens, by the policy alone, of what belongs to `tier`."""
        if self._config.policy == "Native":
            return tier.max_tokens
        if self._config.policy == "Chunk":
            return self.chunk_size
        return _CHUNK_ABOVE if tier.concurrency == 1 else _CHUNK_ABOVE_WHEN_SHARED

    def _longest_whole(self) -> int:
        """The longest document that the policy runs in one pass."""
        longest = shorter = 0
        for tier in self._tiers:
            if tier.usable:
                most = min(tier.max_tokens, self._window, self._most_in_one_pass(tier))
                # What is no longer than a smaller tier belongs to that one, and runs by its rule.
                longest, shorter = (most if most > shorter else longest), tier.max_tokens
        return longest

    def _refusal(self, tokens: int, tier: Tier) -> TooLongError:
        reason = "" if tier.usable else f" (the load line allows none of tier {tier.name} on this device)"
        return TooLongError(
            f"the text has {tokens} tokens, at most {self._longest_whole()} run in one pass here{reason}, and the "
            f"policy for long input is {self._config.policy}; split the text, or set spec.longInput.policy to Auto",
            tier=tier.name,
            may_be_cut=True,
        )
