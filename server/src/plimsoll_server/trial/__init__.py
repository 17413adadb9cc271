"""A real server, started as a process of its own and measured from outside: over HTTP, and by what the kernel tells.

Nothing here is imported by the server that answers requests, and nothing of the server's insides is asked.
"""
