"""The command 'catalog'."""

import sys

import click

from szmass.cli.options import (
    CATALOG_NAMES,
    NOTHING_FOUND,
    check_outputs,
    offline_option,
    output_options,
    sample_options,
)

__all__ = ["catalog"]


@click.command()
@click.argument("catalog", metavar="FILE|TAG", shell_complete=CATALOG_NAMES)
@output_options
@sample_options
@offline_option
def catalog(catalog, output, overwrite, reading):
    """Read or fetch a catalogue and write it with one set of names and units.

    \b
    Examples:
      szmass catalog psz2 --redshift 0.1 0.3 -o psz2.ecsv
      szmass catalog psz2 --redshifts upcluster-sz -o psz2.ecsv
      szmass catalog mine.fits --column msz=M500 --unit msz='1e14 solMass'
          -o mine.ecsv
    """
    from szmass._tables.files import write_table
    from szmass.catalogs import load_sample

    check_outputs(output, overwrite=overwrite, inputs=[catalog])
    sample = load_sample(catalog, **reading)
    write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
    if not len(sample):
        sys.exit(NOTHING_FOUND)
