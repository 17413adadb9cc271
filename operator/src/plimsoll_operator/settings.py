"""The operator's settings, read once from the environment that the chart sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyAddress, ValidationError

from plimsoll_operator.duration import parse_duration


class InvalidSettingsError(ValueError):
    """The environment does not fit; the message lists every variable at fault."""


def _longer_than_zero(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("expected a duration longer than zero")
    return value


def _without_credentials(value: str) -> str:
    address = urlsplit(value)
    # Reading the port raises ValueError where it is none.
    if address.scheme not in ("http", "https") or not address.hostname or "@" in value or address.port == 0:
        raise ValueError("expected http://HOST:PORT or https://HOST:PORT without user and password")
    return value


Port = Annotated[int, Field(ge=1, le=65535)]
Address = Annotated[str, AfterValidator(_without_credentials)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_longer_than_zero)]


class Settings(BaseModel):
    """What the installation decides. Every field's alias is the variable it is read from."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=False)

    server_image: str = Field(alias="PLIMSOLL_SERVER_IMAGE")
    """Image of the server for objects that name none."""
    hub_proxy: Address = Field("", alias="PLIMSOLL_HUB_PROXY")
    """Proxy through which the server's pods fetch models of the hub; without credentials, since everybody sees it."""
    namespace: str = Field(alias="POD_NAMESPACE")
    """Where the operator runs; its GPU profile table is there."""
    pod_name: str = Field("", alias="POD_NAME")
    """Who holds the Lease, as people read it; the host's name where there is no pod."""
    profiles_configmap: str = Field("plimsoll-gpu-profiles", alias="PLIMSOLL_GPU_PROFILES_CONFIGMAP")
    lease_name: str = Field("plimsoll-operator", alias="PLIMSOLL_LEASE_NAME")
    """Lease in the operator's own namespace; who holds it leads."""
    watch_namespace: str = Field("", alias="PLIMSOLL_WATCH_NAMESPACE", pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    """The one namespace that is served; empty for all of them."""
    frozen: bool = Field(False, alias="PLIMSOLL_FREEZE")
    """No rollout starts anywhere."""
    kubeconfig: str = Field("", alias="KUBECONFIG")
    """Empty for the pod's own service account."""
    bind_address: IPvAnyAddress = Field("0.0.0.0", alias="PLIMSOLL_BIND_ADDRESS", validate_default=True)  # noqa: S104
    """Where both listeners listen: in a pod, everywhere."""
    metrics_port: Port = Field(9090, alias="PLIMSOLL_METRICS_PORT")
    health_port: Port = Field(8080, alias="PLIMSOLL_HEALTH_PORT")
    log_format: Literal["json", "text"] = Field("json", alias="PLIMSOLL_LOG_FORMAT")
    workers: int = Field(8, alias="PLIMSOLL_WORKERS", ge=1, le=64)
    """Objects reconciled at the same time. A worker mostly waits for the apiserver; eight fill half a core."""
    resync_period: Duration = Field(timedelta(seconds=60), alias="PLIMSOLL_RESYNC_PERIOD")
    """How often every object is looked at even if nothing happened; a changed profile table is seen by then."""
    prometheus_url: Address = Field("", alias="PLIMSOLL_PROMETHEUS_URL")
    """Prometheus that scrapes the servers; empty: canaries are judged by the Kubernetes API alone."""
    prometheus_delay: Duration = Field(timedelta(seconds=2), alias="PLIMSOLL_PROMETHEUS_DELAY")
    """After a moment, until all that was scraped by then is stored there."""
    prometheus_token_file: str = Field("", alias="PLIMSOLL_PROMETHEUS_TOKEN_FILE")
    """Holds a bearer token; read anew each time."""
    prometheus_username_file: str = Field("", alias="PLIMSOLL_PROMETHEUS_USERNAME_FILE")
    prometheus_password_file: str = Field("", alias="PLIMSOLL_PROMETHEUS_PASSWORD_FILE")
    prometheus_ca_file: str = Field("", alias="PLIMSOLL_PROMETHEUS_CA_FILE")
    """Certificates that sign Prometheus'; empty for the system's."""
    prometheus_proxy: Address = Field("", alias="PLIMSOLL_PROMETHEUS_PROXY")
    request_timeout: Duration = Field(timedelta(seconds=30), alias="PLIMSOLL_REQUEST_TIMEOUT")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as unset. Raises InvalidSettingsError."""
    given = {name: value for name, value in environment.items() if value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{problem['loc'][0]}: {problem['msg']}{_found(given, str(problem['loc'][0]))}"
            for problem in error.errors(include_url=False)
        ]
        raise InvalidSettingsError("\n".join(problems)) from error


def _found(given: Mapping[str, str], name: str) -> str:
    """What was given, without what may be a password in it."""
    return f", found {re.sub('//[^/]*@', '//…@', given[name])!r}" if name in given else ""
