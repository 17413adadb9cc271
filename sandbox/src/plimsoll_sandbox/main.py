"""`plimsoll-sandbox`: a real Kubernetes on this machine, by six commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plimsoll_sandbox.config import DEFAULT_RESTART_BACKOFF_SECONDS
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import DEFAULT_GROUPS, NodeGroup
from plimsoll_sandbox.gpu_profiles import checkout_profiles
from plimsoll_sandbox.report import print_status, print_step
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.toolchain import ToolchainError, ensure_gitops_apis, ensure_kstatus, ensure_tools

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, emoji=False)
# A node group such as cpu:a is no name of a picture.
complaints = Console(stderr=True, highlight=False, emoji=False)

Name = Annotated[str, typer.Option("--name", help="Name of the sandbox; several run side by side.")]


@app.command()
def up(
    name: Name = "default",
    node: Annotated[
        list[str] | None, typer.Option(help="PROFILE[:COUNT[:GPUS]], repeatable. Default: cpu and nvidia-l4:2.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="YAML: which program stands for which image.")] = None,
    gpu_profiles: Annotated[
        Path | None, typer.Option(help="YAML with GPU profiles. Default: the chart's values of this checkout.")
    ] = None,
    restart_backoff: Annotated[
        float, typer.Option(min=0, help="Seconds before a crashed container's second restart; doubles from there.")
    ] = DEFAULT_RESTART_BACKOFF_SECONDS,
) -> None:
    """Start a sandbox and wait until it is ready. One that runs already is left as it is."""
    options = Options(
        nodes=tuple(map(NodeGroup.parse, node)) if node else DEFAULT_GROUPS,
        images=images,
        gpu_profiles=gpu_profiles or checkout_profiles(),
        restart_backoff_seconds=restart_backoff,
    )
    sandbox = Sandbox(name)
    options.check()
    tools = ensure_tools(console)
    sandbox.up(tools, options, lambda step: print_step(console, step))
    print_status(console, sandbox)


@app.command()
def down(
    name: Name = "default",
    keep_logs: Annotated[bool, typer.Option("--keep-logs", help="Leave the folder with the logs.")] = False,
) -> None:
    """End a sandbox and remove everything of it."""
    Sandbox(name).down(keep_logs=keep_logs)
    console.print(f"sandbox {name} is down")


@app.command()
def status(name: Name = "default") -> None:
    """Show what runs, what was restarted, how much memory it takes, and where the logs are. Exit code 1: not ready."""
    if not print_status(console, Sandbox(name)):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kubectl(context: typer.Context, name: Name = "default") -> None:
    """Run kubectl against a sandbox: plimsoll-sandbox kubectl --name N -- get pods -A"""
    sandbox = Sandbox(name)
    program = sandbox.config.request.programs.kubectl
    environment = {**os.environ, "KUBECONFIG": str(sandbox.kubeconfig)}
    os.execve(  # noqa: S606 - no shell on purpose
        program, [str(program), *context.args], environment
    )


@app.command()
def url(
    service: Annotated[str, typer.Argument(metavar="NAMESPACE/SERVICE")],
    port: Annotated[int | None, typer.Option(help="The Service's port; its first unless given.")] = None,
    name: Name = "default",
) -> None:
    """Print where a Service answers HTTP on this machine."""
    namespace, separator, service_name = service.partition("/")
    if not separator:
        raise SandboxError(f"expected NAMESPACE/SERVICE, such as default/web, found {service!r}")
    typer.echo(Sandbox(name).url(namespace, service_name, port))


@app.command()
def tools() -> None:
    """Build or find every program that the sandbox and the tests need, and say where each lies."""
    for_tests = {"kstatus": ensure_kstatus(console), "gitops_apis": ensure_gitops_apis(console)}
    for tool, path in {**vars(ensure_tools(console)), **for_tests}.items():
        console.print(f"{tool:16} {path}", soft_wrap=True)


def main() -> None:
    """Every failure a person can do something about ends with one message and exit code 1."""
    try:
        app()
    except (SandboxError, ToolchainError) as error:
        complaints.print(f"plimsoll-sandbox: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from None
