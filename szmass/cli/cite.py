"""The command 'cite'."""

from pathlib import Path

import click

__all__ = ["cite"]


@click.command()
@click.argument("what", nargs=-1, metavar="[FILE|NAME]...")
def cite(what):
    """Print the BibTeX of what to cite.

    For tables that szmass wrote, or by the name of an estimator, a catalogue, a map, a relation, a
    package; without any, szmass itself.
    """
    from szmass._tables.files import read_table
    from szmass._tables.forms import TABLE_FORMATS, plain_name
    from szmass.citations import cite as bibtex_of

    found = [
        read_table(name) if Path(plain_name(name)).suffix.lower() in TABLE_FORMATS else name
        for name in what
    ]
    click.echo(bibtex_of(*found), nl=False)
