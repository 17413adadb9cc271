"""Training. Nothing here is imported by the server that answers requests."""
