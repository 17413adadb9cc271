"""The verbs by the name that a request gives them. A new one is a file and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_operator.steps.verbs.abort import abort
from plimsoll_operator.steps.verbs.asked import Verb
from plimsoll_operator.steps.verbs.pause import pause
from plimsoll_operator.steps.verbs.promote import promote
from plimsoll_operator.steps.verbs.restart import restart
from plimsoll_operator.steps.verbs.resume import resume
from plimsoll_operator.steps.verbs.retry import retry
from plimsoll_operator.steps.verbs.rollback import rollback

VERBS: Mapping[str, Verb] = {
    "promote": promote,
    "abort": abort,
    "retry": retry,
    "restart": restart,
    "rollback": rollback,
    "pause": pause,
    "resume": resume,
}
