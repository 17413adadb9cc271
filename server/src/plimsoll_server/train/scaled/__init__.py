"""Training of the family `scaled`: to tell by one docstring which topic of the standard library it belongs to.

Two loops do the same work on the same batches. The plain one is written as one writes such a loop first, and stays as
the measure for the optimised one.
"""
