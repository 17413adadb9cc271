"""Where each Service listens, as the service proxy wrote it down."""

from __future__ import annotations

import time
from collections.abc import Mapping

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.files import read_json
from plimsoll_sandbox.layout import Layout

# A Service made a moment ago reaches the proxy by its watch.
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.1
_HTTPS_PORT = 443


def service_url(layout: Layout, namespace: str, service: str, port: int | None = None) -> str:
    """http://ADDRESS[:PORT] of a Service, https:// for its port 443. Raises SandboxError when it has none such."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = _table(layout).get(f"{namespace}/{service}")
        if found is not None:
            scheme, usual = ("https", ":443") if port == _HTTPS_PORT else ("http", ":80")
            return f"{scheme}://{_address(found, f'{namespace}/{service}', port).removesuffix(usual)}"
        if time.monotonic() > deadline:
            raise SandboxError(
                f"there is no Service {namespace}/{service} with a ClusterIP: "
                f"see plimsoll-sandbox kubectl --name {layout.name} -- get services -A"
            )
        time.sleep(_POLL_SECONDS)


def _address(ports: Mapping[str, str], name: str, port: int | None) -> str:
    wanted = next(iter(ports)) if port is None else str(port)
    if wanted not in ports:
        raise SandboxError(f"the Service {name} has no port {wanted}; it has {', '.join(ports)}")
    return ports[wanted]


def _table(layout: Layout) -> Mapping[str, Mapping[str, str]]:
    try:
        table: Mapping[str, Mapping[str, str]] = read_json(layout.services)
    except FileNotFoundError:
        return {}
    return table
