"""`python -m plimsoll_server.train`: the training commands alone."""

from __future__ import annotations

import typer

from plimsoll_server.train.cli import demo_texts, train_demo

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command()(train_demo)
app.command()(demo_texts)

if __name__ == "__main__":
    app()
