"""The demo from the first step to the last."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.commands import Commands
from plimsoll_sandbox.demo.graph import draw
from plimsoll_sandbox.demo.predictions import classify, prediction_table, read_texts
from plimsoll_sandbox.demo.promotion import watch_promotion
from plimsoll_sandbox.demo.requests import RATE
from plimsoll_sandbox.demo.rollback import ask_why, show_rollback, spoil, take_back, watch_rollback
from plimsoll_sandbox.demo.scaling import CLIENTS, LOAD_SECONDS, ScalingRun, watch_scaling
from plimsoll_sandbox.demo.setting import deploy, install, on_the_cluster, start, train
from plimsoll_sandbox.demo.stage import READY_DEADLINE_SECONDS, SANDBOX, Stage
from plimsoll_sandbox.demo.story import DemoError, Story
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.toolchain import ToolchainError, ensure_tools, plimsoll_home

STEPS = 11
WIDTH = 110
TARGET = 0.7


def main() -> None:
    typer.run(demo)


def demo(
    record: Annotated[
        Path | None,
        typer.Option(help="Also write what is shown to this SVG file, and the changes to NAME-changes.svg beside it."),
    ] = None,
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
        play(Stage(story, Commands(log), checkout, record))
    except (DemoError, SandboxError, ToolchainError) as error:
        console.print(f"\n[bold red]The demo ended here:[/] {error}")
        console.print(f"Read [bold]{getattr(error, 'log', None) or log}[/]; the sandbox is left as it is for a look.")
        raise typer.Exit(1) from error


def play(stage: Stage) -> None:
    cluster, url = _play_serving(stage)
    _keep_picture(stage, "")
    _play_changes(stage, cluster, url)
    with stage.story.step("Your turn"):
        _what_next(stage, url)
    _keep_picture(stage, "-changes")


def _play_serving(stage: Stage) -> tuple[DemoCluster, str]:
    """From nothing to a Service that scales. Returns its cluster and its address."""
    story = stage.story
    with story.step("The tools: a Kubernetes control plane, Prometheus and Helm, built once from Go modules"):
        tools = ensure_tools(story.console)
    with story.step("The model: a small ModernBERT, trained on this machine's own Python documentation"):
        model = train(stage)
    with story.step("The cluster: apiserver, controllers, scheduler, Prometheus, three nodes"):
        sandbox = start(stage, tools)
    cluster = DemoCluster(on_the_cluster(stage.commands, sandbox), tools.kubectl, tools.helm)
    with story.step("Helm installs the operator"):
        install(stage, cluster, sandbox.prometheus_url)
    with story.step("kubectl applies an InferenceDeployment; the operator does the rest"):
        deploy(stage, cluster, model)
    url = sandbox.url(NAMESPACE, NAME)
    with story.step("Three texts to the Service; the last is longer than the model's window"):
        texts = read_texts(stage.commands, model)
        story.show(prediction_table(asyncio.run(classify(f"{url}/predict", texts))))
    with story.step(f"{CLIENTS} clients for {LOAD_SECONDS} s: the autoscaler holds saturation at the load line"):
        run = asyncio.run(
            watch_scaling(story, cluster, sandbox.prometheus_url, f"{url}/predict", [text.text for text in texts[:2]])
        )
        _show_scaling(stage, run)
    return cluster, url


def _play_changes(stage: Stage, cluster: DemoCluster, url: str) -> None:
    """A bad change and a good one, judged under requests."""
    story = stage.story
    with story.step(f"A bad change: weights that fail on a word, shipped under {RATE} requests a second"):
        uri = spoil(story, cluster)
        show_rollback(story, cluster, asyncio.run(watch_rollback(story, cluster, f"{url}/predict", uri)))
    with story.step("What happened? What whoever is on call would type, and what is left to do in git"):
        ask_why(story, cluster)
        shown = str(stage.manifest.relative_to(stage.checkout))
        take_back(story, cluster, stage.manifest, shown, READY_DEADLINE_SECONDS)
    with story.step("A good change, under the same requests and the same judge"):
        asyncio.run(watch_promotion(story, cluster, f"{url}/predict"))


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


def _keep_picture(stage: Stage, suffix: str) -> None:
    """What was shown since the last one."""
    if stage.record is not None:
        path = stage.record.with_stem(f"{stage.record.stem}{suffix}")
        path.write_text(picture(stage.story.console), encoding="utf-8")


def picture(console: Console) -> str:
    """What was shown, as SVG that fetches no font from elsewhere."""
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="make demo"), flags=re.DOTALL)
