"""What the process is told by its environment. Read once, at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plimsoll_server.config import ConfigError, ServerConfig, parse_config

_Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseModel):
    """Every field but `config` is read from the variable named by its alias."""

    model_config = ConfigDict(frozen=True)

    config: ServerConfig
    pod_name: str = Field("", alias="POD_NAME")
    namespace: str = Field("", alias="POD_NAMESPACE")
    deployment: str = Field("", alias="PLIMSOLL_DEPLOYMENT")
    revision: str = Field("", alias="PLIMSOLL_REVISION")
    memory_limit_bytes: int | None = Field(None, alias="PLIMSOLL_MEMORY_LIMIT_BYTES", ge=1)
    bind_address: str = Field("127.0.0.1", alias="PLIMSOLL_BIND_ADDRESS", min_length=1)
    http_port: _Port = Field(8080, alias="PLIMSOLL_HTTP_PORT")
    https_port: _Port = Field(8443, alias="PLIMSOLL_HTTPS_PORT")
    metrics_port: _Port = Field(9090, alias="PLIMSOLL_METRICS_PORT")
    request_deadline_seconds: float = Field(60.0, alias="PLIMSOLL_REQUEST_DEADLINE_SECONDS", gt=0)
    connection_max_age_seconds: float = Field(60.0, alias="PLIMSOLL_CONNECTION_MAX_AGE_SECONDS", gt=0)
    """After this, more or less a fifth, an answer closes its connection: new pods get their share of old callers."""
    drain_linger_seconds: float = Field(3.0, alias="PLIMSOLL_DRAIN_LINGER_SECONDS", ge=0)
    drain_deadline_seconds: float = Field(45.0, alias="PLIMSOLL_DRAIN_DEADLINE_SECONDS", gt=0)
    max_body_bytes: int = Field(8 << 20, alias="PLIMSOLL_MAX_BODY_BYTES", ge=1024)
    max_text_bytes: int = Field(1 << 20, alias="PLIMSOLL_MAX_TEXT_BYTES", ge=64)
    calibration_directory: str = Field("", alias="PLIMSOLL_CALIBRATION_DIRECTORY")
    """Where the load line that was measured is kept for the next start; empty: nowhere."""
    devices: int = Field(0, alias="PLIMSOLL_DEVICES", ge=0, le=64)
    """How many devices are served by a worker process each. 0: all GPUs, or the CPU by this process."""
    termination_log: str = Field("", alias="PLIMSOLL_TERMINATION_LOG")
    tls_directory: str = Field("", alias="PLIMSOLL_TLS_DIRECTORY")
    """Where tls.crt and tls.key are: with it HTTPS is served, and nothing else."""
    api_keys_file: Path | None = Field(None, alias="PLIMSOLL_API_KEYS_FILE")
    """One key per line; read anew when it changes. Without it nobody is asked for a key."""
    rate_limit: str = Field("", alias="PLIMSOLL_RATE_LIMIT", pattern=r"^([1-9][0-9]{0,6}/(second|minute|hour|day))?$")
    """Requests of one caller in a time, such as 100/minute."""
    cache_bytes: int = Field(64 << 20, alias="PLIMSOLL_CACHE_BYTES", ge=0)
    cache_ttl_seconds: float = Field(300.0, alias="PLIMSOLL_CACHE_TTL_SECONDS", gt=0)
    redis_url_file: Path | None = Field(None, alias="PLIMSOLL_REDIS_URL_FILE")
    """Holds the address of a Redis with its password; read anew when it changes."""
    jobs_deadline_seconds: float = Field(21_600.0, alias="PLIMSOLL_JOBS_DEADLINE_SECONDS", gt=0)
    """From a job being taken until what has no answer gets none."""
    jobs_kept_seconds: float = Field(86_400.0, alias="PLIMSOLL_JOBS_KEPT_SECONDS", gt=0)
    """From the end of a job until it expires."""
    jobs_per_caller: int = Field(64, alias="PLIMSOLL_JOBS_PER_CALLER", ge=1)
    """That are kept, ended ones among them."""
    access_log: bool = Field(False, alias="PLIMSOLL_ACCESS_LOG")
    log_level: str = Field("info", alias="PLIMSOLL_LOG_LEVEL", pattern="^(debug|info|warning|error)$")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from `environment`; ConfigError names the variable that is wrong and what to write."""
    document = environment.get("PLIMSOLL_CONFIG")
    if not document:
        raise ConfigError(
            "PLIMSOLL_CONFIG is not set. The operator sets it; by hand, write for example "
            '{"version": 1, "model": {"location": "/models/mine"}, "tiers": [{"name": "short", "maxTokens": 512}]}'
        )
    names = {field.alias for field in Settings.model_fields.values() if field.alias}
    values = {name: value for name, value in environment.items() if name in names and value != ""}
    try:
        return Settings.model_validate({"config": parse_config(document), **values})
    except ValidationError as error:
        raise ConfigError("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
