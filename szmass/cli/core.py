"""The command line: each command is one call of the library, in a module of its own.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 the output was
written but not one cluster could be weighed, or not one matched.
"""

import contextlib
import sys
import warnings
from importlib import import_module

import click

from szmass._utils.progress import show_progress
from szmass.exceptions import SzmassError, SzmassWarning
from szmass.version import __version__

__all__ = ["main"]

# Command `name` is the function of that name in the module `szmass.cli.<name>`.
_COMMANDS = (
    "catalog", "cite", "demo", "estimate", "fetch", "info", "match", "report", "reproduce",
    "simulate", "train",
)  # fmt: skip


_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


class _Commands(click.Group):
    """Commands that are imported when asked for; errors of szmass are one line, no traceback."""

    def list_commands(self, ctx):
        return list(_COMMANDS)

    def get_command(self, ctx, name):
        if name not in _COMMANDS:
            return None
        return getattr(import_module(f"szmass.cli.{name}"), name)

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (SzmassError, OSError) as err:
            raise click.ClickException(str(err)) from err


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="szmass")
@click.option(
    "--progress/--no-progress", default=None, help="Draw progress bars.  [default: on a terminal]"
)
@click.pass_context
def main(ctx, progress):
    """Weigh galaxy clusters in Compton-y maps."""
    show_progress(sys.stderr.isatty() if progress is None else progress)
    ctx.with_resource(_warnings_as_lines())


@contextlib.contextmanager
def _warnings_as_lines():
    """Show warnings as plain lines on standard error when the command has ended."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SzmassWarning)
        try:
            yield
        finally:
            for warning in caught:
                click.echo(f"Warning: {warning.message}", err=True)
