"""The command 'match'."""

import sys

import click

from szmass.cli.options import (
    NOTHING_FOUND,
    by_prefix,
    catalog_argument,
    check_outputs,
    column_options,
    offline_option,
    output_options,
    read_table_options,
    split_names,
)
from szmass.cli.wording import tell_reader

__all__ = ["match"]


@click.command()
@catalog_argument("first")
@catalog_argument("second")
@output_options
@click.option(
    "--radius",
    default="10 arcmin",
    help="Largest distance; 'none' where --n-sigma alone is to limit it.",
)
@click.option("--n-sigma", type=float, help="Largest distance in units of the position errors.")
@click.option("--delta-redshift", type=float, help="Largest difference of the redshifts.")
@click.option(
    "--by",
    type=click.Choice(["position", "name", "position_or_name"]),
    default="position",
    help="What makes a match.",
)
@click.option(
    "--mode",
    type=click.Choice(["best", "nearest", "all"]),
    default="best",
    help="One-to-one, the nearest for each row of the first, or all pairs.",
)
@click.option(
    "--unmatched",
    type=click.Choice(["none", "first", "second", "both"]),
    default="none",
    help="Whose rows without a match are written as well.",
)
@click.option(
    "--prefixes",
    default="a,b",
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
    prefixes, aliases, columns, units, missing,
):  # fmt: skip
    """Match the rows of two catalogues by position, redshift and name.

    A catalogue is a file, - for standard input, or a tag of 'szmass info' to fetch it.

    \b
    Examples:
      szmass match psz2 mcxc --radius '5 arcmin' -o matches.ecsv
      szmass match psz2 mine.fits --by position_or_name
          --aliases b.alternative_names --delta-redshift 0.05
          --column b.m500=M500 --unit b.m500='1e14 solMass'
          --unmatched first -o matches.ecsv
    """
    from szmass._tables.files import write_table
    from szmass.catalogs import crossmatch, load_catalog

    check_outputs(output, overwrite=overwrite, inputs=[first, second])
    if len(prefixes) != 2:
        raise click.UsageError("--prefixes takes two words, for instance psz2,mcxc")
    given = {
        flag: by_prefix(values, prefixes, flag)
        for flag, values in (("--column", columns), ("--unit", units), ("--missing", missing))
    }
    names = by_prefix(dict.fromkeys(aliases), prefixes, "--aliases")
    catalogs, further = [], []
    for prefix, source in zip(prefixes, (first, second), strict=True):
        tell_reader(click.get_current_context(), prefix=f"{prefix}.")
        options = read_table_options(*(values[prefix] for values in given.values()))
        catalogs.append(load_catalog(source, **options))
        further.append({"aliases": list(names[prefix])} if names[prefix] else None)
    tell_reader(click.get_current_context(), prefix="PREFIX.")
    table = crossmatch(
        *catalogs,
        radius=None if radius.lower() == "none" else radius,
        n_sigma=n_sigma,
        delta_redshift=delta_redshift,
        by=by,
        mode=mode,
        unmatched={"none": False, "first": "a", "second": "b", "both": True}[unmatched],
        prefixes=tuple(prefixes),
        columns=further,
    )
    write_table(table, output, overwrite=overwrite)
    pairs = table.meta["crossmatch"]["pairs"]
    click.echo(f"{pairs} pairs among {len(catalogs[0])} and {len(catalogs[1])} rows")
    click.echo(f"{len(table)} rows written to {output}")
    if not pairs:
        sys.exit(NOTHING_FOUND)
