"""The demo from the first step to the last."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, SYSTEM_NAMESPACE, DemoCluster, model_volume
from plimsoll_sandbox.demo.commands import Commands, installed
from plimsoll_sandbox.demo.graph import draw
from plimsoll_sandbox.demo.images import write_image_map
from plimsoll_sandbox.demo.predictions import classify, prediction_table, read_texts
from plimsoll_sandbox.demo.promotion import watch_promotion
from plimsoll_sandbox.demo.requests import RATE
from plimsoll_sandbox.demo.rollback import ask_why, show_rollback, spoil, take_back, watch_rollback
from plimsoll_sandbox.demo.scaling import CLIENTS, LOAD_SECONDS, ScalingRun, watch_scaling
from plimsoll_sandbox.demo.story import DemoError, Story
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.status import Step
from plimsoll_sandbox.toolchain import ToolchainError, Tools, ensure_tools, plimsoll_home

SANDBOX = "demo"
NODES = ("cpu:3",)
# Containers that fail are tried again sooner than a kubelet would: nobody waits five minutes at a demo.
RESTART_BACKOFF_SECONDS = 2.0
STEPS = 11
WIDTH = 110
READY_DEADLINE_SECONDS = 180
TRAINING_DEADLINE_SECONDS = 600
TARGET = 0.7


@dataclass(frozen=True)
class Stage:
    """What every step works with."""

    story: Story
    commands: Commands
    checkout: Path

    @property
    def manifest(self) -> Path:
        return self.checkout / "examples" / "demo" / "domains.yaml"

    @property
    def chart(self) -> Path:
        return self.checkout / "charts" / "plimsoll"


def main() -> None:
    typer.run(demo)


def demo(
    record: Annotated[Path | None, typer.Option(help="Also write what is shown to this SVG file.")] = None,
) -> None:
    """From nothing to a classified long text on a real control plane, scaling and a bad change taken back included."""
    # A terminal has a width of its own; a log and a picture have none.
    width = None if sys.stdout.isatty() and record is None else WIDTH
    console = Console(width=width, record=record is not None, highlight=False)
    log = plimsoll_home() / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    checkout = Path(__file__).resolve().parents[4]
    story = Story(console, STEPS)
    try:
        play(Stage(story, Commands(log), checkout))
    except (DemoError, SandboxError, ToolchainError) as error:
        console.print(f"\n[bold red]The demo ended here:[/] {error}")
        console.print(f"Read [bold]{getattr(error, 'log', None) or log}[/]; the sandbox is left as it is for a look.")
        raise typer.Exit(1) from error
    if record is not None:
        record.write_text(picture(console), encoding="utf-8")


def play(stage: Stage) -> None:
    story = stage.story
    with story.step("The tools: a Kubernetes control plane, Prometheus and Helm, built once from Go modules"):
        tools = ensure_tools(story.console)
    with story.step("The model: a small ModernBERT, trained on this machine's own Python documentation"):
        model = _train(stage)
    with story.step("The cluster: apiserver, controllers, scheduler, Prometheus, three nodes"):
        sandbox = _start(stage, tools)
    cluster = DemoCluster(_on_the_cluster(stage.commands, sandbox), tools.kubectl, tools.helm)
    with story.step("Helm installs the operator"):
        _install(stage, cluster, sandbox.prometheus_url)
    with story.step("kubectl applies an InferenceDeployment; the operator does the rest"):
        _deploy(stage, cluster, model)
    url = sandbox.url(NAMESPACE, NAME)
    with story.step("Three texts to the Service; the last is longer than the model's window"):
        texts = read_texts(stage.commands, model)
        story.show(prediction_table(asyncio.run(classify(f"{url}/predict", texts))))
    with story.step(f"{CLIENTS} clients for {LOAD_SECONDS} s: the autoscaler holds saturation at the load line"):
        run = asyncio.run(
            watch_scaling(story, cluster, sandbox.prometheus_url, f"{url}/predict", [text.text for text in texts[:2]])
        )
        _show_scaling(stage, run)
    with story.step(f"A bad change: weights that fail on a word, shipped under {RATE} requests a second"):
        uri = spoil(story, cluster)
        show_rollback(story, cluster, asyncio.run(watch_rollback(story, cluster, f"{url}/predict", uri)))
    with story.step("What happened? What whoever is on call would type, and what is left to do in git"):
        ask_why(story, cluster)
        _take_back(stage, cluster)
    with story.step("A good change, under the same requests and the same judge"):
        asyncio.run(watch_promotion(story, cluster, f"{url}/predict"))
    with story.step("Your turn"):
        _what_next(stage, url)


def _on_the_cluster(commands: Commands, sandbox: Sandbox) -> Commands:
    """With the sandbox's kubeconfig; and kubectl finds its plugin, kubectl-plimsoll, where users have it: on PATH."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return commands.with_environment(KUBECONFIG=str(sandbox.kubeconfig), PATH=path)


