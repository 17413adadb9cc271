"""Why is a revision not ready? Names the first cause that its pods show, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable

from plimsoll_operator.observed import Pod, Workload
from plimsoll_operator.steps.draft import Reason

_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
UNSCHEDULABLE = "Unschedulable"
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def diagnose(workload: Workload | None) -> Reason | None:
    """The cause that explains most of what is wrong, or None when the pods show none."""
    if workload is None:
        return None
    if workload.replica_failure:
        return Reason("PodsRefused", f"the apiserver refuses the pods: {workload.replica_failure}")
    waiting = [pod for pod in workload.pods if not pod.ready and not pod.terminating]
    for cause in _CAUSES:
        for pod in waiting:
            if found := cause(pod):
                return found
    return None


def _image(pod: Pod) -> Reason | None:
    if pod.waiting_reason not in _IMAGE_REASONS:
        return None
    message = (
        f"pod {pod.name} cannot get its image: {pod.waiting_message}. Check spec.server.image and the pull secrets"
    )
    return Reason("ImagePullFailed", message)


def _configuration(pod: Pod) -> Reason | None:
    if pod.waiting_reason not in _CONFIG_REASONS:
        return None
    return Reason("ContainerNotStarted", f"pod {pod.name} cannot start its container: {pod.waiting_message}")


def _out_of_memory(pod: Pod) -> Reason | None:
    if pod.last_exit_reason != "OOMKilled":
        return None
    message = (
        f"pod {pod.name} was killed for memory ({pod.restarts} restarts): lower spec.server.memoryUtilizationPercent "
        "or the tiers' concurrency, or raise the memory limit"
    )
    return Reason("OOMKilled", message)


def _crash(pod: Pod) -> Reason | None:
    # Between two back-offs it runs for a moment, and is no better for it.
    if pod.waiting_reason != "CrashLoopBackOff" and not pod.restarts:
        return None
    last_words = f"its last words: {pod.last_exit_message}; " if pod.last_exit_message else ""
    message = (
        f"pod {pod.name} ends again and again (exit code {pod.last_exit_code}, {pod.restarts} restarts): "
        f"{last_words}read kubectl logs {pod.name} --previous"
    )
    return Reason("CrashLoop", message)


def _unschedulable(pod: Pod) -> Reason | None:
    if not pod.unschedulable:
        return None
    return Reason(UNSCHEDULABLE, f"pod {pod.name} has no node: {pod.unschedulable}")


_CAUSES: tuple[Callable[[Pod], Reason | None], ...] = (_image, _configuration, _out_of_memory, _crash, _unschedulable)
