"""What a worker is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plimsoll_server.config import ConfigError


class WorkerSettings(BaseModel):
    """Every field is read from the variable named by its alias."""

    model_config = ConfigDict(frozen=True)

    redis_url_file: Path = Field(alias="PLIMSOLL_REDIS_URL_FILE")
    """Its servers' own."""
    namespace: str = Field("", alias="POD_NAMESPACE")
    deployment: str = Field("", alias="PLIMSOLL_DEPLOYMENT")
    server_url: str = Field(alias="PLIMSOLL_SERVER_URL", pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")
    key_file: Path | None = Field(None, alias="PLIMSOLL_WORKER_KEY_FILE")
    """Holds the API key that the servers know this worker by, where they ask for one."""
    ca_file: Path | None = Field(None, alias="PLIMSOLL_SERVER_CA_FILE")
    """Of the authority of the servers' certificate; without it those of the image."""
    request_deadline_seconds: float = Field(60.0, alias="PLIMSOLL_REQUEST_DEADLINE_SECONDS", gt=0)
    """The servers' own: none answers later."""
    lost_seconds: float = Field(120.0, alias="PLIMSOLL_WORKER_LOST_SECONDS", ge=1)
    """After so many without a word a worker is taken for lost, and its job goes to another."""
    log_level: str = Field("info", alias="PLIMSOLL_LOG_LEVEL", pattern="^(debug|info|warning|error)$")


def read_worker_settings(environment: Mapping[str, str]) -> WorkerSettings:
    """Raises ConfigError, which names the variable that is wrong or missing."""
    names = {field.alias for field in WorkerSettings.model_fields.values() if field.alias}
    values = {name: value for name, value in environment.items() if name in names and value != ""}
    try:
        return WorkerSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
