"""What ends a command with a message instead of a traceback."""

from __future__ import annotations


class CliError(Exception):
    """The message says what was expected, what was found and what to do."""

    exit_code = 1


class WrongInputError(CliError):
    """A file or an option is wrong, so that nothing could be asked or worked out."""

    exit_code = 2


class NotYetError(CliError):
    """Neither done nor refused: it may still come, and asking again tells."""

    exit_code = 3
