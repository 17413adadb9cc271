"""Everything that talks to the Kubernetes API: reads it into `Observed`, carries a `Plan` out. Decides nothing."""
