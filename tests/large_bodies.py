"""Bodies of megabytes that would unfold to much more: as many entries as fit, of every kind, to every protocol."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from plimsoll_server.api.embed import EmbedRequest
from plimsoll_server.api.infer import InferRequest
from plimsoll_server.api.open_inference.shapes import TensorRequest
from plimsoll_server.api.openai_embeddings import EmbeddingsRequest
from plimsoll_server.api.pipeline import PipelineRequest
from plimsoll_server.api.pooling import PoolingRequest
from plimsoll_server.api.predict import PredictRequest
from plimsoll_server.api.vllm_shapes import VllmRequest

FORMS: tuple[tuple[type[BaseModel], str], ...] = (
    (PredictRequest, '{"inputs": [%s]}'),
    (PredictRequest, '{"inputs": [[%s]]}'),
    (EmbedRequest, '{"inputs": [%s]}'),
    (PipelineRequest, '{"inputs": "a", "parameters": {"ignore_labels": [%s]}}'),
    (VllmRequest, '{"input": [%s]}'),
    (VllmRequest, '{"input": [[%s]]}'),
    (PoolingRequest, '{"input": "a", "dimensions": [%s]}'),
    (EmbeddingsRequest, '{"input": [%s]}'),
    (EmbeddingsRequest, '{"input": "a", "nobody knows": [%s]}'),
    (InferRequest, '{"tokens": [%s]}'),
    (InferRequest, '{"tokens": [[%s]]}'),
    (TensorRequest, '{"inputs": [%s]}'),
    (TensorRequest, '{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [%s]}]}'),
    (TensorRequest, '{"inputs": [{"name": "ids", "datatype": "INT64", "shape": [9], "data": [%s]}]}'),
)
"""What is read, and where in it the entries stand."""
ENTRIES = ("1", "-1", '"a"', '""', "[]", "[1]", '["a"]', "{}", "null", "1.5", "9" * 4_000, '"\\\\"', '"[,{"')


def large_bodies(size: int) -> Iterator[tuple[type[BaseModel], bytes]]:
    for model, form in FORMS:
        for entry in ENTRIES:
            yield model, form.replace("%s", ",".join([entry] * (size // (len(entry) + 1)))).encode()
    for key in ('"inputs": 1', '"another": 1'):
        keys = "{" + ",".join([key] * (size // 14)) + "}"
        yield PipelineRequest, ('{"inputs": "a", "parameters": ' + keys + "}").encode()
        yield PredictRequest, keys.encode()
