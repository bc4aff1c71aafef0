"""Files that commands read and write, standard input and output among them."""

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path

import click

from szmass.cli.wording import tell_reader

__all__ = [
    "FILE",
    "FOLDER",
    "NOTHING_FOUND",
    "OLD_FILE",
    "OLD_FOLDER",
    "check_files",
    "check_outputs",
    "output_options",
    "read_stdin",
]

#: Files and folders: those to write or fetch, and those that must be there.
FILE, FOLDER = click.Path(dir_okay=False), click.Path(file_okay=False)
OLD_FILE = click.Path(dir_okay=False, exists=True)
OLD_FOLDER = click.Path(file_okay=False, exists=True)
#: Exit code where the output was written, but no cluster was weighed or matched.
NOTHING_FOUND = 3

_STREAMS = f"{__name__}.streams"  # names of such files, in ``meta`` of the context


class _Stream(str):
    """The path of a file that stands for standard input or output, and is shown as that."""

    shown = ""

    def __format__(self, spec):
        return format(self.shown, spec)


def _stream(ctx, shown, name):
    """Give the path of a file that is there until the command ends, called so in messages."""
    # The context of a command is not closed where its arguments are wrong.
    folder = ctx.find_root().with_resource(tempfile.TemporaryDirectory())
    path = _Stream(Path(folder, name))
    path.shown = shown
    streams = ctx.meta.setdefault(_STREAMS, {})
    streams[str(path)] = shown
    tell_reader(ctx, streams=streams)
    return path


def read_stdin(ctx, param, value):
    """Give the path of a file with what is on standard input, for the value "-"; a callback."""
    if value != "-":
        return value
    if any(shown == "standard input" for shown in ctx.meta.get(_STREAMS, {}).values()):
        raise click.UsageError("standard input ('-') can be read once")
    # Its content tells the form; what has none is text with commas, semicolons or tabs.
    path = _stream(ctx, "standard input", "standard-input.csv")
    Path(os.fspath(path)).write_bytes(sys.stdin.buffer.read())
    return path


def output_options(command):
    """Add the options that say which table to write; to standard output, as ECSV, for "-"."""

    @functools.wraps(command)
    def piped(output, **others):
        if output != "-":
            return command(output=output, **others)
        path = _stream(click.get_current_context(), "standard output", "standard-output.ecsv")
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return command(output=path, **others)
        finally:
            if os.path.exists(path):
                sys.stdout.buffer.write(Path(os.fspath(path)).read_bytes())

    overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
    text = (
        "Table to write: .ecsv, .fits, .vot, or .csv and .tsv without units; - writes ECSV to "
        "standard output"
    )
    return click.option("-o", "--output", type=FILE, required=True, help=text)(overwrite(piped))


def check_outputs(*outputs, overwrite, inputs=(), pieces=False):
    """Refuse tables that cannot be written, before anything is read or made; give their formats.

    ``inputs`` are as in `check_files`, ``pieces`` is for tables that are written in pieces.
    """
    from szmass._tables.appending import appendable_format
    from szmass._tables.files import table_format

    formats = [appendable_format(path) if pieces else table_format(path) for path in outputs]
    check_files(*outputs, overwrite=overwrite, inputs=inputs)
    return formats


def check_files(*outputs, overwrite, inputs=()):
    """Refuse files that cannot be written, before anything is read or made.

    ``inputs`` are paths or names of what is read, or None: no output may take the place of one.
    """
    from szmass._io.files import check_output_file

    taken = [path for path in inputs if path and os.path.exists(path)]
    for output in outputs:
        path = check_output_file(output, overwrite=overwrite)
        for other in taken:
            if path.absolute() == Path(other).absolute() or (
                path.exists() and os.path.exists(other) and os.path.samefile(path, other)
            ):
                raise click.UsageError(
                    f"{str(output)!r} cannot be written: this command reads it, or writes "
                    "something else to it. Choose another name"
                )
        taken.append(output)
