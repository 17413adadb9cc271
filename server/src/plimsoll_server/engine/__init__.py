"""One device and the model on it: memory, recovery, and a worker that runs one batch at a time.

It knows batches of token sequences and nothing of requests.
"""
