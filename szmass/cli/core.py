"""The command line: each command is one call of the library, in a module of its own.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 the output was written but has no
clusters, or not one could be weighed, or not one matched; 130 interrupted (Ctrl-C), 141 nobody
reads what is printed, 143 ended by SIGTERM.
"""

import contextlib
import os
import signal
import sys
import threading
import traceback
import warnings
from importlib import import_module

import click

from szmass._utils.names import did_you_mean
from szmass._utils.progress import show_progress
from szmass.cli.wording import in_shell_words, one_line
from szmass.exceptions import SzmassError, SzmassWarning
from szmass.version import __version__

__all__ = ["main"]

# Command `name` is the function of that name in the module `szmass.cli.<name>`.
_COMMANDS = (
    "catalog", "cite", "demo", "estimate", "fetch", "info", "match", "report", "reproduce",
    "simulate", "train",
)  # fmt: skip


_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}
_INTERRUPTED, _NO_READER, _TERMINATED = 130, 141, 143


class _Commands(click.Group):
    """Commands that are imported when asked for; whatever goes wrong is one line, no traceback."""

    def list_commands(self, ctx):
        return list(_COMMANDS)

    def get_command(self, ctx, name):
        if name not in _COMMANDS:
            return None
        return getattr(import_module(f"szmass.cli.{name}"), name)

    def resolve_command(self, ctx, args):
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as err:
            if "Did you mean" not in err.message:
                err.message += did_you_mean(args[0], _COMMANDS)
            raise

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:  # standard output: what else is piped has errors of its own
            with contextlib.suppress(OSError):  # what is left for it is dropped
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_NO_READER)
        except Exception as err:  # the last net
            if ctx.params.get("debug"):
                traceback.print_exc()
            raise click.ClickException(self._told(err, ctx)) from err

    def _told(self, err, ctx):
        name = ctx.invoked_subcommand
        if isinstance(err, MemoryError):
            return f"The memory of this machine does not suffice: {one_line(err) or 'it is full'}"
        if isinstance(err, SzmassError | OSError):
            return in_shell_words(err, name and self.get_command(ctx, name), ctx)
        return (
            f"Unexpected {type(err).__name__}: {one_line(err) or 'no message'} (This is a fault of "
            f"szmass: please report it with what 'szmass --debug {name or ''} ...' prints.)"
        )


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="szmass")
@click.option(
    "--progress/--no-progress", default=None, help="Draw progress bars.  [default: on a terminal]"
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(ctx, progress, debug):
    """Weigh galaxy clusters in Compton-y maps."""
    show_progress(sys.stderr.isatty() if progress is None else progress)
    ctx.with_resource(_warnings_as_lines(ctx))
    ctx.with_resource(_termination_raises())


@contextlib.contextmanager
def _warnings_as_lines(ctx):
    """Show warnings as plain lines on standard error when the command has ended."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SzmassWarning)
        try:
            yield
        finally:
            name = ctx.invoked_subcommand
            command = name and main.get_command(ctx, name)
            for warning in caught:
                text = in_shell_words(warning.message, command, ctx)
                click.echo(f"Warning: {text}", err=True)


@contextlib.contextmanager
def _termination_raises():
    """Let SIGTERM end a command as Ctrl-C does: nothing half-written is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
