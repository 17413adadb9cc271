"""The protocols. Each file decodes one protocol, calls the scheduler, and encodes its answer.

Free of torch. A new protocol is one file here and one router line in `app.py`.
"""
