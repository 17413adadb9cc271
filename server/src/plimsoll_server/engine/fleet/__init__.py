"""Several devices behind the face of one engine: a worker process on each, and batches for whoever has least to do.

Only `worker` runs in those processes and imports torch. A worker that dies costs time and no answer: what it was given
runs elsewhere, and another process takes its place.
"""
