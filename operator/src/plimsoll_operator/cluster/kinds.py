"""The kinds of objects that the operator reads or writes, and where the API serves them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from plimsoll_operator import names


@dataclass(frozen=True)
class Kind:
    """One kind of namespaced object."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of one object, of all in a namespace, or of all there are."""
        parts = ["apis" if self.group else "api", self.api_version]
        parts += ["namespaces", quote(namespace, safe="")] if namespace else []
        parts += [self.plural]
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/" + "/".join(parts)


INFERENCE_DEPLOYMENT = Kind(names.API_VERSION, names.KIND, names.PLURAL)

DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")

POD = Kind("v1", "Pod", "pods")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
EVENT = Kind("v1", "Event", "events")

NAMED_AFTER_OWNER = (SERVICE, SERVICE_ACCOUNT, NETWORK_POLICY, AUTOSCALER, DISRUPTION_BUDGET)
"""Children of which there is one, under the owner's own name."""

NAMED_AFTER_REVISION = (DEPLOYMENT, CONTROLLER_REVISION)
"""Children of which there is one per revision, `NAME-HASH`."""

CHILDREN = NAMED_AFTER_OWNER + NAMED_AFTER_REVISION

_BY_KEY = {(kind.api_version, kind.kind): kind for kind in (*CHILDREN, INFERENCE_DEPLOYMENT)}


def kind_of(api_version: str, kind: str) -> Kind:
    """Where the API serves a kind that a plan writes. Raises LookupError for one that no plan should hold."""
    if (api_version, kind) not in _BY_KEY:
        known = ", ".join(sorted(known.kind for known in _BY_KEY.values()))
        raise LookupError(f"a plan holds a {kind} of {api_version}, which the operator does not write ({known})")
    return _BY_KEY[api_version, kind]
