"""How a text was read, told in headers: the body belongs to the protocol, and nothing is cut in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from starlette.requests import Request

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.scheduler import longest

_MOST_BYTES = 900
"""Of the values of all of them: with their names a kilobyte. Proxies refuse answers whose headers take more than four
or eight, and others stand there too."""


def reading_headers(request: Request, answers: Sequence[Answer]) -> dict[str, str]:
    """One value per input, in order; of so many that this is too long, what they come to. Notes for the metrics of the
    request its tier, and whether it needed the model."""
    request.state.tier = longest(answer.tier for answer in answers).name
    request.state.remembered = all(answer.remembered for answer in answers)
    told = one_by_one(answers)
    if sum(map(len, told.values())) > _MOST_BYTES:
        told = _summed_up(answers)
    return {f"X-Plimsoll-{name.replace('_', '-').title()}": value for name, value in told.items()}


def one_by_one(answers: Sequence[Answer]) -> dict[str, str]:
    return {
        "tier": ",".join(answer.tier.name for answer in answers),
        "tokens": ",".join(str(answer.tokens) for answer in answers),
        "chunks": ",".join(str(answer.chunks) for answer in answers),
        "truncated_tokens": ",".join(str(answer.truncated_tokens) for answer in answers),
        **_uncertainty(answers),
    }


def _uncertainty(answers: Sequence[Answer]) -> dict[str, str]:
    told = [answer.uncertainty for answer in answers if answer.uncertainty is not None]
    if not told:
        return {}
    return {
        "predictive_entropy": ",".join(f"{each.entropy:.4g}" for each in told),
        "mutual_information": ",".join(f"{each.mutual_information:.4g}" for each in told),
    }


def _summed_up(answers: Sequence[Answer]) -> dict[str, str]:
    """Nobody who expects one value per input can take it for that."""
    tiers = Counter(answer.tier.name for answer in answers)
    return {
        "tier": ",".join(f"{name}*{count}" for name, count in tiers.items()),
        "tokens": f"total={sum(answer.tokens for answer in answers)}",
        "chunks": f"total={sum(answer.chunks for answer in answers)}",
        "truncated_tokens": f"total={sum(answer.truncated_tokens for answer in answers)}",
    }
