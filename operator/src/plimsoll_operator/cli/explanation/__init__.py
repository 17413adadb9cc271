"""What `explain` tells of a rollout, in words and as a plot. Pure: a stored object in, text or a picture's bytes out.

`trial` reads what the operator keeps of the comparison, `story` puts it into words, `terminal` and `picture` draw it.
"""
