"""The command 'demo'."""

import click

from szmass.cli.options import (
    warnings_as_lines,
)

__all__ = ["demo"]


@click.command()
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
