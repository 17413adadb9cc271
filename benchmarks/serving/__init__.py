"""The server beside its alternatives, on this machine, in one run.

Whatever computes is a process of its own with the environment that it would be used in; this side only asks, in turn,
and writes down what it is told. Run by `benchmarks/bench.py`.
"""
