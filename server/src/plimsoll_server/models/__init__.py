"""Model families: a folder of weights in, outputs of sequences out.

The only package that imports transformers. It knows nothing of requests, queues or memory limits. A new family is one
file here, one line in `registry.py`, and its name in `tests/unit/server/test_models_families.py`.
"""
