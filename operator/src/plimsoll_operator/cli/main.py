"""The commands of `kubectl plimsoll`. A new one is a file beside this one and a line here, or an entry in `verbs`."""

from __future__ import annotations

import sys

import typer

from plimsoll_operator.cli.errors import CliError
from plimsoll_operator.cli.explain import explain
from plimsoll_operator.cli.plan import plan
from plimsoll_operator.cli.status import status
from plimsoll_operator.cli.verbs import add_verbs
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
add_verbs(app)


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
