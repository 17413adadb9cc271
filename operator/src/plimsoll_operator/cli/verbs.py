"""The verbs that ask for something and take no more than the object's name: an entry each, with its help."""

from __future__ import annotations

from collections.abc import Callable

import typer

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.errand import Choice, Errand, RequestId, Timeout, Wait, anything, asked_for, patience_of, run
from plimsoll_operator.cli.goals import HAS_ENDED, SERVES, Goal
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output
from plimsoll_operator.cli.rollback import rollback

Command = Callable[..., None]


def _waited_for(verb: str, bound_to: Choice, goal: Goal) -> Command:
    """A verb of which the end can be waited for."""

    def command(
        name: Name,
        namespace: Namespace = "",
        wait: Wait = False,
        timeout: Timeout = "15m",
        request_id: RequestId = "",
        output: Output = Format.text,
        context: Context = "",
        kubeconfig: Kubeconfig = "",
    ) -> None:
        errand = Errand(verb, bound_to, goal, request_id=request_id)
        run(errand, target_of(name, namespace, context, kubeconfig), patience_of(timeout, wait=wait), output)

    return command


def _done_at_once(verb: str) -> Command:
    """A verb that is done with its answer."""

    def command(
        name: Name,
        namespace: Namespace = "",
        request_id: RequestId = "",
        output: Output = Format.text,
        context: Context = "",
        kubeconfig: Kubeconfig = "",
    ) -> None:
        errand = Errand(verb, anything, request_id=request_id)
        run(errand, target_of(name, namespace, context, kubeconfig), None, output)

    return command


WITH_AN_END = (
    ("promote", "Make the canary the stable revision now, whatever the analysis would find.", asked_for, SERVES),
    (
        "abort",
        "End the canary and stay with the stable revision; it is not tried again until `retry`.",
        asked_for,
        HAS_ENDED,
    ),
    ("retry", "Roll out again what was taken back, from the first step.", asked_for, SERVES),
    (
        "restart",
        "Replace the pods by what the operator renders now, by the spec's rollout strategy.",
        anything,
        SERVES,
    ),
)
AT_ONCE = (
    ("pause", "Hold steps and promotions until `resume`. A bad canary is still taken back."),
    ("resume", "End what `pause` began."),
)


def add_verbs(app: typer.Typer) -> None:
    for verb, told, bound_to, goal in WITH_AN_END:
        app.command(verb, help=told)(_waited_for(verb, bound_to, goal))
    app.command()(rollback)
    for verb, told in AT_ONCE:
        app.command(verb, help=told)(_done_at_once(verb))
