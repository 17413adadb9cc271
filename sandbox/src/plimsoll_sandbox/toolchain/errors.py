"""The one error of this package."""


class ToolchainError(Exception):
    """A tool cannot be had. The message says what was expected, what was found, and what to do."""
