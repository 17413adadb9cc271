"""The argument that names an InferenceDeployment, completed from the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from plimsoll_operator.cli.completion import names

Name = Annotated[str, typer.Argument(help="Name of the InferenceDeployment.", show_default=False, autocompletion=names)]
