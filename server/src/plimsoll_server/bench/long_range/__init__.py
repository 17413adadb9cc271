"""Whether a model uses what stands far away: generated tasks whose answers are known."""
