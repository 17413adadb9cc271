"""The command line: `plimsoll-server`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import typer

from plimsoll_server.errors import StartError
from plimsoll_server.last_words import leave
from plimsoll_server.logs import configure_logs

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and those of a request hold somebody's text.
    pretty_exceptions_enable=False,
    help="Plimsoll's inference server.",
)


@app.callback()
def commands() -> None:
    """Keeps `serve` a command of its own, whatever others there are."""


@app.command()
def serve() -> None:
    """Serve the model of PLIMSOLL_CONFIG until told to end."""
    from plimsoll_server.ending import end, end_soon
    from plimsoll_server.library_settings import set_for_serving
    from plimsoll_server.serve import serve as serve_until_told
    from plimsoll_server.settings import read_settings

    configure_logs("info")
    set_for_serving(os.environ)
    try:
        settings = read_settings(os.environ)
        configure_logs(settings.log_level)
        code = asyncio.run(serve_until_told(settings, end_soon))
    except StartError as error:
        _leave(str(error))
        log.critical("cannot start: %s", error)
        code = 1
    except Exception as error:
        # Of the interpreter's own ending others have the last word, such as a library that tells what it leaks.
        kind = type(error).__name__
        _leave(f"the server ended by a fault of its own, {kind}: see its log")
        log.critical("ended by a fault of the server's own: %s", kind, exc_info=True)
        code = 1
    end(code)


@app.command()
def work() -> None:
    """Do the jobs of PLIMSOLL_DEPLOYMENT until told to end: its server reads their texts, a Redis keeps them."""
    from plimsoll_server.jobs.settings import read_worker_settings
    from plimsoll_server.jobs.work import work as work_until_told

    configure_logs("info")
    try:
        settings = read_worker_settings(os.environ)
        configure_logs(settings.log_level)
        code = work_until_told(settings)
    except StartError as error:
        _leave(str(error))
        log.critical("cannot start: %s", error)
        code = 1
    raise typer.Exit(code)


def _leave(sentence: str) -> None:
    """Before it is logged, for that line is the last one even where the file cannot be written."""
    # From the environment: the settings may be what is wrong.
    leave(os.environ.get("PLIMSOLL_TERMINATION_LOG", ""), sentence)


def main() -> None:
    # Neither a server nor a worker has use for what the other commands import.
    if sys.argv[1:2] not in (["serve"], ["work"]):
        from plimsoll_server.bench.cli import bench
        from plimsoll_server.publish.cli import publish
        from plimsoll_server.train.cli import demo_texts, spoil_demo, train_demo
        from plimsoll_server.train.commands import docstrings, train
        from plimsoll_server.train.scaled.cli import compare_training
        from plimsoll_server.trial.cli import report, validate

        for command in (
            *(validate, report, train, docstrings, compare_training, publish),
            *(train_demo, spoil_demo, demo_texts),
        ):
            app.command()(command)
        app.add_typer(bench, name="bench")
    app()
