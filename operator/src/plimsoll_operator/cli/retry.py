"""`retry`: what was taken back gets another try."""

from __future__ import annotations

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.errand import Errand, RequestId, Timeout, Wait, asked_for, patience_of, run
from plimsoll_operator.cli.goals import SERVES
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output


def retry(
    name: Name,
    namespace: Namespace = "",
    wait: Wait = False,
    timeout: Timeout = "15m",
    request_id: RequestId = "",
    output: Output = Format.text,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Roll out again what was taken back, from the first step."""
    errand = Errand("retry", asked_for, SERVES, request_id=request_id)
    run(errand, target_of(name, namespace, context, kubeconfig), patience_of(timeout, wait=wait), output)
