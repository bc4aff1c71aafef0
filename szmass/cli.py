"""The command line: each command is one call of the library.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 the output was
written but not one cluster could be weighed.
"""

import ast
import contextlib
import inspect
import json
import os
import platform
import sys
import warnings
from importlib import metadata

import click

from szmass._utils.progress import show_progress
from szmass.exceptions import SzmassError, SzmassWarning
from szmass.version import __version__

__all__ = ["main"]

NOTHING_WEIGHED = 3


class _Group(click.Group):
    """Shows errors of szmass as one line, without a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (SzmassError, OSError) as err:
            raise click.ClickException(str(err)) from err


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="szmass")
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Draw progress bars.  [default: on a terminal]",
)
def main(progress):
    """Weigh galaxy clusters in Compton-y maps."""
    show_progress(sys.stderr.isatty() if progress is None else progress)


@contextlib.contextmanager
def _warnings_as_lines():
    """Show warnings as plain lines on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SzmassWarning)
        try:
            yield
        finally:
            for warning in caught:
                click.echo(f"Warning: {warning.message}", err=True)


_redshift = click.option(
    "--redshift",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="Keep clusters with LOW < z <= HIGH.",
)
_overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
_output = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    required=True,
    help="Table to write: .ecsv, .fits or .vot",
)


def _split(ctx, param, value):
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("give at least one name")
    return names


def _parse_options(ctx, param, values):
    options = {}
    for value in values:
        key, equals, text = value.partition("=")
        estimator, dot, name = key.partition(".")
        if not (equals and dot and estimator and name):
            raise click.BadParameter(f"{value!r} is not of the form ESTIMATOR.OPTION=VALUE")
        try:
            parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            parsed = text
        options.setdefault(estimator, {})[name] = parsed
    return options


@main.command()
@click.option(
    "--catalog",
    required=True,
    metavar="FILE|psz2",
    help="A PSZ2 file, any table with name, position and redshift, or 'psz2' to fetch it.",
)
@click.option(
    "--map",
    "map_path",
    metavar="FILE|NAME",
    help="Compton-y map: HEALPix, a FITS image with a celestial WCS, or a name of 'szmass fetch'.",
)
@click.option(
    "--estimators",
    required=True,
    callback=_split,
    metavar="TAG,...",
    help="What to weigh with; 'szmass info' lists the tags.",
)
@_output
@_overwrite
@_redshift
@click.option(
    "--set",
    "options",
    multiple=True,
    callback=_parse_options,
    metavar="TAG.OPTION=VALUE",
    help="Option of an estimator, for instance scaling.one_minus_b=0.8; may be repeated.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["nearest", "bilinear"]),
    default="bilinear",
    show_default=True,
    help="How cutouts sample the map; the published networks were fed 'nearest'.",
)
@click.option("--column", help="Column of the map file, where there are several.")
@click.option("--ordering", type=click.Choice(["ring", "nested"]), help="If the map does not say.")
@click.option("--frame", type=click.Choice(["galactic", "icrs"]), help="If the map does not say.")
@click.option("--beam", help="FWHM of the map's beam, for instance '10 arcmin'.")
@click.option("--covered", is_flag=True, help="Keep only clusters whose cutout the map covers.")
def estimate(
    catalog, map_path, estimators, output, overwrite, redshift, options, interpolation, column,
    ordering, frame, beam, covered,
):  # fmt: skip
    """Weigh the clusters of a catalogue with one or several estimators.

    The table has one row per cluster; what could not be weighed keeps its row,
    with NaN and a flag that says why.
    """
    import numpy as np

    # TensorFlow's notes on the machine it found are not for a user of the shell.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from szmass._utils.tables import table_format, write_table
    from szmass.catalogs import load_sample
    from szmass.estimators import ESTIMATORS, estimate_masses
    from szmass.maps import open_map
    from szmass.masses import column_suffix

    table_format(output)
    unused = set(options) - set(estimators)
    if unused:
        raise click.UsageError(f"--set names {sorted(unused)[0]!r}, which is not in --estimators")
    chosen = {tag: _build(ESTIMATORS[tag], options.get(tag, {})) for tag in estimators}
    if covered and not map_path:
        raise click.UsageError("--covered needs --map")
    with _warnings_as_lines():
        sample = load_sample(catalog, redshift=redshift or None)
        if map_path:
            ymap = open_map(map_path, column=column, ordering=ordering, frame=frame, beam=beam)
            sample.attach_cutouts(ymap, interpolation=interpolation)
            if covered:
                sample = sample[sample.cutouts.complete]
        table = estimate_masses(sample, chosen)
        write_table(table, output, overwrite=overwrite)
    click.echo(f"{len(table)} clusters written to {output}")
    weighed = {tag: np.isfinite(table[f"mass_{column_suffix(tag)}"]).sum() for tag in chosen}
    for tag, n in weighed.items():
        click.echo(f"  {tag}: {n} weighed")
    if len(table) and not any(weighed.values()):
        sys.exit(NOTHING_WEIGHED)


