"""The application: which protocols there are, and what every request passes on its way to them."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import ASGIApp

from plimsoll_server.api import (
    classify,
    embed,
    health,
    infer,
    info,
    jobs,
    openai_embeddings,
    pipeline,
    pooling,
    predict,
)
from plimsoll_server.api.accounting import Accounting, RequestObserver
from plimsoll_server.api.around import NOTHING, Around
from plimsoll_server.api.auth import Auth
from plimsoll_server.api.body_limit import BodyLimit
from plimsoll_server.api.documentation import Documented
from plimsoll_server.api.errors import install_error_handlers
from plimsoll_server.api.open_inference import about as open_inference_about
from plimsoll_server.api.open_inference import infer as open_inference_infer
from plimsoll_server.api.parting import Parting
from plimsoll_server.api.rate_limit import RateLimit
from plimsoll_server.api.signing import Signing
from plimsoll_server.api.state import Service

PROTOCOLS: tuple[APIRouter, ...] = (
    predict.router,
    embed.router,
    pipeline.router,
    classify.router,
    pooling.router,
    openai_embeddings.router,
    open_inference_infer.router,
    infer.router,
)
"""What is counted as a request."""

ABOUT: tuple[APIRouter, ...] = (
    openai_embeddings.about,
    open_inference_about.router,
    info.router,
    jobs.router,
    jobs.about,
    health.router,
)
"""What only tells something, or has others ask: the texts of a job are counted when a worker sends them."""

PROBES = frozenset(
    {"/v2/health/live", "/v2/health/ready", *(route.path for route in health.router.routes if isinstance(route, Route))}
)
"""Paths that answer without a key: whoever asks them has none."""

_PATHS = [route.path_regex for router in PROTOCOLS for route in router.routes if isinstance(route, Route)]


def make_app(
    service: Service,
    observer: RequestObserver,
    max_body_bytes: int,
    around: Around = NOTHING,
    *,
    revision: str = "",
    replica: str = "",
) -> ASGIApp:
    """`revision` and `replica` are told with each answer, where they are known."""
    app = Documented(
        title="Plimsoll inference server",
        version=version("plimsoll-server"),
        redoc_url=None,
        redirect_slashes=False,
        description="Encoders for texts of any length, within the load line of their device.",
    )
    app.state.service = service
    install_error_handlers(app)
    for router in (*PROTOCOLS, *ABOUT):
        app.include_router(router)

    guarded = _guarded(BodyLimit(app, max_body_bytes), around)
    if around.tracer is not None:
        # Only those who want traces pay for its library.
        from plimsoll_server.api.request_span import RequestSpan

        guarded = RequestSpan(guarded, around.tracer, _is_of_a_protocol)
    told = _is_no_probe if around.access_log else None
    counted = Accounting(guarded, _is_of_a_protocol, service.lifecycle, observer, told=told)
    return Signing(Parting(counted, service.lifecycle), revision=revision, replica=replica)


def _guarded(app: ASGIApp, around: Around) -> ASGIApp:
    """Who calls is asked first: limits are by caller."""
    if around.rates is not None:
        app = RateLimit(app, around.rates, _is_of_a_protocol)
    if around.keys is not None:
        app = Auth(app, around.keys, PROBES.__contains__)
    return app


def _is_no_probe(path: str) -> bool:
    return path not in PROBES


@lru_cache(maxsize=256)
def _is_of_a_protocol(path: str) -> bool:
    return any(pattern.match(path) for pattern in _PATHS)
