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
import time
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

# Command `name` is the function of that name in the module `szmass.cli.<name>`, or another one.
_MODULES = {"massmap": "state"}
_COMMANDS = (
    "baryons", "catalog", "cite", "demo", "estimate", "fetch", "info", "lightcone", "massmap",
    "match", "report", "reproduce", "simulate", "state", "train",
)  # fmt: skip


_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}
_INTERRUPTED, _NO_READER, _TERMINATED = 130, 141, 143
_CLEANING = 2.0  # s
_TRACKER = "ignore:resource_tracker"


class _Commands(click.Group):
    """Commands that are imported when asked for; whatever goes wrong is one line, no traceback."""

    def list_commands(self, ctx):
        return list(_COMMANDS)

    def get_command(self, ctx, name):
        if name not in _COMMANDS:
            return None
        return getattr(import_module(f"szmass.cli.{_MODULES.get(name, name)}"), name)

    def resolve_command(self, ctx, args):
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as err:
            if "Did you mean" not in err.message:
                err.message += did_you_mean(args[0], _COMMANDS)
            raise

    def invoke(self, ctx):
        with _signals_raise() as codes:
            try:
                return self._invoke(ctx)
            except BaseException as err:
                # Whatever it was turned into: C code makes an ImportError of one in an import.
                if not (codes or isinstance(err, KeyboardInterrupt)):
                    raise
                code = ctx.meta[__name__] = codes[-1] if codes else _INTERRUPTED
                if code == _INTERRUPTED:
                    click.echo("Interrupted.", err=True)
                raise click.exceptions.Exit(code) from None

    def _invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
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
    """Weigh galaxy clusters in Compton-y maps.

    \b
    Examples:
      szmass demo
      szmass estimate --catalog psz2 --map milca --estimators cnn
          --noise planck -o masses.ecsv
      szmass report masses.ecsv -o report

    Each command has examples of its own: 'szmass match --help'. Names and files
    are completed by the Tab key after, in bash (zsh and fish alike),

    \b
      eval "$(_SZMASS_COMPLETE=bash_source szmass)"
    """
    # What watches over the semaphores of processes tidies up after an interruption in silence.
    ignored = {*filter(None, os.environ.get("PYTHONWARNINGS", "").split(",")), _TRACKER}
    os.environ["PYTHONWARNINGS"] = ",".join(sorted(ignored))
    show_progress(sys.stderr.isatty() if progress is None else progress)
    ctx.with_resource(_warnings_as_lines(ctx))


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
            for warning in caught if __name__ not in ctx.meta else ():
                text = in_shell_words(warning.message, command, ctx)
                click.echo(f"Warning: {text}", err=True)


@contextlib.contextmanager
def _signals_raise():
    """Let SIGINT and SIGTERM be exceptions, so that nothing half-written is left.

    Gives the list of exit codes they stand for, empty if there was none. More of them, while
    the first is cleaned up after, are not heard.
    """
    codes, last = [], -_CLEANING

    def end(number, frame):
        nonlocal last
        if time.monotonic() - last > _CLEANING:
            last = time.monotonic()
            codes.append(_INTERRUPTED if number == signal.SIGINT else _TERMINATED)
            raise KeyboardInterrupt

    def lost(unraisable):  # in a callback or __del__, which Python goes on after
        nonlocal last
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            former_hook(unraisable)
            return
        last = -_CLEANING
        number = signal.SIGTERM if codes[-1:] == [_TERMINATED] else signal.SIGINT
        threading.Timer(0.05, signal.raise_signal, [number]).start()

    if threading.current_thread() is not threading.main_thread():
        yield codes
        return
    former_hook, sys.unraisablehook = sys.unraisablehook, lost
    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    former = {n: signal.signal(n, end) for n in heard}
    try:
        yield codes
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        sys.unraisablehook = former_hook
