"""From a decoded request to the scheduler's answers: what every protocol does between decoding and encoding."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from plimsoll_server.api.disconnect import while_connected
from plimsoll_server.api.inputs import Inputs
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.scheduler import Scheduler

_WHERE_TO_ASK: Mapping[str, str] = {
    "text-classification": "/predict, /classify, /pooling, /infer or /v2",
    "token-classification": "/predict or /v2",
    "feature-extraction": "/embed, /v1/embeddings, /pooling or /v2",
}


async def ask(request: Request, scheduler: Scheduler, inputs: Inputs, options: Options) -> list[Answer]:
    """One answer per input, in order. Raises a RequestError, or ClientGoneError."""
    if isinstance(inputs[0], str):
        return await while_connected(request, scheduler.answer_texts(inputs, options))
    if scheduler.info.task == "token-classification":
        raise InvalidInputError("entities point at characters, and token ids have none; send the text")
    return await while_connected(request, scheduler.answer_tokens(inputs, options))


def require_task(scheduler: Scheduler, *tasks: str) -> None:
    """Raises InvalidInputError, with the paths that this server's model answers at, when its task is another."""
    task = scheduler.info.task
    if task not in tasks:
        raise InvalidInputError(
            f"this path is for {' and '.join(tasks)}, and the model here does {task}: ask at {_WHERE_TO_ASK[task]}"
        )
