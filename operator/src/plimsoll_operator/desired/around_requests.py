"""What the server is told of all that surrounds a request: who may call, how often, what is kept, logged and traced.

Defaults are the server's own and are not written into its pod: an object that asks for none of this keeps its pods.
"""

from __future__ import annotations

from typing import Any

from plimsoll_operator.desired.mounted_secrets import API_KEYS, REDIS_URL, api_keys, certificate, redis
from plimsoll_operator.spec import Cache, Spec

TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def around_requests(spec: Spec) -> list[dict[str, Any]]:
    """Environment variables of the server's container."""
    server = spec.server
    told: dict[str, str] = {}
    if files := certificate(spec):
        told["PLIMSOLL_TLS_DIRECTORY"] = files.path
    if keys := api_keys(spec):
        told["PLIMSOLL_API_KEYS_FILE"] = f"{keys.path}/{API_KEYS}"
    if server.rate_limit:
        told["PLIMSOLL_RATE_LIMIT"] = server.rate_limit
    if url := redis(spec):
        told["PLIMSOLL_REDIS_URL_FILE"] = f"{url.path}/{REDIS_URL}"
    if server.access_log:
        told["PLIMSOLL_ACCESS_LOG"] = "true"
    told |= _kept_answers(server.cache) | _traces(spec)
    return [{"name": name, "value": value} for name, value in told.items()]


def _kept_answers(cache: Cache) -> dict[str, str]:
    usual = Cache()
    told = {}
    if cache.max_size != usual.max_size:
        told["PLIMSOLL_CACHE_BYTES"] = str(cache.max_size)
    if cache.ttl != usual.ttl:
        told["PLIMSOLL_CACHE_TTL_SECONDS"] = f"{cache.ttl.total_seconds():.0f}"
    return told


def _traces(spec: Spec) -> dict[str, str]:
    """As OpenTelemetry names them, https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/."""
    tracing = spec.server.tracing
    if not tracing.endpoint:
        return {}
    return {
        TRACES_ENDPOINT: tracing.endpoint,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": f"{tracing.sample_percent / 100:g}",
    }
