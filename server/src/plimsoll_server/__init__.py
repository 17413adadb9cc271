"""Plimsoll's inference server."""
