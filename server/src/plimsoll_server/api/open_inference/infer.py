"""POST /v2/models/NAME/infer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from plimsoll_server.api.asking import ask
from plimsoll_server.api.bodies import read_json, require_json
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import OPEN_INFERENCE
from plimsoll_server.api.large_answers import AnswersResponse, dumped, made_of
from plimsoll_server.api.open_inference.inputs import inputs_of
from plimsoll_server.api.open_inference.outputs import outputs_of, tensor_of
from plimsoll_server.api.open_inference.route import HEADER_LENGTH, HeaderLength, TensorRoute
from plimsoll_server.api.open_inference.shapes import InferParameters, RequestedOutput, TensorRequest, TensorResponse
from plimsoll_server.api.open_inference.tensors import OutputTensor, read_tensors
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import one_by_one, reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.types import ModelInfo

router = APIRouter(tags=["Open Inference Protocol"], route_class=TensorRoute)

_EXAMPLE = {
    "model_name": "domains",
    "model_version": "1",
    "parameters": {"tier": "short", "tokens": "4", "chunks": "1", "truncated_tokens": "0"},
    "outputs": [{"name": "label", "datatype": "BYTES", "shape": [1], "data": ["sea"]}],
}
_BYTES = "application/octet-stream"
"""What tritonclient says of JSON too, where it says anything."""
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": TensorRequest.model_json_schema(ref_template="#/components/schemas/{model}")
            },
            _BYTES: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "/v2/models/{name}/infer",
    response_model=TensorResponse,
    responses=answers_with(_EXAMPLE, OPEN_INFERENCE, named=True),
    openapi_extra=_BODY,
)
async def infer(
    name: str,
    request: Request,
    header_length: HeaderLength = None,
    patience: Patience = None,
) -> Response:
    """Tensors in and out, as JSON or as bytes behind it."""
    service = service_of(request)
    scheduler = service.working()
    service.require_model(name)
    if request.headers.get("content-type", _BYTES) != _BYTES:
        require_json(request.headers)
    body, binary = _read(await request.body(), header_length)
    wanted = _wanted(body, scheduler.info)
    inputs = inputs_of(read_tensors(body.inputs, binary))
    parameters = body.parameters or InferParameters()
    answers = await ask(request, scheduler, inputs, _options(parameters, patience))
    headers = reading_headers(request, answers)
    told = {
        "model_name": service.model_name,
        "model_version": service.model_version,
        **({} if body.id is None else {"id": body.id}),
        "parameters": one_by_one(answers),
    }

    def made() -> Response:
        normalise = bool(parameters.normalize)
        tensors = [tensor_of(output, answers, scheduler.info, normalise=normalise) for output in wanted]
        return _written(told, tensors, list(wanted.values()), headers)

    return await made_of(answers, scheduler, made)


@router.post(
    "/v2/models/{name}/versions/{version}/infer",
    response_model=TensorResponse,
    responses=answers_with(_EXAMPLE, OPEN_INFERENCE, named=True),
    openapi_extra=_BODY,
)
async def infer_version(
    name: str,
    version: str,
    request: Request,
    header_length: HeaderLength = None,
    patience: Patience = None,
) -> Response:
    """The same, of a version that must be the one that is served."""
    service_of(request).require_version(version)
    return await infer(name, request, header_length, patience)


def _read(body: bytes, header_length: int | None) -> tuple[TensorRequest, bytes]:
    """The JSON of a request and the bytes behind it. Raises RequestValidationError or InvalidInputError."""
    if header_length is not None and header_length > len(body):
        raise InvalidInputError(f"{HEADER_LENGTH} says {header_length} bytes, and the body has {len(body)}")
    end = len(body) if header_length is None else header_length
    return read_json(TensorRequest, body[:end]), body[end:]


def _wanted(body: TensorRequest, info: ModelInfo) -> dict[str, bool]:
    """The outputs to give, and which of them as bytes. Raises InvalidInputError."""
    there = outputs_of(info)
    as_bytes = bool(body.parameters and body.parameters.binary_data_output)
    if not body.outputs:
        return dict.fromkeys(there, as_bytes)
    if any(output.name not in there for output in body.outputs):
        raise InvalidInputError(f"outputs of a model for {info.task} are {', '.join(there)}")
    return {output.name: _as_bytes(output, as_bytes) for output in body.outputs}


def _as_bytes(output: RequestedOutput, otherwise: bool) -> bool:
    said = output.parameters.binary_data if output.parameters else None
    return otherwise if said is None else said


def _options(parameters: InferParameters, patience: float | None) -> Options:
    limits = [patience, parameters.timeout and parameters.timeout / 1e6]
    shortest = min((limit for limit in limits if limit), default=None)
    return Options(truncate=bool(parameters.truncate), raw=bool(parameters.raw_scores), timeout_seconds=shortest)


def _written(
    told: dict[str, Any], tensors: Sequence[OutputTensor], as_bytes: Sequence[bool], headers: dict[str, str]
) -> Response:
    outputs, behind = [], []
    for tensor, binary in zip(tensors, as_bytes, strict=True):
        if binary:
            described, raw = tensor.as_bytes()
            outputs.append(described)
            behind.append(raw)
        else:
            outputs.append(tensor.as_json())
    content = {**told, "outputs": outputs}
    if not behind:
        return AnswersResponse(content, headers=headers)
    head = dumped(content).encode()
    return Response(
        b"".join((head, *behind)),
        headers={**headers, HEADER_LENGTH: str(len(head))},
        media_type=_BYTES,
    )
