"""The pod of the inference server. Rendered once for a revision and then frozen in its history."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from plimsoll_operator.desired.around_requests import around_requests
from plimsoll_operator.desired.mounted_secrets import mounted_secrets
from plimsoll_operator.desired.server_config import server_config
from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.load_line import LoadLine
from plimsoll_operator.model_source import MODEL_MOUNT_PATH, ClaimModel, HubModel, ImageModel, ModelSource
from plimsoll_operator.names import (
    HTTP_PORT,
    HTTPS_PORT,
    LABEL_NAME,
    LABEL_REVISION,
    METRICS_PORT,
    SERVER_CONTAINER,
    canonical_json,
    child_labels,
)
from plimsoll_operator.observed import Manifest
from plimsoll_operator.spec import Spec

CACHE_PATH = "/var/cache/plimsoll"
HUB_PROXY = "HTTPS_PROXY"
TERMINATION_LOG = "/dev/termination-log"
UNPRIVILEGED_USER = 65532

# Endpoints leave the Service's proxies a moment after a pod starts to end; until then it must still accept.
PRE_STOP_SECONDS = 5
GRACE_SECONDS = 60

STARTUP_PERIOD_SECONDS = 2
STARTUP_BASE_SECONDS = 300
# The slowest start worth waiting for: weights from a hub at 20 MB/s, stored in twice the precision they are used in.
WEIGHTS_BYTES_PER_SECOND = 20_000_000
STORED_BYTES_PER_BYTE = 2
# Of a model whose shape is not stated: more than any encoder of the hub that fits one GPU of today has.
UNKNOWN_WEIGHTS_BYTES = 8_000_000_000


def pod_template(
    name: str, spec: Spec, profile: GpuProfile, load_line: LoadLine | None, image: str, hub_proxy: str = ""
) -> dict[str, Any]:
    """Pod template of the InferenceDeployment `name`, without the revision's label: that is added by `workload`."""
    return {
        "metadata": {
            "labels": child_labels(name),
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(METRICS_PORT),
                "prometheus.io/path": "/metrics",
            },
        },
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": UNPRIVILEGED_USER,
                "runAsGroup": UNPRIVILEGED_USER,
                "fsGroup": UNPRIVILEGED_USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(spec, profile, load_line, image, hub_proxy)],
            "volumes": _volumes(spec),
            **_placement(name, spec, profile),
        },
    }


