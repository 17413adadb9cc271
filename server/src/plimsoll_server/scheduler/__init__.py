"""From a text to its answer: tokens, tier, chunks, a place in the queue, a batch, and back.

Free of torch and transformers: what it needs of the engine is one protocol with one method.
"""
