"""The command 'catalog'."""

import sys

import click

from szmass.cli.options import (
    NOTHING_FOUND,
    check_outputs,
    offline_option,
    output_options,
    sample_options,
)

__all__ = ["catalog"]


@click.command()
@click.argument("catalog", metavar="FILE|TAG")
@output_options
@sample_options
@offline_option
def catalog(catalog, output, overwrite, reading):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._tables.files import write_table
    from szmass.catalogs import load_sample

    check_outputs(output, overwrite=overwrite, inputs=[catalog])
    sample = load_sample(catalog, **reading)
    write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
    if not len(sample):
        sys.exit(NOTHING_FOUND)
