"""What the sandbox tells a person when it cannot go on."""


class SandboxError(Exception):
    """Says what was expected, what was found, and what to do or which log to read."""
