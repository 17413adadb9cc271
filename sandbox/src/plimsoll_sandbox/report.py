"""How the state of a sandbox looks to a person."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from plimsoll_sandbox.orphans import MARK, marked
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.status import Phase, Status, Step


def print_step(console: Console, step: Step) -> None:
    console.print(f"[green]✓[/] {step.title} [dim]{step.seconds:.1f} s[/]")


def print_status(console: Console, sandbox: Sandbox) -> bool:
    """Whether it is ready."""
    status = sandbox.status()
    if status is None:
        console.print(f"sandbox {sandbox.name}: not there; plimsoll-sandbox up --name {sandbox.name} makes it")
        return False
    if not status.is_alive:
        console.print(f"sandbox {sandbox.name}: [red]its supervisor is gone[/] {status.reason}; up starts it again")
        return False
    console.print(_programs(status))
    total = sum(map(resident_bytes, marked(MARK, str(sandbox.layout.folder))))
    console.print(f"sandbox {sandbox.name}: [bold]{status.phase}[/] {status.reason} {_mebibytes(total)} with all pods")
    console.print(f"logs        {sandbox.layout.log_of('PROGRAM')}", soft_wrap=True)
    if status.phase is Phase.READY:
        _print_addresses(console, sandbox)
    return status.phase is Phase.READY


def resident_bytes(pid: int) -> int:
    """The process's share of memory: pages shared by n processes count 1/n. 0 when it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def _programs(status: Status) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("program", "pid", "memory", "restarts", "last end"):
        table.add_column(heading)
    table.add_row("supervisor", str(status.supervisor_pid), _mebibytes(resident_bytes(status.supervisor_pid)))
    for program in status.programs.values():
        running = program.pid is not None
        table.add_row(
            program.name,
            str(program.pid) if running else "[red]down[/]",
            _mebibytes(resident_bytes(program.pid)) if program.pid is not None else "",
            str(program.restarts),
            program.last_end,
        )
    return table


def _print_addresses(console: Console, sandbox: Sandbox) -> None:
    config = sandbox.config
    console.print(f"nodes       {', '.join(node.name for node in config.nodes)}", soft_wrap=True)
    console.print(f"apiserver   {config.apiserver_url}")
    console.print(f"Prometheus  {config.prometheus_url}")
    console.print(f"export KUBECONFIG={sandbox.kubeconfig}", soft_wrap=True)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
