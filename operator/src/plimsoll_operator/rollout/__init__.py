"""How the pods get from one revision to the next. Pure: what stands in, a move out.

A strategy is one function `advance(situation) -> Move` and an entry in `STRATEGIES`; it is called at every reconcile.
`canary/` has a file for each phase, `measuring/` turns counters and pods into counts of each interval, `evidence/` says
what the counts prove.
"""
