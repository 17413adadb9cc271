"""How much may be loaded? Plans the load line of the spec on its GPU, where the model's shape is known."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.load_line import LoadLine, plan_load_line, precision_of
from plimsoll_operator.model_shapes import UnknownShapeError, dimensions_of
from plimsoll_operator.quantity import parse_bytes
from plimsoll_operator.spec import Dimensions, Spec
from plimsoll_operator.steps.draft import Draft, Reason

NOTHING_FITS = "NothingFits"


def plan_the_load_line(draft: Draft) -> Draft:
    if draft.profile is None:
        return replace(draft, load_line_unknown=draft.blocked)
    try:
        shape = dimensions_of(draft.spec.model)
    except UnknownShapeError as error:
        return replace(draft, load_line_unknown=Reason("UnknownShape", str(error)))
    if shape is None:
        message = "the model's shape is not stated: write spec.model.shape or spec.model.dimensions to plan the line"
        return replace(draft, load_line_unknown=Reason("ShapeNotStated", message))
    line = load_line_of(draft.spec, shape, draft.profile)
    return replace(draft, load_line=line, blocked=_nothing_fits(draft.spec, line))


def _nothing_fits(spec: Spec, line: LoadLine) -> Reason | None:
    """Not one request of the smallest tier fits: a pod could serve nobody."""
    if any(tier.safe for tier in line.tiers):
        return None
    message = (
        f"no tier fits {spec.gpu.profile}: weights of {line.weights_bytes >> 20} MiB and one request of "
        f"{line.tiers[0].max_tokens} tokens exceed {line.budget_bytes >> 20} MiB: "
        "lower maxTokens, or choose more memory"
    )
    return Reason(NOTHING_FITS, message)


def load_line_of(spec: Spec, shape: Dimensions, profile: GpuProfile) -> LoadLine:
    """The load line of `spec` on one device of `profile`."""
    return plan_load_line(
        shape,
        spec.tiers,
        device_memory=device_memory(spec, profile),
        utilization_percent=spec.server.memory_utilization_percent,
        precision=precision_of(spec.model.dtype, profile),
        eager=spec.model.attention == "eager",
        # Beside a GPU, answers are remembered in the memory of the host.
        promised=0 if profile.is_gpu else spec.server.cache.max_size,
    )


def device_memory(spec: Spec, profile: GpuProfile) -> int:
    """Bytes of one device; on a CPU the container's memory limit stands for them."""
    limit = spec.server.resources.limits.get("memory")
    return parse_bytes(limit) if limit is not None and not profile.is_gpu else profile.memory_bytes
