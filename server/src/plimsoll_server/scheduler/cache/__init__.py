"""Answers given before, in memory and in a Redis that several pods share.

No content is kept: a key is a digest, and an answer says nothing of its text but scores, numbers and places in it.
"""
