"""Which GPU? Finds the profile that the spec names in the installation's table."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.steps.draft import Draft, Reason


def find_gpu_profile(draft: Draft) -> Draft:
    observed = draft.observed
    if observed.profiles_error:
        return replace(draft, blocked=Reason("GPUProfilesUnreadable", observed.profiles_error))
    wanted = draft.spec.gpu.profile
    if wanted not in observed.profiles:
        known = ", ".join(sorted(observed.profiles)) or "none"
        message = (
            f"spec.gpu.profile {wanted!r} is not in the table of this installation ({known}): "
            "write one of these, or add an entry to the chart's gpuProfiles"
        )
        return replace(draft, blocked=Reason("GPUProfileNotFound", message))
    return replace(draft, profile=observed.profiles[wanted])
