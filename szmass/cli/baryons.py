"""The command 'baryons'."""

import sys

import click

from szmass.cli.options import (
    NOTHING_FOUND,
    OLD_FILE,
    check_outputs,
    column_options,
    split_names,
)

__all__ = ["baryons"]


@click.command()
@click.argument("halos", type=OLD_FILE)
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A physics that predicts, such as 'tng'; may be repeated. 'szmass info' lists them.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    required=True,
    help="Table to write: .fits, .hdf5, .parquet, .ecsv, or .csv without units.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
@click.option(
    "--hosts-only/--all",
    default=False,
    help="Leave out haloes that lie in larger ones; otherwise they have the flag SUBHALO.",
)
@click.option("--format", help="Format of the haloes, where the content does not tell it.")
@click.option(
    "--h", type=float, help="H0 / (100 km/s/Mpc), where units have it and the file does not say it."
)
@click.option("--redshift", type=float, help="Redshift of all haloes, if the file does not say it.")
@click.option("--cosmology", metavar="NAME", help="Cosmology, where the file does not say it.")
@click.option(
    "--mass-definition",
    metavar="200c|200m|500c|vir",
    help="What masses and radii of AHF are, which its files do not say.",
)
@column_options(examples=("m500c=M500", "m500c=solMass/h", "c200c=-1"), unit=str)
@click.option(
    "--keep", callback=lambda *a: split_names(*a) if a[2] else [], metavar="COLUMN,...",
    help="Columns of the haloes to hand on, for instance x,y,z.",
)  # fmt: skip
@click.option("--draw", is_flag=True, help="Draw each halo from its distribution; see --seed.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the draws.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Number of processes, of one thread each."
)
@click.option("--scheduler", help="Address of a Dask scheduler, instead of --workers.")
def baryons(
    halos, models, output, overwrite, hosts_only, keep, draw, seed, workers, scheduler, columns,
    units, missing, **reading,
):  # fmt: skip
    """Predict gas, stars and X-rays of the haloes of a catalogue.

    HALOS is a file of Rockstar (out_*.list), consistent-trees (hlist_*.list), their
    HDF5, AHF (*_halos), or a table in FITS, HDF5, Parquet, ECSV, VOTable or CSV. The output has
    one row per halo: each property with the scatter down and up, and flags. Files of
    any length are read, predicted and written in pieces.

    \b
    szmass baryons out_128.list --model tng -o baryons.fits
    szmass baryons x.z0.000.AHF_halos --mass-definition 200c --h 0.678 \\
        --cosmology TheThreeHundred --model tng --model flamingo -o baryons.fits
    szmass baryons mine.fits --column m500c=M500 --unit m500c=solMass/h \\
        --h 0.7 --redshift 0.3 --model flamingo -o baryons.ecsv
    """
    from szmass.baryons import predict_in_pieces

    check_outputs(output, overwrite=overwrite, inputs=[halos], pieces=True)
    told = predict_in_pieces(
        halos, models, output, hosts_only=hosts_only, keep=keep, draw=draw,
        seed=seed if draw else None, workers=workers, scheduler=scheduler, overwrite=overwrite,
        columns=columns, units=units, missing=missing, **reading,
    )  # fmt: skip
    click.echo(f"{told.pop('haloes')} haloes written to {output}")
    predicted = 0
    for name, counts in told.items():
        flags = ", ".join(f"{count} {flag}" for flag, count in counts["flags"].items() if count)
        flags = f"; flags: {flags}" if flags else ""
        click.echo(f"  {name}: {counts['predicted']} predicted{flags}")
        predicted += counts["predicted"]
    if not predicted:
        sys.exit(NOTHING_FOUND)
