"""Callers of the server: each keeps one connection and sends its next request when the last one is answered."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

_ANSWER_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    """0: no answer came."""
    seconds: float
    began: float
    """On the monotonic clock."""
    body: Any = None


class Caller:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)

    def infer(self, tokens: Sequence[Sequence[int]]) -> Answer:
        return self.ask("POST", "/infer", {"tokens": tokens, "batch_size": min(32, len(tokens))})

    def ask(self, method: str, path: str, document: Any = None) -> Answer:
        body = None if document is None else json.dumps(document)
        headers = {} if body is None else {"Content-Type": "application/json"}
        began = time.monotonic()
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0, time.monotonic() - began, began)
        seconds = time.monotonic() - began
        return Answer(response.status, seconds, began, _decoded(text))

    def close(self) -> None:
        self._connection.close()


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")


def keep_calling(
    port: int, requests: Sequence[Sequence[Sequence[int]]], callers: int, over: threading.Event
) -> list[Answer]:
    """Sends `requests` again and again until it is over; a caller that is not answered with 200 ends before. The
    answers, in no order."""
    turn = itertools.count()
    answers: list[Answer] = []

    def work() -> None:
        caller, status = Caller(port), 200
        try:
            while status == 200 and not over.is_set():
                answer = caller.infer(requests[next(turn) % len(requests)])
                answers.append(answer)
                status = answer.status
        finally:
            caller.close()

    _side_by_side(work, callers)
    return answers


def call(port: int, requests: Sequence[Sequence[Sequence[int]]], callers: int) -> list[Answer]:
    """The answer to each request, in order, by so many callers at once."""
    turn = itertools.count()
    answers: dict[int, Answer] = {}

    def work() -> None:
        caller = Caller(port)
        try:
            # One count for all: next() of it is a single step of the interpreter.
            while (number := next(turn)) < len(requests):
                answers[number] = caller.infer(requests[number])
        finally:
            caller.close()

    _side_by_side(work, callers)
    return [answers[number] for number in range(len(requests))]


def _side_by_side(work: Callable[[], None], callers: int) -> None:
    with ThreadPoolExecutor(callers) as pool:
        for done in [pool.submit(work) for _ in range(callers)]:
            done.result()
