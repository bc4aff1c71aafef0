"""The command 'catalog'."""

import click

from szmass.cli.options import (
    column_options,
    offline_mode,
    offline_option,
    output_option,
    overwrite_option,
    read_sample,
    redshift_option,
    warnings_as_lines,
)

__all__ = ["catalog"]


@click.command()
@click.argument("catalog", metavar="FILE|TAG")
@output_option
@overwrite_option
@redshift_option
@column_options()
@offline_option
def catalog(catalog, output, overwrite, redshift, columns, units, missing, offline):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._io.tables import table_format, write_table

    table_format(output)
    with warnings_as_lines(), offline_mode(offline):
        sample = read_sample(catalog, redshift, columns, units, missing)
        write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
