"""The command 'report'."""

import os

import click

from szmass.cli.options import (
    CATALOG_NAMES,
    FILE,
    FOLDER,
    map_options,
    offline_option,
    read_stdin,
)

__all__ = ["report"]


@click.command()
@click.argument("masses", metavar="MASSES", type=FILE)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FOLDER,
    help="Folder to write; an earlier report in it is replaced.",
)
@click.option(
    "--catalog",
    callback=read_stdin,
    metavar="FILE|TAG",
    shell_complete=CATALOG_NAMES,
    help="Catalogue of the same clusters, for columns that the table lacks, such as S/N.",
)
@click.option(
    "--cutouts", "cutouts_path", type=FILE, help="Cutouts as CutoutStack.write leaves them."
)
@map_options("Map to take cutouts from, as in 'estimate'.")
@click.option(
    "--posteriors",
    multiple=True,
    type=FILE,
    help="Posteriors that 'estimate' wrote; may be repeated.",
)
@click.option("--mass-maps", "maps_path", type=FILE, help="Maps that 'massmap' wrote.")
@click.option(
    "--reference",
    metavar="METHOD",
    help="What the others are compared with.  [default: the truth, else msz, else the first]",
)
@click.option(
    "--one-minus-b", type=float, metavar="X", help="Bring masses of another 1-b to this one."
)
@click.option("--title", help="Title of the report.")
@click.option(
    "--max-pages",
    type=click.IntRange(0),
    default=2000,
    help="So many clusters have a page and a picture.",
)
@click.option("--figures/--no-figures", default=True, help="Whether to draw figures.")
@offline_option
def report(
    masses, output, catalog, cutouts_path, ymap, posteriors, maps_path, title, **options
):  # fmt: skip
    """Write pages about a table of masses that open in a browser without a network.

    Statistics, figures, a table of clusters to sort and search, and a page per cluster.

    \b
    Examples:
      szmass report masses.ecsv -o report
      szmass report masses.ecsv --catalog psz2 --map milca
          --posteriors posteriors.fits --reference msz -o report
      szmass report masses.ecsv --no-figures --max-pages 0 -o short
    """
    from szmass.catalogs import load_sample
    from szmass.maps import CutoutStack, open_map
    from szmass.massmaps import MassMapStack
    from szmass.report import check_folder, write_report
    from szmass.results import LogMassPosterior, read_masses

    if cutouts_path and ymap:
        raise click.UsageError("give --cutouts or --map, not both")
    inputs = {
        "table": masses,
        "catalogue": catalog,
        "cutouts": cutouts_path,
        "map": ymap and ymap["source"],
        "mass maps": maps_path,
    }
    check_folder(output)
    table = read_masses(masses)
    if catalog:
        options["sample"] = load_sample(catalog)
    if cutouts_path:
        options["cutouts"] = CutoutStack.read(cutouts_path)
    if ymap:
        options["ymap"], inputs["map"] = open_map(**ymap), ymap["source"]
    if title:
        options["title"] = title
    if maps_path:
        options["mass_maps"] = MassMapStack.read(maps_path)
    for file in posteriors:
        posterior = LogMassPosterior.read(file)
        method = str(posterior.meta.get("method", os.path.basename(file)))
        options.setdefault("posteriors", {})[method] = posterior
        inputs[f"posteriors of {method}"] = file
    inputs = {what: file for what, file in inputs.items() if file and os.path.isfile(file)}
    page = write_report(table, output, inputs=inputs, **options)
    click.echo(f"Report on {len(table)} clusters: open {page}")
