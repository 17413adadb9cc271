"""Strategies that move the pods from one revision to the next. Pure: a situation in, a move out.

A strategy is one file with one function `advance(situation) -> Move` and an entry in `STRATEGIES`. It is called at
every reconcile and keeps no state: where a rollout stands is read from the labels of the history and from the pods, and
only what these cannot tell of a canary, its step and its clocks, from status.
"""
