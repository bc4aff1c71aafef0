"""The command line: each command is one call of the library.

Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 3 the output was
written but not one cluster could be weighed, or not one matched.
"""

import json
import os
import platform
import sys
from importlib import metadata

import click

from szmass._utils.progress import show_progress
from szmass.cli.options import (
    asking_no_server,
    build_estimator,
    by_prefix,
    column_options,
    map_options,
    noise_option,
    offline_option,
    output_option,
    overwrite_option,
    parse_settings,
    read_table_options,
    redshift_option,
    split_names,
    state_noise,
    warnings_as_lines,
)
from szmass.cli.reproduce import reproduce
from szmass.cli.train import train
from szmass.exceptions import SzmassError
from szmass.version import __version__

__all__ = ["main"]

NOTHING_FOUND = 3


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


@main.command()
@click.option(
    "--catalog",
    required=True,
    metavar="FILE|TAG",
    help="A catalogue that 'szmass info' lists, as a file or by its tag, to fetch it; or any table "
    "with name, position and redshift.",
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
    callback=split_names,
    metavar="TAG,...",
    help="What to weigh with; 'szmass info' lists the tags.",
)
@output_option
@overwrite_option
@redshift_option
@click.option(
    "--set",
    "options",
    multiple=True,
    callback=parse_settings,
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
@map_options
@noise_option
@click.option("--covered", is_flag=True, help="Keep only clusters whose cutout the map covers.")
@click.option(
    "--posteriors",
    type=click.Path(dir_okay=False),
    help="Also write posteriors, one file per estimator that has them: .ecsv, .fits or .vot. Of "
    "several the tag goes into the name: p.fits becomes p-cnn.fits",
)
@click.option(
    "--posterior-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also draw N masses per cluster from each posterior, as columns samples_TAG.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of these draws.")
@column_options()
@offline_option
def estimate(
    catalog, map_path, estimators, output, overwrite, redshift, options, interpolation, map_column,
    ordering, frame, beam, noise, covered, posteriors, posterior_samples, seed, columns, units,
    missing, offline,
):  # fmt: skip
    """Weigh the clusters of a catalogue with one or several estimators.

    The table has one row per cluster; what could not be weighed keeps its row,
    with NaN and a flag that says why.
    """
    import numpy as np

    # TensorFlow's notes on the machine it found are not for a user of the shell.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from szmass._io.tables import table_format, write_table
    from szmass.catalogs import load_sample
    from szmass.estimators import ESTIMATORS, estimate_masses
    from szmass.maps import open_map
    from szmass.results.masses import column_suffix

    form = table_format(output)
    unused = set(options) - set(estimators)
    if unused:
        raise click.UsageError(f"--set names {sorted(unused)[0]!r}, which is not in --estimators")
    chosen = {tag: build_estimator(ESTIMATORS[tag], options.get(tag, {})) for tag in estimators}
    with_posterior = [tag for tag, entry in chosen.items() if hasattr(entry, "predict_posterior")]
    if posteriors and (not with_posterior or table_format(posteriors) == "csv"):
        raise click.UsageError(
            "--posteriors needs a name that ends in .ecsv, .fits or .vot, and an estimator that "
            f"has posteriors, such as 'likelihood'; there are {len(with_posterior)}"
        )
    files = {}
    if posteriors:
        stem, suffix = os.path.splitext(posteriors)
        several = len(with_posterior) > 1
        files = {tag: f"{stem}-{tag}{suffix}" if several else posteriors for tag in with_posterior}
    if posterior_samples and form == "csv":
        raise click.UsageError("--posterior-samples does not go into CSV: write .ecsv or .fits")
    if covered and not map_path:
        raise click.UsageError("--covered needs --map")
    table_options = read_table_options(columns, units, missing)
    with warnings_as_lines(), asking_no_server(offline):
        sample = load_sample(
            catalog,
            redshift=redshift or None,
            redshift_column=table_options.pop("redshift", None),
            **table_options,
        )
        if map_path:
            ymap = open_map(map_path, column=map_column, ordering=ordering, frame=frame, beam=beam)
            state_noise(ymap, noise, sample.coord)
            sample.attach_cutouts(ymap, interpolation=interpolation)
            if covered:
                sample = sample[sample.cutouts.complete]
        found = {} if posteriors else None
        table = estimate_masses(
            sample, chosen, posteriors=found, posterior_samples=posterior_samples or 0, seed=seed
        )
        write_table(table, output, overwrite=overwrite)
        for tag, file in files.items():
            found[tag].write(file, overwrite=overwrite)
    click.echo(f"{len(table)} clusters written to {output}")
    for tag, file in files.items():
        click.echo(f"Posteriors of {tag} written to {file}")
    weighed = {tag: np.isfinite(table[f"mass_{column_suffix(tag)}"]).sum() for tag in chosen}
    for tag, n in weighed.items():
        click.echo(f"  {tag}: {n} weighed")
    if len(table) and not any(weighed.values()):
        sys.exit(NOTHING_FOUND)


@main.command()
@click.argument("catalog", metavar="FILE|TAG")
@output_option
@overwrite_option
@redshift_option
@column_options()
@offline_option
def catalog(catalog, output, overwrite, redshift, columns, units, missing, offline):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._io.tables import table_format, write_table
    from szmass.catalogs import load_sample

    table_format(output)
    table_options = read_table_options(columns, units, missing)
    with warnings_as_lines(), asking_no_server(offline):
        sample = load_sample(
            catalog,
            redshift=redshift or None,
            redshift_column=table_options.pop("redshift", None),
            **table_options,
        )
        write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")


@main.command()
@click.argument("first", metavar="FILE|TAG")
@click.argument("second", metavar="FILE|TAG")
@output_option
@overwrite_option
@click.option(
    "--radius",
    default="10 arcmin",
    show_default=True,
    help="Largest distance; 'none' where --n-sigma alone is to limit it.",
)
@click.option("--n-sigma", type=float, help="Largest distance in units of the position errors.")
@click.option("--delta-redshift", type=float, help="Largest difference of the redshifts.")
@click.option(
    "--by",
    type=click.Choice(["position", "name", "position_or_name"]),
    default="position",
    show_default=True,
    help="What makes a match.",
)
@click.option(
    "--mode",
    type=click.Choice(["best", "nearest", "all"]),
    default="best",
    show_default=True,
    help="One-to-one, the nearest for each row of the first, or all pairs.",
)
@click.option(
    "--unmatched",
    type=click.Choice(["none", "first", "second", "both"]),
    default="none",
    show_default=True,
    help="Whose rows without a match are written as well.",
)
@click.option(
    "--prefixes",
    default="a,b",
    show_default=True,
    callback=split_names,
    metavar="A,B",
    help="What the columns of the two begin with.",
)
@click.option(
    "--aliases",
    multiple=True,
    metavar="PREFIX.COLUMN",
    help="Column of further names, for instance b.alternative_names; may be repeated.",
)
@column_options("PREFIX.", examples=("a.msz=M500", "a.msz='1e14 solMass'", "b.z=-1"))
@offline_option
def match(
    first, second, output, overwrite, radius, n_sigma, delta_redshift, by, mode, unmatched,
    prefixes, aliases, columns, units, missing, offline,
):  # fmt: skip
    """Match the rows of two catalogues by position, redshift and name.

    A catalogue is a file, or a tag of 'szmass info' to fetch it.
    """
    from szmass._io.tables import table_format, write_table
    from szmass.catalogs import crossmatch, load_catalog

    table_format(output)
    if len(prefixes) != 2:
        raise click.UsageError("--prefixes takes two words, for instance psz2,mcxc")
    given = {
        flag: by_prefix(values, prefixes, flag)
        for flag, values in (("--column", columns), ("--unit", units), ("--missing", missing))
    }
    names = by_prefix(dict.fromkeys(aliases), prefixes, "--aliases")
    options = [
        read_table_options(*(values[prefix] for values in given.values())) for prefix in prefixes
    ]
    with warnings_as_lines(), asking_no_server(offline):
        catalogs = [
            load_catalog(source, **option)
            for source, option in zip((first, second), options, strict=True)
        ]
        table = crossmatch(
            *catalogs,
            radius=None if radius.lower() == "none" else radius,
            n_sigma=n_sigma,
            delta_redshift=delta_redshift,
            by=by,
            mode=mode,
            unmatched={"none": False, "first": "a", "second": "b", "both": True}[unmatched],
            prefixes=tuple(prefixes),
            columns=[
                {"aliases": list(names[prefix])} if names[prefix] else None for prefix in prefixes
            ],
        )
        write_table(table, output, overwrite=overwrite)
    pairs = table.meta["crossmatch"]["pairs"]
    click.echo(f"{pairs} pairs among {len(catalogs[0])} and {len(catalogs[1])} rows")
    click.echo(f"{len(table)} rows written to {output}")
    if not pairs:
        sys.exit(NOTHING_FOUND)


@main.command()
@click.option(
    "--population",
    required=True,
    metavar="flat|mass-function|TAG|FILE",
    help="Even in log M; from the mass function; or those of a catalogue, by tag or file.",
)
@click.option(
    "-n", "--number", type=int, help="Clusters to draw; those of the whole sky if not given."
)
@click.option("--mass", nargs=2, type=float, metavar="LOW HIGH", help="M500c to draw [solMass].")
@click.option("--redshift", nargs=2, type=float, metavar="LOW HIGH", help="Range of redshift.")
@click.option(
    "--one-minus-b", default=0.8, show_default=True, help="Mass of a catalogue over true mass."
)
@click.option("--model", default="a10", show_default=True, help="What clusters are made of.")
@click.option("--observation", default="clean", show_default=True, help="How a map shows them.")
@click.option("--cosmology", default="PSZ2", show_default=True, help="Name of the cosmology.")
@click.option("--projections", default=1, show_default=True, help="Views of each cluster.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same files.")
@click.option("--workers", default=1, show_default=True, help="Number of processes.")
@click.option("--scheduler", help="Address of a Dask scheduler, instead of --workers.")
@click.option("--shard-size", default=2048, show_default=True, help="Maps in one file.")
@click.option("--verify", is_flag=True, help="Make finished shards again that are damaged.")
@click.option("--overwrite", is_flag=True, help="Remove another data set of this name.")
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder to write.")
def simulate(population, number, mass, redshift, one_minus_b, output, **options):
    """Make mock maps with known truth and keep them as a data set.

    A run that was ended goes on at the next call.
    """
    import astropy.units as u

    from szmass.simulations import make_dataset

    limits = {"redshift": redshift} if redshift else {}
    if mass:
        limits["mass"] = mass * u.solMass
    with warnings_as_lines():
        sample = _population(population, number, limits, one_minus_b, options)
        dataset = make_dataset(output, sample, **options)
    click.echo(f"{len(dataset)} maps of {len(sample)} clusters in {output}")


def _population(name, number, limits, one_minus_b, options):
    from szmass.catalogs import load_sample
    from szmass.simulations import draw_flat, draw_mass_function, twin

    if name == "mass-function":
        cosmology, seed = options["cosmology"], options["seed"]
        return draw_mass_function(number, cosmology=cosmology, seed=seed, **limits)
    if name == "flat":
        if number is None:
            raise click.UsageError("--population flat needs --number")
        return draw_flat(number, seed=options["seed"], **limits)
    if number is not None or "mass" in limits:
        raise click.UsageError("--number and --mass are for populations that are drawn")
    return twin(load_sample(name, redshift=limits.get("redshift")), one_minus_b=one_minus_b)


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
    with warnings_as_lines():
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
    from szmass.demo import run_demo

    with warnings_as_lines():
        made = run_demo(folder, nside=nside, clusters=clusters, seed=seed, overwrite=overwrite)
    click.echo(made.summary())
    click.echo(f"\nCatalogue, map, masses and pictures are in {folder}")


@main.command()
@click.argument("what", nargs=-1, metavar="[FILE|NAME]...")
def cite(what):
    """Print the BibTeX of what to cite.

    For tables that szmass wrote, or by the name of an estimator, a catalogue, a map, a relation, a
    package; without any, szmass itself.
    """
    from pathlib import Path

    from szmass._io.tables import TABLE_FORMATS, read_table
    from szmass.citations import cite as bibtex_of

    with warnings_as_lines():
        found = [
            read_table(name) if Path(name).suffix.lower() in TABLE_FORMATS else name
            for name in what
        ]
        click.echo(bibtex_of(*found), nl=False)


@main.command()
@click.argument("masses", metavar="MASSES", type=click.Path(dir_okay=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False),
    help="Folder to write; an earlier report in it is replaced.",
)
@click.option(
    "--catalog",
    metavar="FILE|TAG",
    help="Catalogue of the same clusters, for columns that the table lacks, such as S/N.",
)
@click.option(
    "--cutouts",
    "cutouts_path",
    type=click.Path(dir_okay=False),
    help="Cutouts as CutoutStack.write leaves them.",
)
@click.option(
    "--map", "map_path", metavar="FILE|NAME", help="Map to take cutouts from, as in 'estimate'."
)
@map_options
@click.option(
    "--posteriors",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Posteriors that 'estimate' wrote; may be repeated.",
)
@click.option(
    "--reference",
    metavar="METHOD",
    help="What the others are compared with.  [default: the truth, else msz, else the first]",
)
@click.option("--title", help="Title of the report.")
@click.option(
    "--max-pages",
    type=click.IntRange(0),
    default=2000,
    show_default=True,
    help="So many clusters have a page and a picture.",
)
@click.option("--figures/--no-figures", default=True, help="Whether to draw figures.")
@offline_option
def report(
    masses, output, catalog, cutouts_path, map_path, map_column, ordering, frame, beam,
    posteriors, reference, title, max_pages, figures, offline,
):  # fmt: skip
    """Write pages about a table of masses that open in a browser without a network.

    Statistics, figures, a table of clusters to sort and search, and a page per cluster.
    """
    from szmass.catalogs import load_sample
    from szmass.maps import CutoutStack, open_map
    from szmass.report import write_report
    from szmass.results import LogMassPosterior, read_masses

    if cutouts_path and map_path:
        raise click.UsageError("give --cutouts or --map, not both")
    inputs = {"table": masses, "catalogue": catalog, "cutouts": cutouts_path, "map": map_path}
    with warnings_as_lines(), asking_no_server(offline):
        table = read_masses(masses)
        options = {"title": title} if title else {}
        if catalog:
            options["sample"] = load_sample(catalog)
        if cutouts_path:
            options["cutouts"] = CutoutStack.read(cutouts_path)
        if map_path:
            options["ymap"] = open_map(
                map_path, column=map_column, ordering=ordering, frame=frame, beam=beam
            )
        for file in posteriors:
            posterior = LogMassPosterior.read(file)
            method = str(posterior.meta.get("method", os.path.basename(file)))
            options.setdefault("posteriors", {})[method] = posterior
            inputs[f"posteriors of {method}"] = file
        page = write_report(
            table,
            output,
            reference=reference,
            max_pages=max_pages,
            figures=figures,
            inputs={what: file for what, file in inputs.items() if file and os.path.isfile(file)},
            **options,
        )
    click.echo(f"Report on {len(table)} clusters: open {page}")


main.add_command(reproduce)
main.add_command(train)


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
