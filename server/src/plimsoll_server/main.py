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

_SPINS = "10000"
"""Read when torch is imported: how often a thread looks whether the others are done before it sleeps, a fraction of a
millisecond. Sleeping at once costs a third of the time of a short text, for each layer has a dozen places where threads
meet. Spinning on, as is the default, takes the processor from those they wait for wherever it is shared or has a quota:
seven times the processor time on two busy cores."""

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
    from plimsoll_server.serve import serve as serve_until_told
    from plimsoll_server.settings import read_settings

    configure_logs("info")
    # One text at a time needs none of the library's threads, whose stacks would be the memory of its text.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    try:
        settings = read_settings(os.environ)
        configure_logs(settings.log_level)
        code = asyncio.run(serve_until_told(settings, end_soon))
    except StartError as error:
        log.critical("cannot start: %s", error)
        # From the environment: the settings may be what is wrong.
        leave(os.environ.get("PLIMSOLL_TERMINATION_LOG", ""), str(error))
        code = 1
    end(code)


def main() -> None:
    # A server has no use for what the other commands import.
    if sys.argv[1:2] != ["serve"]:
        from plimsoll_server.train.cli import demo_texts, spoil_demo, train_demo
        from plimsoll_server.train.scaled.cli import compare_training, train
        from plimsoll_server.trial.cli import report, validate

        for command in (validate, report, train, compare_training, train_demo, spoil_demo, demo_texts):
            app.command()(command)
    app()
