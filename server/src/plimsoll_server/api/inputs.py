"""What is sent to be read: texts, or ready-made token ids, one or several."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

MAX_INPUTS = 256
"""Of the protocols that have no limit of their own: one answer of so many embeddings is a few megabytes."""

Text = Annotated[str, StringConstraints(min_length=1)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
"""Of one sequence. The special tokens may be there or not."""

TextOrTokens = (
    Text
    | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]
    | TokenIds
    | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_INPUTS)]
)
"""As OpenAI and vLLM take it."""

Inputs = list[str] | list[list[int]]


def each_of(given: TextOrTokens) -> Inputs:
    """One entry per sequence, whichever way they were sent."""
    if isinstance(given, str):
        return [given]
    return [given] if isinstance(given[0], int) else given
