"""`abort`: the canary is taken back now."""

from __future__ import annotations

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.errand import Errand, RequestId, Timeout, Wait, asked_for, patience_of, run
from plimsoll_operator.cli.goals import HAS_ENDED
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output


def abort(
    name: Name,
    namespace: Namespace = "",
    wait: Wait = False,
    timeout: Timeout = "15m",
    request_id: RequestId = "",
    output: Output = Format.text,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """End the canary and stay with the stable revision; it is not tried again until `retry`."""
    errand = Errand("abort", asked_for, HAS_ENDED, request_id=request_id)
    run(errand, target_of(name, namespace, context, kubeconfig), patience_of(timeout, wait=wait), output)