def _train(stage: Stage) -> Path:
    output = stage.commands.run(
        installed("plimsoll-server"), "train-demo", "--cached", deadline=TRAINING_DEADLINE_SECONDS, watched=True
    )
    *told, path = output.splitlines()
    for line in told:
        stage.story.say(line)
    stage.story.say(path.replace(str(Path.home()), "~"))
    return Path(path)


def _start(stage: Stage, tools: Tools) -> Sandbox:
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


def _install(stage: Stage, cluster: DemoCluster, prometheus: str) -> None:
    stage.story.command(
        f"helm upgrade --install plimsoll charts/plimsoll -n {SYSTEM_NAMESPACE} --create-namespace --wait"
        f" --set prometheus.url={prometheus}"
    )
    cluster.helm(
        *("upgrade", "--install", "plimsoll", str(stage.chart), "--namespace", SYSTEM_NAMESPACE),
        *("--create-namespace", "--wait", "--timeout", "120s", "--set", f"prometheus.url={prometheus}"),
    )


def _deploy(stage: Stage, cluster: DemoCluster, model: Path) -> None:
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


def _show_scaling(stage: Stage, run: ScalingRun) -> None:
    stage.story.show(draw(run.samples, TARGET))
    report = run.report
    answers = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(report.statuses.items()))
    stage.story.say(
        f"answers: {answers}; served in {report.percentile(50):.2f} s (p50), {report.percentile(95):.2f} s (p95)"
    )
    if run.most_replicas < 2:
        raise DemoError(
            "the autoscaler never scaled up: kubectl describe hpa -n guardrails says why", stage.commands.log
        )
    if run.samples[-1].replicas != 1:
        raise DemoError(
            "the autoscaler did not scale down again: kubectl describe hpa -n guardrails says why", stage.commands.log
        )


def _take_back(stage: Stage, cluster: DemoCluster) -> None:
    take_back(
        stage.story, cluster, stage.manifest, str(stage.manifest.relative_to(stage.checkout)), READY_DEADLINE_SECONDS
    )


def _what_next(stage: Stage, url: str) -> None:
    story = stage.story
    story.say("The sandbox keeps running. Try:")
    story.command(f"curl -s {url}/predict -H 'content-type: application/json' -d '{{\"inputs\": \"sort a list\"}}'")
    for line in (
        f"kubectl -n {NAMESPACE} get infd,pods,hpa",
        f"kubectl -n {NAMESPACE} describe infd {NAME}",
        f'kubectl -n {NAMESPACE} patch infd {NAME} --type merge -p \'{{"spec":{{"gpu":{{"profile":"nope"}}}}}}\'',
    ):
        story.command(f".venv/bin/plimsoll-sandbox kubectl --name {SANDBOX} -- {line.removeprefix('kubectl ')}")
    story.command("make demo-down")


def picture(console: Console) -> str:
    """What was shown, as SVG that fetches no font from elsewhere."""
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="make demo"), flags=re.DOTALL)
