"""What is sent to be read: texts, or ready-made token ids, one or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, FailFast, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema
from pydantic_core.core_schema import custom_error_schema

from plimsoll_server.api.json_bounds import MAX_TOKENS

MAX_INPUTS = 256
"""Of one request, whichever protocol: an answer of so many embeddings is a few megabytes of JSON. OpenAI's own limit is
2,048."""

MAX_JOB_INPUTS = 4_000
"""Of one job. With what stands around them they are as many strings as a body may hold."""

MAX_TOKEN_ID = (1 << 31) - 1


class FirstError(FailFast):
    """Of a list: it ends at its first wrong entry, since errors take memory. Hashable, since it stands in unions."""

    __hash__ = object.__hash__


AT_FIRST_ERROR = FirstError()

Text = Annotated[str, StringConstraints(min_length=1)]
TokenIds = Annotated[
    list[Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]], Field(min_length=1, max_length=MAX_TOKENS), AT_FIRST_ERROR
]
"""Of one sequence. The special tokens may be there or not."""

TextOrTokens = (
    Text
    | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS), AT_FIRST_ERROR]
    | TokenIds
    | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_INPUTS), AT_FIRST_ERROR]
)
"""As OpenAI and vLLM take it."""


def _unless_false(said: bool | None) -> bool:
    return said is not False


Off = Annotated[bool | None, AfterValidator(bool)]
On = Annotated[bool | None, AfterValidator(_unless_false)]
"""False, or true, unless said otherwise; null says nothing, here as in every other field."""


@dataclass(frozen=True, slots=True)
class NotServed:
    """Of a field that callers of other servers may send, and that would change the answer: only null is taken."""

    why: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return custom_error_schema(handler(source), "not_served", custom_error_message=f"not served: {self.why}")

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "description": f"Not served: {self.why}."}


TruncationDirection = Annotated[Literal["right", "Right"] | None, Field(description="The end is what is cut.")]
Dimensions = Annotated[None, NotServed("a vector is as long as the model is wide, see /info")]

Inputs = list[str] | list[list[int]]


def each_of(given: TextOrTokens) -> Inputs:
    """One entry per sequence, whichever way they were sent."""
    if isinstance(given, str):
        return [given]
    return [given] if isinstance(given[0], int) else given
