"""Why is a revision not ready? Names the first cause that its pods show, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType

from plimsoll_operator.observed import Pod, Workload
from plimsoll_operator.out_of_memory import ADVICE, OOM_KILLED, ran
from plimsoll_operator.steps.draft import Probe, Reason

_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_ENDS_ON_REQUEST = (0, 143)  # 128 + SIGTERM
_SOONEST_BY_PROBE = timedelta(seconds=60)  # six failures of the liveness probe; the startup probe waits for longer
UNSCHEDULABLE = "Unschedulable"
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_NONE: Mapping[str, Probe] = MappingProxyType({})


def diagnose(workload: Workload | None, silent: Mapping[str, Probe] = _NONE) -> Reason | None:
    """The cause that explains most of what is wrong, or None when the pods show none.

    `silent` names pods that have had more than enough time, and the probe that they do not pass.
    """
    if workload is None:
        return None
    if workload.replica_failure:
        return Reason("PodsRefused", f"the apiserver refuses the pods: {workload.replica_failure}")
    waiting = [pod for pod in workload.pods if not pod.ready and not pod.terminating]
    for cause in _causes(silent):
        for pod in waiting:
            if found := cause(pod):
                return found
    return None


def _causes(silent: Mapping[str, Probe]) -> tuple[Callable[[Pod], Reason | None], ...]:
    """What each cause is told by, the surest one first."""
    return (
        _image,
        _configuration,
        _out_of_memory,
        partial(_never_started, silent),
        _told_to_end,
        _crash,
        _unschedulable,
        partial(_never_ready, silent),
    )


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
    if pod.last_exit_reason != OOM_KILLED:
        return None
    return Reason(
        OOM_KILLED, f"pod {pod.name} was killed for memory ({pod.restarts} restarts){ran(pod.last_pack)}: {ADVICE}"
    )


def _told_to_end(pod: Pod) -> Reason | None:
    """A server ends well, or by the signal for it, only when it is told to: by the kubelet, since a probe failed."""
    if not pod.restarts or pod.last_exit_code not in _ENDS_ON_REQUEST:
        return None
    if pod.last_run is None or pod.last_run < _SOONEST_BY_PROBE:
        return None
    message = (
        f"the kubelet ended the server of pod {pod.name} {pod.restarts} times, since its startup or liveness probe "
        f"failed: read kubectl describe pod {pod.name} for the probe's answer, kubectl logs {pod.name} --previous"
    )
    return Reason("ProbeFailing", message)


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


def _never_started(silent: Mapping[str, Probe], pod: Pod) -> Reason | None:
    if silent.get(pod.name) != "startup":
        return None
    previous = f"; of the attempt before, kubectl logs {pod.name} --previous" if pod.restarts else ""
    message = (
        f"pod {pod.name} runs and its startup probe does not pass, since its weights are not loaded: kubectl logs "
        f"{pod.name} says what it is at{previous}"
    )
    return Reason("ProbeFailing", message)


def _never_ready(silent: Mapping[str, Probe], pod: Pod) -> Reason | None:
    if silent.get(pod.name) != "readiness":
        return None
    message = (
        f"pod {pod.name} runs and its readiness probe does not pass: kubectl describe pod {pod.name} has the probe's "
        f"answer, kubectl logs {pod.name} the reason for it"
    )
    return Reason("ProbeFailing", message)


def _unschedulable(pod: Pod) -> Reason | None:
    if not pod.unschedulable:
        return None
    return Reason(UNSCHEDULABLE, f"pod {pod.name} has no node: {pod.unschedulable}")
