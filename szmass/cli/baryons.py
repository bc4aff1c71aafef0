"""The command 'baryons'."""

import sys
from pathlib import Path

import click

from szmass.cli.options import (
    NOTHING_FOUND,
    OLD_FILE,
    baryon_models_option,
    check_outputs,
    column_options,
    named_option,
    split_names,
    workers_options,
)

__all__ = ["baryons"]

# What properties are called here.
_SHORT = {"mgas": "mgas500", "mstar": "mstar500", "t": "t_mw", "y": "y500"}


def _names(ctx, param, value):
    return [] if value is None else split_names(ctx, param, value)


@click.command()
@click.argument("halos", type=OLD_FILE, required=False)
@baryon_models_option(
    "A physics that predicts, such as 'tng', which 'szmass info' lists, or what --fit wrote; may "
    "be repeated."
)
@click.option("--fit", type=OLD_FILE, help="Fit a model to this table of haloes with baryons.")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    required=True,
    help="Table to write: .fits, .hdf5, .parquet, .ecsv, or .csv without units; the folder of the "
    "model with --fit.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
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
@named_option(
    "--cosmology",
    "szmass.physics.COSMOLOGIES",
    "Cosmology, where the file does not say it.",
    metavar="NAME",
)
@click.option(
    "--mass-definition",
    metavar="200c|200m|500c|vir",
    help="What masses and radii of AHF are, which its files do not say.",
)
@column_options(examples=("m500c=M500", "m500c=solMass/h", "c200c=-1"), unit=str)
@click.option(
    "--keep",
    callback=_names,
    metavar="COLUMN,...",
    help="Columns of the haloes to hand on, for instance x,y,z.",
)
@click.option("--draw", is_flag=True, help="Draw each halo from its distribution; see --seed.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of draws, or of a fit.")
@workers_options()
@click.option(
    "--targets",
    callback=_names,
    metavar="PROPERTY,...",
    help="Of --fit: what to predict, of mgas, mstar, t (t_mw), t_sl, lx, y.",
)
@click.option(
    "--features",
    default="m500c,redshift",
    callback=_names,
    metavar="COLUMN,...",
    help="Of --fit: columns of haloes to predict from.",
)
@click.option(
    "--groups", metavar="COLUMN", help="Of --fit: what is held out together, such as 'region'."
)
@click.option("--method", default="quadratic", help="Of --fit: quadratic, cubic, boosting, forest.")
@click.option("--folds", type=click.IntRange(min=2), default=10, help="Of --fit: number of folds.")
def baryons(halos, fit, output, models, targets, features, groups, method, folds, **others):
    """Predict gas, stars and X-rays of the haloes of a catalogue, or fit a model.

    HALOS is a file of Rockstar (out_128.list), consistent-trees (hlist_1.00000.list), their
    HDF5, AHF (..._halos), or a table in FITS, HDF5, Parquet, ECSV, VOTable or CSV. The output has
    one row per halo: each property with the scatter down and up, and flags. Files of
    any length are read, predicted and written in pieces.

    \b
    Examples:
      szmass baryons out_128.list --model tng -o baryons.fits
      szmass baryons x.z0.000.AHF_halos --mass-definition 200c --h 0.678
          --cosmology TheThreeHundred --model the300-gizmo --model tng
          -o baryons.fits
      szmass baryons mine.fits --column m500c=M500 --unit m500c=solMass/h
          --h 0.7 --redshift 0.3 --model flamingo -o baryons.ecsv
      szmass baryons --fit mine.fits --targets mgas,mstar --groups region
          --cosmology TheThreeHundred -o mymodel
    """
    if (halos is None) == (fit is None):
        raise click.UsageError("give either HALOS, to predict, or --fit, to fit a model to a table")
    if fit:
        if models:
            raise click.UsageError("--model is for predictions: leave it or --fit out")
        _fit(fit, output, targets, features, groups, method, folds, **others)
        return
    if targets or groups:
        raise click.UsageError("--targets and --groups are for --fit")
    if not models:
        raise click.UsageError("Missing option '--model'. 'szmass info' lists them.")
    _predict(halos, output, models, **others)


def _predict(halos, output, models, overwrite, draw, seed, **others):
    from szmass.baryons import predict_in_pieces
    from szmass.physics import BARYON_MODELS, RegressedBaryonModel

    check_outputs(output, overwrite=overwrite, inputs=[halos], pieces=True)
    models = [
        name
        if name in BARYON_MODELS or not Path(name).is_dir()
        else RegressedBaryonModel.read(name)
        for name in models
    ]
    told = predict_in_pieces(
        halos, models, output, draw=draw, seed=seed if draw else None, overwrite=overwrite, **others
    )
    click.echo(f"{told.pop('haloes')} haloes written to {output}")
    predicted = 0
    for name, counts in told.items():
        flags = ", ".join(f"{count} {flag}" for flag, count in counts["flags"].items() if count)
        flags = f"; flags: {flags}" if flags else ""
        click.echo(f"  {name}: {counts['predicted']} predicted{flags}")
        predicted += counts["predicted"]
    if not predicted:
        sys.exit(NOTHING_FOUND)


def _fit(
    path, output, targets, features, groups, method, folds, overwrite, hosts_only, cosmology, keep,
    draw, seed, workers, scheduler, **reading,
):  # fmt: skip
    from szmass._io.files import check_output_folder
    from szmass.baryons import HaloCatalog, fit_baryon_model

    if not targets:
        raise click.UsageError("--fit needs --targets, for instance mgas,mstar")
    if cosmology is None:
        raise click.UsageError("--fit needs --cosmology, that of the simulation")
    check_output_folder(output, overwrite=overwrite)
    also = [] if groups is None else [groups]
    halos = HaloCatalog.read(path, cosmology=cosmology, also=also, **reading)
    halos = halos.hosts if hosts_only else halos
    model = fit_baryon_model(
        halos, [_SHORT.get(name, name) for name in targets], features, groups=groups,
        method=method, folds=folds, seed=seed, cosmology=cosmology, name=Path(output).name,
    )  # fmt: skip
    model.write(output, overwrite=overwrite)
    card = model.card
    click.echo(f"Model written to {output}: {card['rows']} haloes in {card['groups']} groups")
    for name, scatter in zip(model.properties, model.cross_validation.scatter, strict=True):
        click.echo(f"  {name}: scatter of ln in held-out groups {scatter:.4f}")
