"""What libraries are told by the environment, which they read as they are loaded."""

from __future__ import annotations

from collections.abc import MutableMapping

_SPINS = "10000"
"""How often a thread of torch's looks whether the others are done before it sleeps, a fraction of a millisecond.
Sleeping at once costs a third of the time of a short text, for each layer has a dozen places where threads meet.
Spinning on, as is the default, takes the processor from those they wait for wherever it is shared or has a quota: seven
times the processor time on two busy cores."""

_KERNELS, _HANDLES = "64", "16"
"""That oneDNN and torch keep of the kernels that oneDNN has written, each half a megabyte or less. By default 1,024
each: a server that had met a few hundred sizes of packs held half a gigabyte of them. One layer has five or so, the
same as all others, and `models/filling.py` keeps their sizes few."""


def set_for_serving(environment: MutableMapping[str, str]) -> None:
    """How many kernels, and how long to spin, only where whoever started the server has set nothing else."""
    # One text at a time needs none of the library's threads, whose stacks would be the memory of its text.
    environment["TOKENIZERS_PARALLELISM"] = "false"
    # Where memory is short a library that tells how it came to its end may need more for that, and hangs.
    environment["RUST_BACKTRACE"] = "0"
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", _SPINS)
    environment.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)
    environment.setdefault("LRU_CACHE_CAPACITY", _HANDLES)
