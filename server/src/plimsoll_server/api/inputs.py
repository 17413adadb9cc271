"""What is sent to be read: texts, or ready-made token ids, one or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

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


@dataclass(frozen=True, slots=True)
class NotServed:
    """Of a field that callers of other servers may send, and that would change the answer: only null is taken."""

    why: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self._refuse, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "description": f"Not served: {self.why}."}

    def _refuse(self, value: Any) -> None:
        if value is not None:
            raise ValueError(f"not served: {self.why}")


Dimensions = Annotated[None, NotServed("a vector is as long as the model is wide, see /info")]

Inputs = list[str] | list[list[int]]


def each_of(given: TextOrTokens) -> Inputs:
    """One entry per sequence, whichever way they were sent."""
    if isinstance(given, str):
        return [given]
    return [given] if isinstance(given[0], int) else given
