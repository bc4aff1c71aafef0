"""The command line: each command is one call of the library."""

from szmass.cli.core import main

__all__ = ["main"]
