"""The command 'catalog'."""

import click

from szmass.cli.options import (
    column_options,
    offline_mode,
    offline_option,
    output_option,
    overwrite_option,
    read_table_options,
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
    from szmass.catalogs import load_sample

    table_format(output)
    table_options = read_table_options(columns, units, missing)
    with warnings_as_lines(), offline_mode(offline):
        sample = load_sample(
            catalog,
            redshift=redshift or None,
            redshift_column=table_options.pop("redshift", None),
            **table_options,
        )
        write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
