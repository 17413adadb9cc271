"""What is known of a canary: asked of Prometheus, differenced per pod, read from its pods, kept in status."""
