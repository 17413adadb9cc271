"""The demo's model: a small ModernBERT that tells topics of the standard library's documentation apart.

It learns from the docstrings on this machine, and no text is copied anywhere but into memory. Nothing is downloaded.
"""
