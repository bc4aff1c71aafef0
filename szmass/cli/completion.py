"""What the Tab key gives: names of registries, options of estimators, and files."""

import glob
import inspect
import os
import warnings
from importlib import import_module

from click.shell_completion import CompletionItem

__all__ = ["complete_settings", "completer"]


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
        return _items(names, incomplete, done, files)

    return complete


def complete_settings(ctx, param, incomplete):
    """Complete TAG.OPTION= of the estimators that the line names, or of all."""
    from szmass.estimators import ESTIMATORS
    from szmass.morphology import STATE_ESTIMATORS

    tag, dot, _ = incomplete.partition(".")
    state = ctx.info_name == "state"
    registry = STATE_ESTIMATORS if state else ESTIMATORS
    if dot and tag in registry:
        names = [(f"{tag}.{name}=", None) for name in inspect.signature(registry[tag]).parameters]
    else:
        chosen = [ctx.params.get("estimator")] if state else ctx.params.get("estimators")
        names = [(f"{name}.", None) for name in registry if not chosen or name in chosen]
    return _items(names, incomplete)


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


def _items(names, incomplete, done="", files=False):
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
