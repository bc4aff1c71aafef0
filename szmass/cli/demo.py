"""The command 'demo'."""

import os
import shlex

import click

from szmass.cli.options import FOLDER

__all__ = ["demo"]


@click.command()
@click.option(
    "--folder", type=FOLDER, default="demo", help="Where to write tables, map and pictures."
)
@click.option("--nside", default=2048, help="Resolution of the map: 512, 1024, 2048, ...")
@click.option("--clusters", default=1094, help="At most so many of the detected clusters.")
@click.option("--seed", default=1, help="Seed of everything.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Write into a folder that is not empty: catalog.ecsv, compton_y.fits, masses.ecsv, "
    "summary.txt and the pictures are replaced, whoever wrote them; other files stay.",
)
def demo(folder, **options):
    """Simulate a survey, weigh its clusters, compare with the truth.

    Nothing is downloaded. The pictures need matplotlib.

    \b
    Examples:
      szmass demo
      szmass demo --folder small --nside 512 --clusters 200
    """
    from szmass.demo import run_demo

    click.echo(run_demo(folder, **options).summary())
    click.echo(f"\nCatalogue, map, masses and pictures are in {folder}")
    files = [
        os.path.join(folder, name) for name in ("masses.ecsv", "catalog.ecsv", "compton_y.fits")
    ]
    masses, catalog, ymap, report = map(shlex.quote, [*files, os.path.join(folder, "report")])
    click.echo(
        "Next, pages of all clusters to open in a browser:\n"
        f"  szmass report {masses} --catalog {catalog} --map {ymap} -o {report}"
    )
