"""Requests and answers of inference, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plimsoll_server.api.inputs import AT_FIRST_ERROR, NotServed, Off, On
from plimsoll_server.api.open_inference.tensors import InputTensor, Name

_MAX_TENSORS = 8
_LONGEST_TIMEOUT = 86_400_000_000
"""A day, as with X-Request-Timeout."""


class InferParameters(BaseModel):
    """Others are for other servers, and are not looked at."""

    model_config = ConfigDict(strict=True)

    truncate: Annotated[Off, Field(description="Cut a text in the place of refusing it.")] = False
    raw_scores: Annotated[Off, Field(description="Logits in the place of scores.")] = False
    normalize: Annotated[On, Field(description="Embeddings of length 1.")] = True
    binary_data_output: Annotated[Off, Field(description="All outputs as bytes behind the JSON.")] = False
    timeout: (
        Annotated[int, Field(ge=1, le=_LONGEST_TIMEOUT, description="Microseconds that the caller waits.")] | None
    ) = None


class OutputParameters(BaseModel):
    model_config = ConfigDict(strict=True)

    binary_data: bool | None = None
    classification: Annotated[None, NotServed("label and scores tell the same")] = None
    shared_memory_region: Annotated[None, NotServed("tensors travel with the request")] = None


class RequestedOutput(BaseModel):
    model_config = ConfigDict(strict=True)

    name: Name
    parameters: OutputParameters | None = None


class TensorRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Annotated[str, StringConstraints(max_length=256)] | None = None
    parameters: InferParameters | None = None
    inputs: Annotated[
        list[InputTensor],
        Field(
            min_length=1,
            max_length=_MAX_TENSORS,
            examples=[[{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["the tides"]}]],
        ),
        AT_FIRST_ERROR,
    ]
    outputs: Annotated[list[RequestedOutput], Field(max_length=_MAX_TENSORS), AT_FIRST_ERROR] | None = None


class ResponseTensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = None
    data: list[float] | list[str] | None = None


class TensorResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    parameters: Annotated[
        dict[str, str], Field(description="How each input was read: tier, tokens, chunks, truncated_tokens.")
    ]
    outputs: list[ResponseTensor]
