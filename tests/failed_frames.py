"""Whether anything of a forward pass that failed is still held while the next one runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plimsoll_server.types import Outcome, Tokens

Forward = Callable[[Sequence[Tokens]], list[Outcome]]


class _Canary:
    living = 0

    def __init__(self) -> None:
        _Canary.living += 1

    def __del__(self) -> None:
        _Canary.living -= 1


def watched(forward: Forward, alive: list[bool]) -> Forward:
    """`forward`, with a note in `alive` as each pass begins: whether the frame of one before is still held."""

    def leaky(batch: Sequence[Tokens]) -> list[Outcome]:
        alive.append(_Canary.living > 0)
        canary = _Canary()  # noqa: F841  lives in this frame, which the exception's traceback would keep
        return forward(batch)

    return leaky
