"""`pause`: rollouts are held until `resume`."""

from __future__ import annotations

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.errand import Errand, RequestId, anything, run
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output


def pause(
    name: Name,
    namespace: Namespace = "",
    request_id: RequestId = "",
    output: Output = Format.text,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Hold steps and promotions until `resume`. A bad canary is still taken back."""
    errand = Errand("pause", anything, request_id=request_id)
    run(errand, target_of(name, namespace, context, kubeconfig), None, output)
