"""The command 'catalog'."""

import click

from szmass.cli.options import offline_option, output_options, sample_options

__all__ = ["catalog"]


@click.command()
@click.argument("catalog", metavar="FILE|TAG")
@output_options
@sample_options
@offline_option
def catalog(catalog, output, overwrite, reading):
    """Read or fetch a catalogue and write it with one set of names and units."""
    from szmass._io.tables import table_format, write_table
    from szmass.catalogs import load_sample

    table_format(output)
    sample = load_sample(catalog, **reading)
    write_table(sample.table, output, overwrite=overwrite)
    click.echo(f"{len(sample)} clusters written to {output}")
