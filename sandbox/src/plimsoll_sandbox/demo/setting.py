"""What the demo's story needs before it begins: a model, a cluster, the operator, and the object that serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.table import Table

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, SYSTEM_NAMESPACE, DemoCluster, model_volume
from plimsoll_sandbox.demo.commands import Commands, installed
from plimsoll_sandbox.demo.images import write_image_map
from plimsoll_sandbox.demo.stage import READY_DEADLINE_SECONDS, SANDBOX, Stage
from plimsoll_sandbox.demo.story import from_home
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.status import Step
from plimsoll_sandbox.toolchain import Tools

NODES = ("cpu:3",)
# Containers that fail are tried again sooner than a kubelet would: nobody waits five minutes at a demo.
RESTART_BACKOFF_SECONDS = 2.0
TRAINING_DEADLINE_SECONDS = 600


def on_the_cluster(commands: Commands, sandbox: Sandbox) -> Commands:
    """With the sandbox's kubeconfig; and kubectl finds its plugin, kubectl-plimsoll, where users have it: on PATH."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return commands.with_environment(KUBECONFIG=str(sandbox.kubeconfig), PATH=path)


def train(stage: Stage) -> Path:
    output = stage.commands.run(
        installed("plimsoll-server"), "train-demo", "--cached", deadline=TRAINING_DEADLINE_SECONDS, watched=True
    )
    *told, path = output.splitlines()
    for line in told:
        stage.story.say(line)
    stage.story.say(from_home(Path(path)))
    return Path(path)


def start(stage: Stage, tools: Tools) -> Sandbox:
    def tell(step: Step) -> None:
        stage.story.say(f"{step.title} [dim]{step.seconds:.1f} s[/]" if step.seconds is not None else step.title)

    sandbox = Sandbox(SANDBOX)
    nodes = [NodeGroup.parse(group) for group in NODES]
    # In the sandbox's own folder: it goes with it, and another checkout's demo does not find this one's programs.
    sandbox.layout.create()
    images = write_image_map(sandbox.layout.folder / "images.yaml")
    options = Options(nodes, images, restart_backoff_seconds=RESTART_BACKOFF_SECONDS)
    sandbox.up(tools, options, tell)
    return sandbox


def install(stage: Stage, cluster: DemoCluster, prometheus: str) -> None:
    stage.story.command(
        f"helm upgrade --install plimsoll charts/plimsoll -n {SYSTEM_NAMESPACE} --create-namespace --wait"
        f" --set prometheus.url={prometheus}"
    )
    cluster.helm(
        *("upgrade", "--install", "plimsoll", str(stage.chart), "--namespace", SYSTEM_NAMESPACE),
        *("--create-namespace", "--wait", "--timeout", "120s", "--set", f"prometheus.url={prometheus}"),
    )


def deploy(stage: Stage, cluster: DemoCluster, model: Path) -> None:
    story = stage.story
    cluster.apply(*model_volume(model.parent))
    # A demo played before in this sandbox left its history: what was taken back there would not be tried again.
    cluster.kubectl("delete", "infd", NAME, "-n", NAMESPACE, "--ignore-not-found", deadline=READY_DEADLINE_SECONDS)
    story.command(f"kubectl apply -f {stage.manifest.relative_to(stage.checkout)}")
    cluster.kubectl("apply", "-f", str(stage.manifest))
    for said in cluster.changes_until_ready(READY_DEADLINE_SECONDS):
        story.say(said)
    story.command(f"kubectl get infd -n {NAMESPACE}")
    for line in cluster.kubectl("get", "infd", "-n", NAMESPACE).splitlines():
        story.say(line)
    story.show(_load_line_table(cluster))


def _load_line_table(cluster: DemoCluster) -> Table:
    table = Table(title="Load line (status.loadLine)", title_justify="left")
    for column in ("tier", "tokens, at most", "asked for at once", "safe at once", "KiB per token", "MiB for all"):
        table.add_column(column, justify="left" if column == "tier" else "right")
    for line in cluster.deployment()["status"]["loadLine"]:
        table.add_row(
            line["tier"],
            f"{line['maxTokens']:,}",
            str(line["requestedConcurrency"]),
            str(line["safeConcurrency"]),
            f"{line['bytesPerToken'] / 1024:.1f}",
            f"{line['budgetBytes'] >> 20:,}",
        )
    return table
