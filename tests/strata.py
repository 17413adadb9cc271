"""What the tests' requests are alike in."""

from plimsoll_operator.rollout.evidence import Stratum

SHORT, LONG, PODS = Stratum("short"), Stratum("long"), Stratum("pods")
EARLY = Stratum("none")
"""Of what ends before its tier is found out."""
