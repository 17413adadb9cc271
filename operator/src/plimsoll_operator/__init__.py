"""Plimsoll's Kubernetes operator."""
