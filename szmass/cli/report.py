"""The command 'report'."""

import os

import click

from szmass.cli.options import (
    map_options,
    offline_mode,
    offline_option,
    warnings_as_lines,
)

__all__ = ["report"]


@click.command()
@click.argument("masses", metavar="MASSES", type=click.Path(dir_okay=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False),
    help="Folder to write; an earlier report in it is replaced.",
)
@click.option(
    "--catalog",
    metavar="FILE|TAG",
    help="Catalogue of the same clusters, for columns that the table lacks, such as S/N.",
)
@click.option(
    "--cutouts",
    "cutouts_path",
    type=click.Path(dir_okay=False),
    help="Cutouts as CutoutStack.write leaves them.",
)
@click.option(
    "--map", "map_path", metavar="FILE|NAME", help="Map to take cutouts from, as in 'estimate'."
)
@map_options
@click.option(
    "--posteriors",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Posteriors that 'estimate' wrote; may be repeated.",
)
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
    show_default=True,
    help="So many clusters have a page and a picture.",
)
@click.option("--figures/--no-figures", default=True, help="Whether to draw figures.")
@offline_option
def report(
    masses, output, catalog, cutouts_path, map_path, map_column, ordering, frame, beam,
    posteriors, reference, one_minus_b, title, max_pages, figures, offline,
):  # fmt: skip
    """Write pages about a table of masses that open in a browser without a network.

    Statistics, figures, a table of clusters to sort and search, and a page per cluster.
    """
    from szmass.catalogs import load_sample
    from szmass.maps import CutoutStack, open_map
    from szmass.report import write_report
    from szmass.results import LogMassPosterior, read_masses

    if cutouts_path and map_path:
        raise click.UsageError("give --cutouts or --map, not both")
    inputs = {"table": masses, "catalogue": catalog, "cutouts": cutouts_path, "map": map_path}
    with warnings_as_lines(), offline_mode(offline):
        table = read_masses(masses)
        options = {"title": title} if title else {}
        if catalog:
            options["sample"] = load_sample(catalog)
        if cutouts_path:
            options["cutouts"] = CutoutStack.read(cutouts_path)
        if map_path:
            options["ymap"] = open_map(
                map_path, column=map_column, ordering=ordering, frame=frame, beam=beam
            )
        for file in posteriors:
            posterior = LogMassPosterior.read(file)
            method = str(posterior.meta.get("method", os.path.basename(file)))
            options.setdefault("posteriors", {})[method] = posterior
            inputs[f"posteriors of {method}"] = file
        page = write_report(
            table,
            output,
            reference=reference,
            one_minus_b=one_minus_b,
            max_pages=max_pages,
            figures=figures,
            inputs={what: file for what, file in inputs.items() if file and os.path.isfile(file)},
            **options,
        )
    click.echo(f"Report on {len(table)} clusters: open {page}")
