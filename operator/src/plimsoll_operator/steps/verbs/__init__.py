"""What each verb of a request does to the draft: one file per verb, one signature.

A verb marks the revisions of the draft, or says why it does not; it scales nothing. So an answer and what it brings
about are one write to the history, and the strategies move the pods from wherever that finds them.
"""