def _build(cls, options):
    known = inspect.signature(cls).parameters
    for name in options:
        if name not in known:
            raise click.UsageError(
                f"--set: the estimator {cls.tag!r} has no option {name!r}. "
                f"Its options: {', '.join(known) or 'none'}"
            )
    return cls(**options)


@main.command()
@click.argument("catalog", metavar="FILE|psz2")
@_output
@_overwrite
@_redshift
def catalog(catalog, output, overwrite, redshift):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._utils.tables import table_format, write_table
    from szmass.catalogs import load_sample

    table_format(output)
    with _warnings_as_lines():
        sample = load_sample(catalog, redshift=redshift or None)
        write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")


@main.command()
@click.argument("tags", nargs=-1, metavar="[NAME]...")
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="Where to keep the files.  [default: in the cache folder]",
)
@click.option("--keep-archive", is_flag=True, help="Keep large archives for their other maps.")
def fetch(tags, folder, keep_archive):
    """Download published Compton-y maps; without a name, list them.

    A download that was cut goes on at the next call.
    """
    from szmass.maps import MAP_PRODUCTS, fetch_map

    if not tags:
        width = max(map(len, MAP_PRODUCTS))
        for tag, product in MAP_PRODUCTS.items():
            size = f"{product.size / 1e9:.1f} GB" if product.size else "?"
            click.echo(f"{tag:<{width}}  {size:>7}  {product.title}")
        return
    wanted = [MAP_PRODUCTS[tag] for tag in tags]
    with _warnings_as_lines():
        for product in wanted:
            click.echo(fetch_map(product, folder=folder, keep_archive=keep_archive))


@main.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    default="demo",
    show_default=True,
    help="Where to write tables, map and pictures.",
)
@click.option(
    "--nside",
    type=int,
    default=2048,
    show_default=True,
    help="Resolution of the map: 512, 1024, 2048, ...",
)
@click.option(
    "--clusters",
    type=int,
    default=1094,
    show_default=True,
    help="At most so many of the detected clusters.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything.")
@click.option("--overwrite", is_flag=True, help="Replace files in a folder that is not empty.")
def demo(folder, nside, clusters, seed, overwrite):
    """Simulate a survey, weigh its clusters, compare with the truth.

    Nothing is downloaded. The pictures need matplotlib.
    """
    from szmass.comparison.demo import run_demo

    with _warnings_as_lines():
        made = run_demo(folder, nside=nside, clusters=clusters, seed=seed, overwrite=overwrite)
    click.echo(made.summary())
    click.echo(f"\nCatalogue, map, masses and pictures are in {folder}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json):
    """Show versions, data locations and what is registered."""
    from szmass._utils.paths import cache_folder
    from szmass.catalogs import CATALOGS
    from szmass.estimators import ESTIMATORS

    packages = (
        "numpy", "scipy", "astropy", "healpy", "reproject", "astroquery", "colossus",
        "tensorflow", "keras", "matplotlib",
    )  # fmt: skip
    facts = {
        "versions": {
            "szmass": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in packages},
        },
        "data": {"cache folder": str(cache_folder())},
        "estimators": {tag: cls.description for tag, cls in ESTIMATORS.items()},
        "catalogues": {tag: cls.description for tag, cls in CATALOGS.items()},
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for title, entries in facts.items():
        click.echo(click.style(title, bold=True))
        width = max(map(len, entries))
        for name, value in entries.items():
            click.echo(f"  {name:<{width}}  {value or 'not installed'}")


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
