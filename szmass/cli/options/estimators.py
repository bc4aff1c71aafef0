"""Estimators: which ones, their options, and where they work."""

import ast
import inspect

import click

from szmass.cli.options.names import completer, matching_items
from szmass.cli.options.tables import split_names
from szmass.cli.wording import tell_reader

__all__ = [
    "build_estimators",
    "estimators_option",
    "settings_of",
    "settings_option",
    "workers_options",
]


def _complete_settings(ctx, param, incomplete):
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
    return matching_items(names, incomplete)


def settings_of(example):
    """Make the option that takes options of estimators."""
    return click.option(
        "--set",
        "options",
        multiple=True,
        callback=lambda ctx, param, values: _parse_settings(ctx, values),
        metavar="TAG.OPTION=VALUE",
        shell_complete=_complete_settings,
        help=f"Option of an estimator, for instance {example}; may be repeated.",
    )


settings_option = settings_of("scaling.one_minus_b=0.8")


def estimators_option(**options):
    """Make the option that takes the tags of estimators."""
    text = "What to weigh with, side by side; 'szmass info' lists the tags."
    options |= {"callback": split_names, "metavar": "TAG,..."}
    options["shell_complete"] = completer("szmass.estimators.ESTIMATORS", several=True)
    return click.option("--estimators", help=text, **options)


def _parse_settings(ctx, values):
    """Read TAG.OPTION=VALUE, any number of them, into dicts of options by tag."""
    options = {}
    for value in values:
        key, equals, text = value.partition("=")
        estimator, dot, name = key.partition(".")
        if not (equals and dot and estimator and name):
            raise click.BadParameter(f"{value!r} is not of the form ESTIMATOR.OPTION=VALUE")
        try:
            parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            parsed = text
        if name in options.setdefault(estimator, {}):
            raise click.BadParameter(f"{key!r} is given twice")
        options[estimator][name] = parsed
    tell_reader(ctx, settings=options)
    return options


def build_estimators(tags, options):
    """Make estimators by tag, with the options of `_parse_settings`."""
    from szmass._utils.names import did_you_mean
    from szmass.estimators import ESTIMATORS

    if twice := [tag for tag in tags if tags.count(tag) > 1]:
        raise click.UsageError(f"--estimators names {twice[0]!r} twice")
    unused = set(options) - set(tags)
    if unused:
        raise click.UsageError(f"--set names {sorted(unused)[0]!r}, which is not in --estimators")
    for tag, given in options.items():
        known = inspect.signature(ESTIMATORS[tag]).parameters
        for name in given.keys() - known:
            raise click.UsageError(
                f"--set: the estimator {tag!r} has no option {name!r}."
                f"{did_you_mean(name, known)} Its options: {', '.join(known) or 'none'}"
            )
    return {tag: ESTIMATORS[tag](**options.get(tag, {})) for tag in tags}


def workers_options(text="Number of processes, of one thread each.", default=None):
    """Make a decorator that adds the options which say where the work is done."""

    def add(command):
        dask = "Address of a Dask scheduler, instead of --workers."
        command = click.option("--scheduler", help=dask)(command)
        kind = click.IntRange(min=1)
        return click.option("--workers", type=kind, default=default, help=text)(command)

    return add
