"""Every pod that can be rendered, put to the admission that enforces the restricted Pod Security Standard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import make_spec
from cluster_kit import Kit, KubectlError
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.gpu_profiles import parse_gpu_profiles
from plimsoll_operator.spec import parse_spec

pytestmark = pytest.mark.cluster

PROFILES = parse_gpu_profiles(
    {
        "cpu": {"memory": "4Gi"},
        "nvidia-l4": {"memory": "23034Mi", "resourceName": "nvidia.com/gpu"},
        "nvidia-h100-mig-1g.10gb": {"memory": "9984Mi", "resourceName": "nvidia.com/mig-1g.10gb"},
    }
)
HUB, IMAGE = f"hf://org/model:{'0' * 40}", f"oci://registry.example/model@sha256:{'0' * 64}"
ELSEWHERE = {
    "nodeSelector": {"topology.kubernetes.io/zone": "eu-west-1a"},
    "tolerations": [{"key": "reserved", "operator": "Equal", "value": "us", "effect": "NoExecute"}],
    "imagePullSecrets": [{"name": "login"}],
}
AROUND_REQUESTS = {"auth": {"apiKeySecret": "domains-keys"}, "cache": {"redisSecret": "domains-redis"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "a claim on a GPU": {},
    "the hub": {"model": {"uri": HUB}},
    "the hub with a token": {"model": {"uri": HUB}, "server": {"hubTokenSecret": "hub"}},
    "an image": {"model": {"uri": IMAGE}},
    "a cpu": {"gpu": {"profile": "cpu"}},
    "two gpus": {"gpu": {"profile": "nvidia-l4", "count": 2}},
    "a MIG slice": {"gpu": {"profile": "nvidia-h100-mig-1g.10gb"}},
    "TLS": {"server": {"tlsSecret": "domains-tls"}},
    "keys and a Redis": {"server": AROUND_REQUESTS},
    "resources": {"server": {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "8Gi"}}}},
    "placed elsewhere": {"pod": ELSEWHERE},
    "not spread": {"pod": {"topologySpread": False}},
    "everything": {
        "model": {"uri": HUB},
        "gpu": {"profile": "cpu"},
        "server": {
            **AROUND_REQUESTS,
            "hubTokenSecret": "hub",
            "tlsSecret": "domains-tls",
            "image": "registry.example/server:1",
        },
        "pod": ELSEWHERE,
    },
}


def rendered(name: str, sections: dict[str, Any]) -> dict[str, Any]:
    spec = parse_spec(make_spec(**sections))
    template = pod_template("domains", spec, PROFILES[spec.gpu.profile], None, "plimsoll/server:1")
    metadata = {**template["metadata"], "name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


HOST_PATH = {"name": "host", "hostPath": {"path": "/"}}
PODS = {name.replace(" ", "-").lower(): rendered(name.replace(" ", "-").lower(), VARIANTS[name]) for name in VARIANTS}


@pytest.fixture(scope="module")
def admission(restricted: Kit) -> Kit:
    """Pods need their account to be there before anything else is asked about them."""
    restricted.kubectl("create", "serviceaccount", "domains")
    return restricted


def admit(kit: Kit, *pods: dict[str, Any]) -> str:
    documents = "\n---\n".join(map(json.dumps, pods))
    return kit.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=documents)


def test_every_variant_is_admitted_where_only_restricted_pods_are(admission: Kit) -> None:
    admitted = admit(admission, *PODS.values())
    assert [name for name in PODS if f"pod/{name} created" not in admitted] == []


@pytest.mark.parametrize(
    ("weakened", "field"),
    [
        pytest.param({"hostNetwork": True}, "hostNetwork", id="the host's network"),
        pytest.param({"securityContext": {}}, "runAsNonRoot", id="root"),
        pytest.param({"volumes": [HOST_PATH, *PODS["a-cpu"]["spec"]["volumes"]]}, "hostPath", id="the host's files"),
    ],
)
def test_the_admission_is_real(admission: Kit, weakened: dict[str, Any], field: str) -> None:
    pod = PODS["a-cpu"]
    with pytest.raises(KubectlError, match=f"violates PodSecurity(.|\n)*{field}"):
        admit(admission, {**pod, "spec": pod["spec"] | weakened})


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS.keys())
def test_it_has_no_token_no_writable_root_and_writes_to_its_scratch_volumes_only(pod: dict[str, Any]) -> None:
    """What the standard does not ask for."""
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    scratch = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
    assert scratch == {"tmp", "cache"}
    assert {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == scratch
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "image", "secret"}
    keys = {item["key"] for volume in spec["volumes"] if "secret" in volume for item in volume["secret"]["items"]}
    keys |= {entry["valueFrom"]["secretKeyRef"]["key"] for entry in container["env"] if "secretKeyRef" in str(entry)}
    known = {"tls.crt", "tls.key", "token", "keys", "url"}
    assert keys <= known, "of a Secret that an object names, no other key is handed out"


def test_the_operators_own_pods_run_there(kit: Kit) -> None:
    pods = kit.select("pods", "app.kubernetes.io/name=plimsoll")
    assert len(pods) == 2
    for pod in pods:
        assert pod["status"]["phase"] == "Running"
        [container] = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == {"tmp"}
