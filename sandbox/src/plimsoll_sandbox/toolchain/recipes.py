"""What is built, and why. Each tool is one entry; its version is pinned by the go.mod of its module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SANDBOX = Path(__file__).resolve().parents[3]

KUBERNETES = "v1.36.3"
PROMETHEUS = "3.15.0"
HELM = "v4.3.1"
KUBECONFORM = "v0.8.0"
KSTATUS = "v0.37.2"
KUBE_SCORE = "v1.20.0"
KWOK = "v0.8.0"


@dataclass(frozen=True)
class Recipe:
    """How one program is built from Go modules, and how to recognise it."""

    name: str
    purpose: str  # completes the sentence "… is needed:"
    module: Path  # folder with go.mod and go.sum
    package: str  # what `go build` is given
    version_command: tuple[str, ...]  # arguments that make the program print its version
    version: str  # a word of what it then prints
    expected_seconds: int  # on 2 cores, nothing cached
    expected_packages: int  # compiled then
    needs_mib: int  # of disk while it is built, caches included
    deadline_seconds: int
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()  # set by the linker
    links: tuple[str, ...] = ()  # further names of the same program
    on_machine: bool = True  # whether a program of this name on PATH may stand in

    @property
    def build_arguments(self) -> list[str]:
        """Arguments of `go build`, without the output."""
        settings = " ".join(f"-X {name}={value}" for name, value in self.variables)
        arguments = ["-trimpath", f"-ldflags=-s -w {settings}".rstrip()]
        if self.tags:
            arguments.append(f"-tags={','.join(self.tags)}")
        return [*arguments, self.package]


CONTROLPLANE = Recipe(
    name="plimsoll-controlplane",
    purpose="etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and the HPA's metrics adapter",
    module=SANDBOX / "controlplane",
    package=".",
    version_command=("kube-apiserver", "--version"),
    version=KUBERNETES,
    # Clients cannot parse the version of an apiserver that was built without it.
    variables=(
        ("k8s.io/component-base/version.gitVersion", KUBERNETES),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "36"),
        ("k8s.io/client-go/pkg/version.gitVersion", KUBERNETES),
    ),
    links=("kubectl", "metrics-adapter"),
    expected_seconds=360,
    expected_packages=2670,
    needs_mib=4500,
    deadline_seconds=3600,
    # No machine has all six in one, and six of six different versions would be no control plane.
    on_machine=False,
)

# Of the two dozen ways to find targets only the one that is used: the others are most of the build. The same for both
# programs, so that the second one is compiled from what the first one left.
_PROMETHEUS_TAGS = ("remove_all_sd", "enable_kubernetes_sd")
_PROMETHEUS_VERSION = ("github.com/prometheus/common/version.Version", PROMETHEUS)

PROMETHEUS_SERVER = Recipe(
    name="prometheus",
    purpose="it scrapes the inference servers, and the HPA scales by what it saw",
    module=SANDBOX / "tools",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    version_command=("--version",),
    version=PROMETHEUS,
    tags=_PROMETHEUS_TAGS,
    variables=(_PROMETHEUS_VERSION,),
    expected_seconds=150,
    expected_packages=980,
    needs_mib=1700,
    deadline_seconds=2400,
)

PROMTOOL = Recipe(
    name="promtool",
    purpose="it plays the chart's alerts through",
    module=SANDBOX / "promtool",
    package="github.com/prometheus/prometheus/cmd/promtool",
    version_command=("--version",),
    version=PROMETHEUS,
    tags=_PROMETHEUS_TAGS,
    variables=(_PROMETHEUS_VERSION,),
    # Alone. After Prometheus it is nine packages and the linker.
    expected_seconds=130,
    expected_packages=1110,
    needs_mib=1600,
    deadline_seconds=2400,
)

HELM_CLIENT = Recipe(
    name="helm",
    purpose="it installs the chart the way a user does",
    module=SANDBOX / "tools",
    package="helm.sh/helm/v4/cmd/helm",
    version_command=("version", "--template", "{{.Version}}"),
    version=HELM,
    variables=(("helm.sh/helm/v4/internal/version.version", HELM),),
    expected_seconds=80,
    expected_packages=500,
    needs_mib=900,
    deadline_seconds=2400,
)

KUBECONFORM_CHECKER = Recipe(
    name="kubeconform",
    purpose="it checks what the chart renders against Kubernetes' schemas",
    module=SANDBOX / "tools",
    package="github.com/yannh/kubeconform/cmd/kubeconform",
    version_command=("-v",),
    version=KUBECONFORM,
    variables=(("main.version", KUBECONFORM),),
    expected_seconds=5,
    expected_packages=15,
    needs_mib=100,
    deadline_seconds=900,
)

KWOK_SIMULATOR = Recipe(
    name="kwok",
    purpose="it plays hundreds of nodes and pods that exist in the API alone",
    module=SANDBOX / "kwok",
    package="sigs.k8s.io/kwok/cmd/kwok",
    version_command=("--version",),
    version=KWOK,
    expected_seconds=90,
    expected_packages=980,
    needs_mib=1500,
    deadline_seconds=2400,
)

KSTATUS_READER = Recipe(
    name="kstatus",
    purpose="it says what Flux, kpt and others make of an object's status",
    module=SANDBOX / "kstatus",
    package=".",
    version_command=("--version",),
    version=KSTATUS,
    expected_seconds=45,
    expected_packages=270,
    needs_mib=500,
    deadline_seconds=1200,
    # The library has no program of its own, so no machine has one.
    on_machine=False,
)

KUBE_SCORE_LINTER = Recipe(
    name="kube-score",
    purpose="it looks for what is unsafe in the objects that the chart renders",
    module=SANDBOX / "kubescore",
    package="github.com/zegl/kube-score/cmd/kube-score",
    version_command=("version",),
    version=KUBE_SCORE,
    variables=(("main.version", KUBE_SCORE),),
    expected_seconds=35,
    expected_packages=333,
    needs_mib=450,
    deadline_seconds=1200,
)

RECIPES = (CONTROLPLANE, PROMETHEUS_SERVER, PROMTOOL, HELM_CLIENT, KUBECONFORM_CHECKER, KUBE_SCORE_LINTER)
