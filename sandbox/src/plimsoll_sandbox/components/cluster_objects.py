"""The few Kubernetes objects the sandbox's own parts need: accounts with the rights they use, and the metrics API."""

from __future__ import annotations

import base64
from collections.abc import Collection

from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import SERVICE_PROXY
from plimsoll_sandbox.kube import Json, Kube

NAMESPACE = "plimsoll-sandbox"
PROMETHEUS = "prometheus"
METRICS_ADAPTER = "metrics-adapter"
METRICS_ADAPTER_HOST = f"{METRICS_ADAPTER}.{NAMESPACE}.svc"
METRICS_API = "custom.metrics.k8s.io"
METRICS_API_VERSIONS = ("v1beta1", "v1beta2")

_RBAC = "rbac.authorization.k8s.io"
# The longest a token may live is about what a sandbox may: a year.
_TOKEN_SECONDS = 365 * 24 * 3600


async def create_accounts(kube: Kube) -> None:
    """The namespace, the ServiceAccounts and what each may do."""
    await kube.apply(f"/api/v1/namespaces/{NAMESPACE}", _object("v1", "Namespace", NAMESPACE))
    for account in (PROMETHEUS, METRICS_ADAPTER):
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}"
        await kube.apply(path, _object("v1", "ServiceAccount", account, NAMESPACE))
    for role, resources in (("pod-reader", ["pods"]), ("service-proxy", ["pods", "services"])):
        await _cluster_role(kube, f"plimsoll-sandbox:{role}", resources)
    await _bind(kube, PROMETHEUS, "plimsoll-sandbox:pod-reader", _account(PROMETHEUS))
    await _bind(kube, METRICS_ADAPTER, "plimsoll-sandbox:pod-reader", _account(METRICS_ADAPTER))
    await _bind(kube, f"{METRICS_ADAPTER}-auth", "system:auth-delegator", _account(METRICS_ADAPTER))
    user = {"kind": "User", "apiGroup": _RBAC, "name": SERVICE_PROXY.user}
    await _bind(kube, SERVICE_PROXY.name, "plimsoll-sandbox:service-proxy", user)
    await kube.apply(
        f"/apis/{_RBAC}/v1/namespaces/kube-system/rolebindings/plimsoll-sandbox:{METRICS_ADAPTER}",
        _object(f"{_RBAC}/v1", "RoleBinding", f"plimsoll-sandbox:{METRICS_ADAPTER}", "kube-system")
        | {"roleRef": _role_ref("Role", "extension-apiserver-authentication-reader")}
        | {"subjects": [_account(METRICS_ADAPTER)]},
    )


async def remove_other_nodes(kube: Kube, names: Collection[str]) -> None:
    """Nodes of an earlier start with other options: nobody would ever make them ready again."""
    for node in (await kube.get("/api/v1/nodes"))["items"]:
        if node["metadata"]["name"] not in names:
            await kube.delete(f"/api/v1/nodes/{node['metadata']['name']}")


async def request_token(kube: Kube, account: str) -> str:
    """A token of one of the sandbox's own ServiceAccounts."""
    body: Json = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOKEN_SECONDS},
    }
    answer = await kube.create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token", body)
    token: str = answer["status"]["token"]
    return token


async def register_metrics_api(kube: Kube, config: Config) -> None:
    """Send custom.metrics.k8s.io to the adapter, which is no pod: by a Service that is only a name for 127.0.0.1."""
    port = config.network.ports["metrics_adapter"]
    service = _object("v1", "Service", METRICS_ADAPTER, NAMESPACE)
    service["spec"] = {
        "type": "ExternalName",
        "externalName": "127.0.0.1",
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    await kube.apply(f"/api/v1/namespaces/{NAMESPACE}/services/{METRICS_ADAPTER}", service)
    for version in METRICS_API_VERSIONS:
        name = f"{version}.{METRICS_API}"
        api = _object("apiregistration.k8s.io/v1", "APIService", name)
        api["spec"] = {
            "group": METRICS_API,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"namespace": NAMESPACE, "name": METRICS_ADAPTER, "port": port},
            "caBundle": base64.b64encode(config.authority.read_bytes()).decode(),
        }
        await kube.apply(f"{_api_service_path(version)}", api)


async def metrics_api_is_available(kube: Kube) -> bool:
    answers = [await kube.get(_api_service_path(version)) for version in METRICS_API_VERSIONS]
    return all(
        any(condition["type"] == "Available" and condition["status"] == "True" for condition in _conditions(answer))
        for answer in answers
    )


def _api_service_path(version: str) -> str:
    return f"/apis/apiregistration.k8s.io/v1/apiservices/{version}.{METRICS_API}"


def _conditions(answer: Json) -> list[Json]:
    conditions: list[Json] = answer.get("status", {}).get("conditions", [])
    return conditions


async def _cluster_role(kube: Kube, name: str, resources: list[str]) -> None:
    role = _object(f"{_RBAC}/v1", "ClusterRole", name)
    role["rules"] = [{"apiGroups": [""], "resources": resources, "verbs": ["get", "list", "watch"]}]
    await kube.apply(f"/apis/{_RBAC}/v1/clusterroles/{name}", role)


async def _bind(kube: Kube, name: str, role: str, subject: Json) -> None:
    full_name = f"plimsoll-sandbox:{name}"
    binding = _object(f"{_RBAC}/v1", "ClusterRoleBinding", full_name)
    binding |= {"roleRef": _role_ref("ClusterRole", role), "subjects": [subject]}
    await kube.apply(f"/apis/{_RBAC}/v1/clusterrolebindings/{full_name}", binding)


def _role_ref(kind: str, name: str) -> Json:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _account(name: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}


def _object(api_version: str, kind: str, name: str, namespace: str | None = None) -> Json:
    metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
