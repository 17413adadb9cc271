"""What a client and a cluster rely on: the shapes of answers and errors, the probes, the metrics, and a clean end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence

from plimsoll_server.trial.checks import Check
from plimsoll_server.trial.client import Answer, Caller, keep_calling
from plimsoll_server.trial.gauges import read
from plimsoll_server.trial.process import Running
from plimsoll_server.trial.subject import Subject
from plimsoll_server.trial.workload import Workload

_NEEDED_METRICS = ("plimsoll_requests_total", "plimsoll_request_duration_seconds_count", "plimsoll_batches_total")
_ALONE_GAP = 1e-4
_END_AFTER_SECONDS = 1.0


def inference_checks(server: Running, subject: Subject, workload: Workload) -> list[Check]:
    sequences = [*workload.full(2), *workload.mixed(), *workload.mixed()]
    caller = Caller(server.port)
    together, again = caller.infer(sequences), caller.infer(sequences)
    alone = [caller.infer([sequence]) for sequence in sequences]
    caller.close()
    predictions = _predictions(together)
    least = 1 / subject.labels
    gap = max((abs(one - other) for one, other in zip(predictions, map(_first, alone), strict=False)), default=math.inf)
    return [
        Check(
            "one number per sequence", len(predictions) == len(sequences), str(len(sequences)), str(len(predictions))
        ),
        Check(
            "each the probability of the likeliest of all labels",
            bool(predictions) and all(least - 1e-6 <= one <= 1 + 1e-6 for one in predictions),
            f"{least:.3f} to 1",
            ", ".join(f"{one:.3f}" for one in predictions),
        ),
        Check(
            "the same question has the same answer",
            predictions == _predictions(again),
            "equal",
            _equal(together, again),
        ),
        Check("a batch changes no answer", gap <= _ALONE_GAP, f"at most {_ALONE_GAP:g}", f"{gap:.1g}"),
    ]


def server_checks(server: Running, subject: Subject) -> list[Check]:
    caller = Caller(server.port)
    health = caller.ask("GET", "/health")
    asked = {
        "a token outside of the vocabulary": ({"tokens": [subject.vocabulary]}, 422),
        "no tokens": ({"tokens": []}, 422),
        "a text in the place of tokens": ({"tokens": "tide"}, 422),
    }
    refused = {name: (caller.ask("POST", "/infer", document), wanted) for name, (document, wanted) in asked.items()}
    fields = sorted(health.body) if isinstance(health.body, dict) else []
    checks = [
        Check(
            "GET /health",
            health.status == 200 and fields == ["status", "uptime"],
            "200 status, uptime",
            f"{health.status} {', '.join(fields)}",
        ),
        *[_probe(caller, path) for path in ("/readyz", "/livez", "/startupz")],
        *[
            Check(f"refused: {name}", answer.status == wanted, str(wanted), str(answer.status))
            for name, (answer, wanted) in refused.items()
        ],
    ]
    caller.close()
    for metric in _NEEDED_METRICS:
        value = read(server.metrics_port, metric)
        checks.append(Check(f"metric {metric}", value > 0, "above 0 by now", f"{value:.0f}"))
    return checks


def ending_check(server: Running, workload: Workload, callers: int) -> Check:
    """Told to end while requests are on their way: each is answered, or finds the door closed; then exit code 0."""
    answers: list[Answer] = []
    over = threading.Event()
    requests = [workload.full(1) for _ in range(4 * callers)]
    sending = threading.Thread(
        target=lambda: answers.extend(keep_calling(server.port, requests, callers, over)), name="callers"
    )
    sending.start()
    time.sleep(_END_AFTER_SECONDS)
    told = time.monotonic()
    try:
        code = server.end()
    finally:
        over.set()
        sending.join()
    before = [answer for answer in answers if answer.began < told]
    lost = sum(answer.status != 200 for answer in before)
    under_way = sum(answer.began + answer.seconds > told for answer in before)
    return Check(
        "told to end under load",
        code == 0 and lost == 0 and under_way > 0,
        "exit code 0, no request lost that was sent before, and some of them under way",
        f"exit code {code}, {lost} lost, {under_way} under way, {len(before) - lost} answered",
    )


def _probe(caller: Caller, path: str) -> Check:
    status = caller.ask("GET", path).status
    return Check(f"GET {path}", status == 200, "200", str(status))


def _predictions(answer: Answer) -> Sequence[float]:
    found: Sequence[float] = answer.body["predictions"] if answer.status == 200 else []
    return found


def _first(answer: Answer) -> float:
    return _predictions(answer)[0] if answer.status == 200 else math.inf


def _equal(one: Answer, other: Answer) -> str:
    return "equal" if _predictions(one) == _predictions(other) else "different"
