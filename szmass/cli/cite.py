"""The command 'cite'."""

from pathlib import Path

import click

from szmass.cli.options import completer

__all__ = ["cite"]


_NAMES = completer(
    *("szmass.estimators.ESTIMATORS", "szmass.catalogs.CATALOGS", "szmass.maps.MAP_PRODUCTS"),
    "szmass.physics.SCALING_RELATIONS",
    files=True,
)


@click.command()
@click.argument("what", nargs=-1, metavar="[FILE|NAME]...", shell_complete=_NAMES)
def cite(what):
    """Print the BibTeX of what to cite.

    For tables and data sets that szmass wrote, or by the name of an estimator, a catalogue, a map,
    a relation, a package; without any, szmass itself.

    \b
    Examples:
      szmass cite
      szmass cite masses.ecsv > masses.bib
      szmass cite likelihood psz2 milca
    """
    from szmass.citations import cite as bibtex_of

    click.echo(bibtex_of(*map(_opened, what)), nl=False)


def _opened(name):
    """What a name of a file or a folder means; other names as they are."""
    from szmass._tables.files import read_table
    from szmass.simulations import SimulationDataset

    if _is_file(name):
        return read_table(name)
    return SimulationDataset.open(name, partial=True) if Path(name).is_dir() else name


def _is_file(name):
    """Whether a file is meant; names of other things have no suffix, or no file."""
    from szmass._tables.forms import TABLE_FORMATS, plain_name

    suffix = Path(plain_name(name)).suffix.lower()
    return suffix in TABLE_FORMATS or (suffix and Path(name).is_file())
