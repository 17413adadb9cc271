"""A comparison of two loops that train the family `scaled`: to tell by one docstring which topic of the standard
library it belongs to.

Both do the same work on the same batches. The plain one is written as one writes such a loop first, and stays as the
measure for the optimised one, which `plimsoll-server train` has too.
"""
