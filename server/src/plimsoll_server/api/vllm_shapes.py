"""What vLLM's /classify and /pooling have in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plimsoll_server.api.inputs import NotServed, TextOrTokens
from plimsoll_server.scheduler.answers import Answer

_RENAMED = NotServed("use_activation: false asks for what the model gives by itself")
"""Of parameters of older versions, whose meaning would be lost in silence."""

TruncationSide = Annotated[Literal["right"] | None, Field(description="The end is what is cut.")]
ModelName = Annotated[str, StringConstraints(max_length=1024)]
Cut = Annotated[
    Literal[-1] | None,
    Field(
        description="-1 cuts a text in the place of refusing it; what the policy for long input reads whole stays "
        "whole. usage.truncated_tokens says how much was left out. No other length is served.",
    ),
]


class VllmRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    input: Annotated[
        TextOrTokens,
        Field(description="A text or several, or token ids or several lists of them.", examples=["the tides"]),
    ]
    model: Annotated[ModelName | None, Field(description="Its name here, or none.")] = None
    truncate_prompt_tokens: Cut = None
    use_activation: Annotated[
        bool | None, Field(description="False: logits in the place of scores, vectors of their own length.")
    ] = None
    request_id: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[ -~]{1,128}$"),
            Field(description="Comes back in the answer's id; printable ASCII."),
        ]
        | None
    ) = None
    user: Annotated[str | None, Field(description="Not used.")] = None
    add_special_tokens: Annotated[Literal[True] | None, Field(description="Texts always get them.")] = None
    truncation_side: TruncationSide = None
    padding: Annotated[Literal["do_not_pad"] | None, Field(description="Nothing is padded.")] = None

    activation: Annotated[None, _RENAMED] = None
    softmax: Annotated[None, _RENAMED] = None
    normalize: Annotated[None, _RENAMED] = None

    @property
    def raw(self) -> bool:
        return self.use_activation is False

    @property
    def truncate(self) -> bool:
        return self.truncate_prompt_tokens is not None


class Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(description="Tokens that were read.")]
    total_tokens: int
    truncated_tokens: Annotated[int, Field(description="Tokens that were left out.")]


def usage_of(answers: Sequence[Answer]) -> dict[str, int]:
    read = sum(answer.tokens for answer in answers)
    left_out = sum(answer.truncated_tokens for answer in answers)
    return {"prompt_tokens": read, "total_tokens": read, "truncated_tokens": left_out}


def envelope(
    kind: str, request_id: str | None, model: str, data: list[dict[str, Any]], answers: Sequence[Answer]
) -> dict[str, Any]:
    """`kind`: what the answer's id begins with."""
    return {
        "id": f"{kind}-{request_id or uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": model,
        "data": data,
        "usage": usage_of(answers),
    }
