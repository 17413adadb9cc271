"""What a caller may ask for besides the answer itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Of one request, whatever its protocol."""

    truncate: bool = False
    """Cut a text that the policy for long input would refuse."""
    raw: bool = False
    """Logits in the place of scores."""
    timeout_seconds: float | None = None
    """How long the caller waits; the server's own deadline holds where that is shorter, or where there is none."""

    @property
    def parameters(self) -> bytes:
        """What an answer depends on, and so whether one that was given before is the answer to this."""
        return b"truncate=%d raw=%d" % (self.truncate, self.raw)


DEFAULT = Options()
