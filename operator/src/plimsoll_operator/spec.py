"""The user's `spec` as frozen types with the defaults applied. The stored object never gets them written in."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from plimsoll_operator.duration import parse_duration
from plimsoll_operator.model_source import ModelSource, parse_model_source
from plimsoll_operator.observed import Manifest
from plimsoll_operator.quantity import parse_quantity

Duration = Annotated[
    timedelta,
    BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value),
    # In a revision's input, which must read back.
    PlainSerializer(lambda value: f"{value / timedelta(milliseconds=1):.0f}ms", when_used="json"),
]
Bytes = Annotated[
    int, BeforeValidator(lambda value: math.ceil(parse_quantity(value)) if isinstance(value, str) else value)
]


class InvalidSpecError(ValueError):
    """A spec that the CRD's schema should have refused: an older CRD, or one edited by hand."""


class _Section(BaseModel):
    # Fields of a newer CRD are ignored rather than refused: an operator rolled back must not stop serving.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Dimensions(_Section):
    """Shape of an encoder, as much of it as the load line needs. `local_window` 0 means global attention only,
    `experts` 0 a feed-forward that all tokens go through."""

    layers: int
    hidden_size: int
    heads: int
    intermediate_size: int
    vocab_size: int
    local_window: int = 0
    global_every: int = 1
    experts: int = 0
    experts_per_token: int = 2


class Model(_Section):
    uri: str
    family: str = "modernbert"
    task: Literal["text-classification", "token-classification", "feature-extraction"] = "text-classification"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    shape: str = ""
    dimensions: Dimensions | None = None

    @cached_property
    def source(self) -> ModelSource:
        """Where the weights come from. Raises ValueError."""
        return parse_model_source(self.uri)


class Gpu(_Section):
    profile: str
    count: int = 1


class Tier(_Section):
    """Requests of at most `max_tokens` tokens, `concurrency` of them at once on each device."""

    name: str
    max_tokens: int
    concurrency: int = 1
    latency_objective: Duration | None = None
    """Within which an answer should come: a latency that a rollout's analysis looks at. It changes no pod."""


class LongInput(_Section):
    policy: Literal["Auto", "Native", "Chunk", "Reject", "Truncate"] = "Auto"
    chunk_tokens: int = 8192
    overlap_tokens: int = 1024
    aggregation: Literal["Mean", "Max", "Union"] = "Mean"


class Scaling(_Section):
    min_replicas: int = 1
    max_replicas: int = 8
    target_saturation_percent: int = 70
    scale_down_stabilization: Duration = timedelta(minutes=5)
    provider: Literal["HPA", "None"] = "HPA"

    @property
    def autoscaled(self) -> bool:
        """Whether an autoscaler sets the number of pods; else it is fixed at the minimum."""
        return self.provider != "None"


class Canary(_Section):
    """How a canary gets its traffic, and what becomes of one that the evidence does not decide."""

    steps: tuple[int, ...] = (10, 30, 50)
    """Percent of the requests, ascending."""
    max_pods: int = 2
    capacity: Literal["Auto", "Surge", "Replace"] = "Auto"
    max_duration: Duration = timedelta(minutes=30)
    on_inconclusive: Literal["Pause", "Promote", "Rollback"] = "Pause"
    on_no_data: Literal["Hold", "Promote", "Rollback"] = "Hold"


class Analysis(_Section):
    """What counts as evidence against a canary, or for it."""

    false_rollback_percent: int = 1
    tolerance_percent: int = 25
    margin_percent: int = 1
    interval: Duration = timedelta(seconds=10)
    oom_kills: int = 3


class Rollout(_Section):
    strategy: Literal["Canary", "RollingUpdate", "Recreate"] = "Canary"
    paused: bool = False
    progress_deadline: Duration = timedelta(minutes=10)
    canary: Canary = Canary()
    analysis: Analysis = Analysis()
    revision_history_limit: int = 5

    @property
    def deadline_is_stated(self) -> bool:
        """Whether the user wrote a deadline: the default gives way to a model that is slow to start."""
        return "progress_deadline" in self.model_fields_set


class Resources(_Section):
    requests: dict[str, str | int] = {}
    limits: dict[str, str | int] = {}


class Cache(_Section):
    """Answers that are kept, `max_size` in bytes."""

    ttl: Duration = timedelta(minutes=5)
    max_size: Bytes = 64 << 20
    redis_secret: str = ""
    redis_port: int = 6379


class Auth(_Section):
    api_key_secret: str = ""


class Tracing(_Section):
    endpoint: str = ""
    sample_percent: int = 1


class Server(_Section):
    image: str = ""
    memory_utilization_percent: int = 85
    resources: Resources = Resources()
    hub_token_secret: str = ""
    tls_secret: str = ""
    cache: Cache = Cache()
    auth: Auth = Auth()
    rate_limit: str = ""
    access_log: bool = False
    tracing: Tracing = Tracing()


class SecretName(_Section):
    name: str


class Pod(_Section):
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""
    image_pull_secrets: tuple[SecretName, ...] = ()
    topology_spread: bool = True


class Spec(_Section):
    """The whole `spec` of an InferenceDeployment."""

    model: Model
    gpu: Gpu
    tiers: tuple[Tier, ...] = Field(min_length=1)
    long_input: LongInput = LongInput()
    scaling: Scaling = Scaling()
    rollout: Rollout = Rollout()
    server: Server = Server()
    pod: Pod = Pod()

    @property
    def max_replicas(self) -> int:
        """Never below the minimum: a spec that states only `minReplicas: 10` means at least ten."""
        return max(self.scaling.min_replicas, self.scaling.max_replicas)


def parse_spec(spec: Manifest) -> Spec:
    """Read a `spec`. Raises InvalidSpecError naming the field."""
    try:
        parsed = Spec.model_validate(spec)
        parsed.model.source  # noqa: B018  read here so that a bad URI is an error of the spec, not of a later step
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidSpecError(f"spec.{path}: {first['msg']}") from error
    except ValueError as error:
        raise InvalidSpecError(f"spec.model.uri: {error}") from error
    return parsed


def revision_input(spec: Spec) -> dict[str, Any]:
    """What makes a revision: the user's own input to the pods, without what equals a default.

    Leaving the defaults out keeps a revision's identity when a newer operator knows more fields, and when a user
    writes a default down. Scaling, objectives and rollout settings change no pod, so they make no revision.
    """
    return spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={"scaling": True, "rollout": True, "tiers": {"__all__": {"latency_objective"}}},
    )
