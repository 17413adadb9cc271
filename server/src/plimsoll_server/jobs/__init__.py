"""Many texts at once, answered later: what is kept of a job in Redis, and the worker that has it answered.

Nothing here knows a model. A worker asks a server for the answers over HTTP, as any caller would.
"""
