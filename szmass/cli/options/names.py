"""What options are named by: entries of registries, which the Tab key completes."""

import glob
import os
import warnings
from importlib import import_module

import click
from click.shell_completion import CompletionItem

__all__ = ["CATALOG_NAMES", "baryon_models_option", "completer", "named_option"]


def completer(*sources, files=False, several=False):
    """Make the ``shell_complete`` of an option or argument.

    Parameters
    ----------
    *sources : str
        A registry, ``"szmass.catalogs.CATALOGS"``, which is imported when its names are asked for,
        or a name.
    files : bool, optional
        Whether it can also be a file.
    several : bool, optional
        Whether it is a list with commas.

    Returns
    -------
    callable
        What click calls with context, parameter and what was typed.
    """

    def complete(ctx, param, incomplete):
        done = ""
        if several:
            done, comma, incomplete = incomplete.rpartition(",")
            done += comma
        taken = done.split(",")
        names = [(name, text) for name, text in _names(sources) if name not in taken]
        return matching_items(names, incomplete, done, files)

    return complete


def _names(sources):
    """Yield names and what they are."""
    for source in sources:
        module, _, name = source.rpartition(".")
        if not module:
            yield source, None
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would stand in the line that is typed
            registry = getattr(import_module(module), name)
            for key, entry in registry.items():
                yield key, getattr(entry, "description", None) or getattr(entry, "title", None)


def matching_items(names, incomplete, done="", files=False):
    """Give the names, with what they are, and perhaps files that begin with what was typed."""
    found = [
        CompletionItem(done + name, help=text)
        for name, text in names
        if name.startswith(incomplete)
    ]
    if not files:
        return found
    if not found:  # the shell knows files better: folders, ~, blanks
        return [CompletionItem(incomplete, type="file")]
    paths = sorted(glob.glob(glob.escape(incomplete) + "*"))
    return found + [CompletionItem(path) for path in paths if os.path.isfile(path)]


#: Completion of tags of catalogues and of files.
CATALOG_NAMES = completer("szmass.catalogs.CATALOGS", files=True)


def named_option(flag, registry, text, **options):
    """Make an option that is a name in a registry, given as text, which the Tab key completes."""
    return click.option(flag, shell_complete=completer(registry), help=text, **options)


def baryon_models_option(text, **options):
    """Make the option that names baryon models, any number of them; ``text`` is its help."""
    return click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME|FOLDER",
        shell_complete=completer("szmass.physics.BARYON_MODELS", files=True),
        help=text,
        **options,
    )
