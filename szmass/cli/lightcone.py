"""The command 'lightcone'."""

import json
from pathlib import Path

import click

from szmass.cli.options import (
    OLD_FILE,
    OLD_FOLDER,
    baryon_models_option,
    named_option,
    range_option,
    workers_options,
)

__all__ = ["lightcone"]

# What tells that a folder was written by this command.
_RECORD = "lightcone.json"
_EDGES = (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5)


@click.command()
@baryon_models_option(
    "Physics of the gas, which 'szmass info' lists, or what 'szmass baryons --fit' wrote; may be "
    "repeated, for several side by side.",
    required=True,
)
@click.option("--area", type=float, help="Area [deg2]; by default the whole sky.")
@click.option("--nside", default=2048, help="Resolution of the map; 0 for none.")
@click.option("--beam", default="10 arcmin", help="FWHM of the map's beam.")
@click.option(
    "--halos",
    type=OLD_FILE,
    help="Haloes of your own with ra and dec, instead of the mass function; needs --area.",
)
@range_option("--mass", "M500c to draw [solMass].  [default: 1e14 5e15]")
@range_option("--redshift", "Redshifts to draw.  [default: 0.01 1.5]")
@named_option(
    "--cosmology", "szmass.physics.COSMOLOGIES", "Name of the cosmology.", default="Planck18"
)
@named_option(
    "--gas",
    "szmass.simulations.CLUSTER_MODELS",
    "Cluster model with the pressure profile.",
    default="a10-spheres",
)
@click.option(
    "--one-minus-b", type=float, help="1-b of that profile, where the physics has no Y500 itself."
)
@click.option("--flux-limit", default=3e-12, help="Of the X-ray catalogue [erg/s/cm2].")
@click.option("--band", nargs=2, type=float, default=(0.1, 2.4), help="X-ray band observed [keV].")
@click.option(
    "--mmf-noise",
    type=OLD_FOLDER,
    help="Folder with Planck's noise table, for SZ counts.",
)
@click.option("--q-cut", default=6.0, help="Lowest signal-to-noise ratio of SZ counts.")
@click.option(
    "--variance",
    type=click.Choice(["linear", "jackknife"]),
    help="Sample variance.  [default: jackknife with --halos, else linear]",
)
@click.option("--seed", default=0, help="The same seed gives the same files.")
@workers_options("Number of processes.", default=1)
@click.option("--overwrite", is_flag=True, help="Replace a light cone that is in the folder.")
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder to write.")
def lightcone(models, output, overwrite, **options):
    """Make skies of haloes: a Compton-y map, an X-ray catalogue and counts for each physics.

    \b
    Examples:
      szmass lightcone --model tng -o sky
      szmass lightcone --model tng --model flamingo --area 100 --nside 0
          --mass 5e13 5e15 --redshift 0.1 1 --seed 3 -o patch
      szmass lightcone --model tng --halos mine.fits --area 50 -o mine
    """
    from szmass._io.files import output_folder
    from szmass.physics import BARYON_MODELS, RegressedBaryonModel

    # What would come up after minutes of work.
    nside, limit = options["nside"], options["flux_limit"]
    if nside < 0 or nside & (nside - 1):
        raise click.UsageError(f"--nside must be a power of two, or 0 for no map, not {nside}")
    if not 0 < limit < float("inf"):
        raise click.UsageError(f"--flux-limit must be positive, in erg/s/cm2, not {limit:g}")
    models = [
        BARYON_MODELS[name]
        if name in BARYON_MODELS or not Path(name).is_dir()
        else RegressedBaryonModel.read(name)
        for name in dict.fromkeys(models)
    ]
    halos = _halos(options)
    with output_folder(output, overwrite=overwrite, marker=_RECORD) as folder:
        told = _write(folder, models, halos, options)
        files = sorted(path.name for path in folder.iterdir())
        record = {"files": [*files, _RECORD], "models": [model.name for model in models], **options}
        (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n")
    for line in told:
        click.echo(line)
    click.echo(f"{len(files)} files in {output}")


def _halos(options):
    """Draw haloes, or read them; the same for every physics."""
    import astropy.units as u

    from szmass.baryons import HaloCatalog, draw_halos

    area = None if options["area"] is None else options["area"] * u.deg**2
    limits = {}
    if options["mass"]:
        limits["mass"] = options["mass"] * u.solMass
    if options["redshift"]:
        limits["redshift"] = options["redshift"]
    if options["halos"] is None:
        cosmology, seed = options["cosmology"], options["seed"]
        return draw_halos(area=area, cosmology=cosmology, seed=seed, **limits)
    if limits:
        raise click.UsageError("--mass and --redshift are for haloes that are drawn")
    if area is None:
        raise click.UsageError("--halos needs --area, the part of the sky that they are from")
    halos = HaloCatalog.read(options["halos"])
    halos.meta["area_deg2"] = options["area"]
    return halos


def _write(folder, models, halos, options):
    """Write what belongs to each physics, and the counts of all; give lines to print."""
    import dataclasses

    import astropy.units as u

    from szmass._tables.files import write_table
    from szmass.baryons import make_lightcone
    from szmass.physics import CoolingFunction
    from szmass.simulations import SZSelection, get_cluster_model, write_sky

    gas = get_cluster_model(options["gas"])
    if options["one_minus_b"] is not None:
        gas = dataclasses.replace(gas, one_minus_b=options["one_minus_b"])
    shared = {name: options[name] for name in ("workers", "scheduler")}
    limit = options["flux_limit"] * u.erg / u.s / u.cm**2
    selection = None
    if options["mmf_noise"]:
        selection = SZSelection(options["mmf_noise"], q_cut=options["q_cut"])
    variance = options["variance"] or ("jackknife" if options["halos"] else "linear")
    counts, told = {}, []
    for model in models:
        cone = make_lightcone(
            model,
            halos,
            gas=gas,
            cooling=CoolingFunction(band=options["band"] * u.keV),
            cosmology=options["cosmology"],
            seed=options["seed"],
            **shared,
        )
        told.append(f"{model.name}: {len(cone)} haloes in {cone.area.to_value('deg2'):.0f} deg2")
        if "flux" in cone.table.colnames:
            bright = cone.above_flux(limit)
            write_table(bright.table, folder / f"xray_{model.name}.fits")
            _count(counts, "flux", cone, cone.table["flux"], limit, variance)
            told.append(f"  {len(bright)} above {limit:g}")
        else:
            told.append(f"  {cone.table.meta['xray']}")
        if selection is not None:
            snr = cone.observed_snr(selection)
            found = cone[snr > selection.q_cut]
            found.table["snr"] = snr[snr > selection.q_cut]
            write_table(found.table, folder / f"sz_{model.name}.fits")
            _count(counts, "snr", cone, snr, selection.q_cut, variance)
            told.append(f"  {len(found)} with S/N above {selection.q_cut:g}")
        told.append(f"  Y500: {cone.table.meta['y500']}")
        # What takes longest comes last.
        if options["nside"]:
            ymap = cone.ymap(nside=options["nside"], beam=options["beam"], **shared)
            write_sky(ymap, folder / f"ymap_{model.name}.fits")
            _draw(folder / f"ymap_{model.name}.png", "plot_sky", ymap)
    for name, tables in counts.items():
        write_table(_stacked(tables), folder / f"counts_{name}.ecsv")
        _draw(folder / f"counts_{name}.png", "plot_counts", tables)
    return told


def _count(counts, name, cone, values, lowest, variance):
    """Add N(>S) and dN/dz of one physics to the tables."""
    import warnings

    import numpy as np

    from szmass.baryons import cumulative_counts, redshift_counts
    from szmass.exceptions import SzmassWarning

    thresholds = lowest * 10 ** np.arange(0, 1.55, 0.1)
    table = cumulative_counts(cone, values, thresholds, variance=variance)
    table.meta["quantity"] = name
    near = table.meta.get("near_lowest_mass", 0)
    if near > 0.05:
        warnings.warn(
            f"{near:.0%} of the haloes of {cone.physics} that count in {name} have masses near the "
            "lowest that was drawn: lighter ones are missing. Draw from a lower mass.",
            SzmassWarning,
            stacklevel=2,
        )
    counts.setdefault(name, {})[cone.physics] = table
    by_redshift = redshift_counts(cone, _EDGES, where=values > lowest, variance=variance)
    by_redshift.meta["quantity"] = f"redshift, {name} above {lowest:g}"
    counts.setdefault(f"redshift_{name}", {})[cone.physics] = by_redshift


def _stacked(tables):
    """Join tables of several physics, with their names as a column."""
    from astropy.table import vstack

    parts, meta = [], {}
    for physics, table in tables.items():
        part = table.copy()
        for name, value in table.meta.items():
            same = all(other.meta.get(name) == value for other in tables.values())
            meta[name if same else f"{name} of {physics}"] = value
        part.add_column([physics] * len(part), name="physics", index=0)
        part.meta = {}
        parts.append(part)
    stacked = vstack(parts)
    stacked.meta = {k: v for k, v in meta.items() if not k.startswith("physics of ")}
    stacked.meta["physics"] = list(tables)
    return stacked


def _draw(path, plot, *arguments):
    """Write a picture, where matplotlib is there."""
    from szmass import plots
    from szmass.exceptions import MissingDependencyError
    from szmass.plots.style import new_figure

    try:
        figure = new_figure(None, (8.4, 4.8) if plot == "plot_sky" else (5.6, 4.4))
    except MissingDependencyError as err:
        click.echo(f"No {path.name}: {err}", err=True)
        return
    getattr(plots, plot)(*arguments, ax=figure.add_subplot())
    figure.savefig(path, dpi=150)
