"""Lines for the operator's log.

The engine passes them on, up to its limits; they never change what is decided. In tests on the
machine itself they go to standard error.
"""

import sys


def debug(message: str) -> None:
    """For the policy's author."""
    write("debug", message)


def info(message: str) -> None:
    """For whoever reads the story of a repair."""
    write("info", message)


def warn(message: str) -> None:
    """Somebody should look at it today."""
    write("warn", message)


def error(message: str) -> None:
    """Something is wrong; the engine writes it as a warning."""
    write("error", message)


def write(level: str, message: str) -> None:
    """A line of the level ``debug``, ``info``, ``warn`` or ``error``."""
    print(f"{level}: {message}", file=sys.stderr)
