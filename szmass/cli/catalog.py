"""The command 'catalog'."""

import click

from szmass.cli.options import (
    column_options,
    offline_option,
    output_options,
    read_sample,
    redshift_option,
)

__all__ = ["catalog"]


@click.command()
@click.argument("catalog", metavar="FILE|TAG")
@output_options
@redshift_option
@column_options()
@offline_option
def catalog(catalog, output, overwrite, redshift, columns, units, missing):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._io.tables import table_format, write_table

    table_format(output)
    sample = read_sample(catalog, redshift, columns, units, missing)
    write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
