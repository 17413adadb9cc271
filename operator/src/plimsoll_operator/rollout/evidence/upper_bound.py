"""An upper bound of the canary's bad rate that holds at every look at once.

After n exposures with x bad ones, M(p) = B(a + x, b + n - x) / B(a, b) / (p^x (1 - p)^(n - x)), the beta-binomial
mixture against the rate p, is a martingale if p is the true rate (Robbins 1970), so {p: M(p) < 1/β} holds the truth at
all times with a chance of at least 1 - β (Ville 1939; Howard et al., Ann. Statist. 49, 2021). The bound is the upper
end of that set. a = 1/2 and b = 1 / (2 margin) put the mixture where the margin is, which makes it tightest there:
without a single bad event, the bound falls below a margin of 1 % after 409 exposures.
"""

from __future__ import annotations

from math import lgamma, log, log1p

BETA = 0.05
"""Chance that a bound is ever below the truth."""

_SHAPE = 0.5
_HALVINGS = 30
_NEARLY_ALL = 1 - 1e-12


def upper_bound(exposures: float, bad: float, margin: float) -> float:
    """The bound in [0, 1]; 1 where nothing was seen. `margin` only shapes the mixture."""
    if exposures <= 0 or bad >= exposures * _NEARLY_ALL:
        return 1.0
    other = _SHAPE / margin
    mixture = _log_beta(_SHAPE + bad, other + exposures - bad) - _log_beta(_SHAPE, other)
    limit = mixture + log(BETA)
    low, high = bad / exposures, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        likelihood = bad * log(middle) + (exposures - bad) * log1p(-middle)
        low, high = (middle, high) if likelihood > limit else (low, middle)
    return high


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
