"""How a text was read, told in headers: the body belongs to the protocol, and nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.scheduler import longest


def reading_headers(request: Request, answers: Sequence[Answer]) -> dict[str, str]:
    """One value per input, in order. Notes for the metrics of the request its tier, and whether it needed the model."""
    request.state.tier = longest(answer.tier for answer in answers).name
    request.state.remembered = all(answer.remembered for answer in answers)
    return {
        "X-Plimsoll-Tier": ",".join(answer.tier.name for answer in answers),
        "X-Plimsoll-Tokens": ",".join(str(answer.tokens) for answer in answers),
        "X-Plimsoll-Chunks": ",".join(str(answer.chunks) for answer in answers),
        "X-Plimsoll-Truncated-Tokens": ",".join(str(answer.truncated_tokens) for answer in answers),
    }
