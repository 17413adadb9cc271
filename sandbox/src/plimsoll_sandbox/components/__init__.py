"""The programs of a sandbox, one file each: its command line, and how one sees that it is ready.

Promise: nothing here starts or waits for anything; the supervisor does.
"""
