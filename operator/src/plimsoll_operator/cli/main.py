"""The commands of `kubectl plimsoll`. A new verb is a file beside this one and a line here."""

from __future__ import annotations

import sys

import typer

from plimsoll_operator.cli.abort import abort
from plimsoll_operator.cli.errors import CliError
from plimsoll_operator.cli.explain import explain
from plimsoll_operator.cli.pause import pause
from plimsoll_operator.cli.plan import plan
from plimsoll_operator.cli.promote import promote
from plimsoll_operator.cli.restart import restart
from plimsoll_operator.cli.resume import resume
from plimsoll_operator.cli.retry import retry
from plimsoll_operator.cli.rollback import rollback
from plimsoll_operator.cli.status import status
from plimsoll_operator.cluster.errors import KubeError

app = typer.Typer(
    name="kubectl-plimsoll",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="See and steer InferenceDeployments. On PATH, kubectl runs it as `kubectl plimsoll`.",
)
app.command()(status)
app.command()(explain)
app.command()(plan)
for asks in (promote, abort, retry, restart, rollback, pause, resume):
    app.command()(asks)


def main() -> None:
    try:
        app()
    except CliError as error:
        _fail(str(error), error.exit_code)
    except KubeError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str, exit_code: int) -> None:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(exit_code)