def _container(
    spec: Spec, profile: GpuProfile, load_line: LoadLine | None, image: str, hub_proxy: str
) -> dict[str, Any]:
    resources = _resources(spec, profile)
    return {
        "name": SERVER_CONTAINER,
        "image": spec.server.image or image,
        "env": [
            *_environment(spec, load_line, limited="memory" in resources.get("limits", {})),
            *_way_to_the_hub(spec, hub_proxy),
        ],
        "ports": [_traffic_port(spec), {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "resources": resources,
        # What ran when it was killed is in its file; why it could not start is the last thing in its log.
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "startupProbe": _probe(spec, "/startupz", STARTUP_PERIOD_SECONDS, _startup_attempts(load_line)),
        "livenessProbe": _probe(spec, "/livez", 10, 6),
        "readinessProbe": _probe(spec, "/readyz", 2, 2),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  an emptyDir: the root file system is read-only
            {"name": "cache", "mountPath": CACHE_PATH},
            *_model_mounts(spec.model.source),
            *(mounted.as_mount() for mounted in mounted_secrets(spec)),
        ],
    }


def _traffic_port(spec: Spec) -> dict[str, Any]:
    """With a certificate there is no plain HTTP beside it that somebody could use by mistake."""
    if spec.server.tls_secret:
        return {"name": "https", "containerPort": HTTPS_PORT, "protocol": "TCP"}
    return {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"}


def _probe(spec: Spec, path: str, period: int, failures: int) -> dict[str, Any]:
    scheme = {"port": "https", "scheme": "HTTPS"} if spec.server.tls_secret else {"port": "http"}
    return {
        "httpGet": {"path": path, **scheme},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _startup_attempts(load_line: LoadLine | None) -> int:
    """Probes until a start counts as failed: a fixed time and that of fetching the weights."""
    weights = load_line.weights_bytes if load_line else UNKNOWN_WEIGHTS_BYTES
    fetching = weights * STORED_BYTES_PER_BYTE / WEIGHTS_BYTES_PER_SECOND
    return math.ceil((STARTUP_BASE_SECONDS + fetching) / STARTUP_PERIOD_SECONDS)


def start_budget(template: Manifest) -> timedelta:
    """How long the startup probe of a pod template, which another version may have rendered, lets a start take."""
    containers = template["spec"]["containers"]
    probes = (server.get("startupProbe", {}) for server in containers if server["name"] == SERVER_CONTAINER)
    return timedelta(
        seconds=max((probe.get("periodSeconds", 0) * probe.get("failureThreshold", 0) for probe in probes), default=0)
    )


def _environment(spec: Spec, load_line: LoadLine | None, *, limited: bool) -> list[dict[str, Any]]:
    env: list[dict[str, Any]] = [
        {"name": "PLIMSOLL_CONFIG", "value": _unexpanded(canonical_json(server_config(spec, load_line)))},
        _downward("POD_NAME", "metadata.name"),
        _downward("POD_NAMESPACE", "metadata.namespace"),
        _downward("PLIMSOLL_DEPLOYMENT", f"metadata.labels['{LABEL_NAME}']"),
        _downward("PLIMSOLL_REVISION", f"metadata.labels['{LABEL_REVISION}']"),
        {"name": "PLIMSOLL_TERMINATION_LOG", "value": TERMINATION_LOG},
        {"name": "HF_HOME", "value": CACHE_PATH},
        # What a start has measured, for the next one of this pod's container. No volume outlives the pod.
        {"name": "PLIMSOLL_CALIBRATION_DIRECTORY", "value": CACHE_PATH},
        {"name": "TMPDIR", "value": "/tmp"},  # noqa: S108
    ]
    if limited:
        source = {"resourceFieldRef": {"containerName": SERVER_CONTAINER, "resource": "limits.memory"}}
        env.append({"name": "PLIMSOLL_MEMORY_LIMIT_BYTES", "valueFrom": source})
    return [*env, *around_requests(spec)]


def _way_to_the_hub(spec: Spec, proxy: str) -> list[dict[str, Any]]:
    env: list[dict[str, Any]] = []
    if spec.server.hub_token_secret:
        source = {"secretKeyRef": {"name": spec.server.hub_token_secret, "key": "token"}}
        env.append({"name": "HF_TOKEN", "valueFrom": source})
    if proxy and isinstance(spec.model.source, HubModel):
        env.append({"name": HUB_PROXY, "value": proxy})
    return env


def _unexpanded(document: str) -> str:
    """JSON without a dollar sign: Kubernetes puts other variables, secrets among them, in the place of `$(NAME)`."""
    return document.replace("$", "\\u0024")


def _downward(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _resources(spec: Spec, profile: GpuProfile) -> dict[str, dict[str, str]]:
    requests = {name: str(value) for name, value in spec.server.resources.requests.items()}
    limits = {name: str(value) for name, value in spec.server.resources.limits.items()}
    if profile.is_gpu:
        limits[profile.resource_name] = str(spec.gpu.count)
    else:
        limits.setdefault("memory", str(profile.memory_bytes))
    return {kind: values for kind, values in (("requests", requests), ("limits", limits)) if values}


def _volumes(spec: Spec) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}, {"name": "cache", "emptyDir": {}}]
    volumes += [mounted.as_volume() for mounted in mounted_secrets(spec)]
    match spec.model.source:
        case ClaimModel(claim=claim):
            volumes.append({"name": "model", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
        case ImageModel(reference=reference):
            volumes.append({"name": "model", "image": {"reference": reference, "pullPolicy": "IfNotPresent"}})
        case HubModel():
            pass
    return volumes


def _model_mounts(source: ModelSource) -> list[dict[str, Any]]:
    if isinstance(source, HubModel):
        return []
    return [{"name": "model", "mountPath": MODEL_MOUNT_PATH, "readOnly": True}]


def _placement(name: str, spec: Spec, profile: GpuProfile) -> dict[str, Any]:
    placement: dict[str, Any] = {
        "nodeSelector": {**profile.node_selector, **spec.pod.node_selector},
        "tolerations": [dict(item) for item in (*profile.tolerations, *spec.pod.tolerations)],
        "priorityClassName": spec.pod.priority_class_name,
        "imagePullSecrets": [{"name": secret.name} for secret in spec.pod.image_pull_secrets],
    }
    if spec.pod.topology_spread:
        placement["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {LABEL_NAME: name}},
            }
        ]
    # An empty value would be owned and compared for nothing.
    return {field: value for field, value in placement.items() if value}
