"""The application: which protocols there are, and what every request passes on its way to them."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from plimsoll_server.api import health, infer, info, predict
from plimsoll_server.api.accounting import Accounting, RequestObserver
from plimsoll_server.api.body_limit import BodyLimit
from plimsoll_server.api.errors import install_error_handlers
from plimsoll_server.api.parting import Parting
from plimsoll_server.api.signing import Signing
from plimsoll_server.api.state import Service

PROTOCOLS: tuple[APIRouter, ...] = (
    predict.router,
    infer.router,
)

_PATHS = [route.path_regex for router in PROTOCOLS for route in router.routes if isinstance(route, Route)]


def make_app(
    service: Service, observer: RequestObserver, max_body_bytes: int, *, revision: str = "", replica: str = ""
) -> ASGIApp:
    """`revision` and `replica` are told with each answer, where they are known."""
    app = FastAPI(
        title="Plimsoll inference server",
        version=version("plimsoll-server"),
        redoc_url=None,
        description="Classifies texts of any length within the load line of its device.",
    )
    app.state.service = service
    install_error_handlers(app)
    for router in (*PROTOCOLS, info.router, health.router):
        app.include_router(router)

    counted = Accounting(BodyLimit(app, max_body_bytes), _is_of_a_protocol, service.lifecycle, observer)
    return Signing(Parting(counted, service.lifecycle), revision=revision, replica=replica)


@lru_cache(maxsize=256)
def _is_of_a_protocol(path: str) -> bool:
    return any(pattern.match(path) for pattern in _PATHS)
