"""The commands 'state' and 'massmap': what else maps tell of clusters."""

import contextlib
import sys
from pathlib import Path

import click

from szmass.cli.options import (
    FILE,
    NOTHING_FOUND,
    catalog_option,
    check_files,
    check_outputs,
    interpolation_option,
    map_options,
    named_option,
    noise_option,
    offline_option,
    output_options,
    sample_options,
    settings_of,
    state_noise,
)

__all__ = ["massmap", "state"]

_AT_A_TIME = 2048

_name_option = click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="This cluster of the catalogue alone; may be repeated.",
)


@click.command()
@catalog_option("name, position, redshift and mass", required=True)
@_name_option
@map_options(
    "Compton-y map: HEALPix, a FITS image with a celestial WCS, or a name of 'szmass fetch'."
)
@named_option(
    "--estimator",
    "szmass.morphology.STATE_ESTIMATORS",
    "What to tell with: see 'szmass info'.",
    default="morphology",
    metavar="TAG",
)
@settings_of("morphology.fits=resolved")
@named_option(
    "--definition",
    "szmass.physics.DYNAMICAL_STATES",
    "Definition of the state.  [default: that of the estimator, deluca2021]",
    metavar="NAME",
)
@click.option(
    "--masses",
    type=FILE,
    help="Table of masses of the same clusters, as 'estimate' writes: OUTPUT is this table with "
    "the columns of the state.",
)
@click.option(
    "--xray",
    multiple=True,
    metavar="FILE|FOLDER|PATTERN",
    help="X-ray images, counts in FITS images by the names of the clusters: files, a folder of "
    "them, or a path with {name} in it; may be repeated.",
)
@click.option(
    "--xray-exposure",
    multiple=True,
    metavar="FILE|FOLDER|PATTERN",
    help="Exposure maps of these images, by name as well.",
)
@click.option(
    "--xray-background",
    multiple=True,
    metavar="NUMBER|FILE|FOLDER|PATTERN",
    help="Background of these images, in counts of a pixel: a number, or maps by name.",
)
@output_options
@interpolation_option()
@noise_option
@sample_options
@offline_option
def state(
    catalog, names, ymap, estimator, options, definition, masses, xray, xray_exposure,
    xray_background, output, overwrite, reading, interpolation, noise,
):  # fmt: skip
    """Tell the dynamical state of the clusters of a catalogue: relaxed or disturbed.

    The table has one row per cluster: log10 chi with its 68 % interval, the
    probability of being relaxed, what it is without the map (the prior), and
    a flag. Where noise hides the cluster the result is the prior, and the
    flag says so.

    \b
    Examples:
      szmass state --catalog psz2 --map milca -o states.ecsv
      szmass state --catalog psz2 --name 'Abell 2142' --map milca -o a2142.ecsv
      szmass state --catalog mine.fits --map y.fits --beam '20 arcsec'
          --noise empty-fields --set morphology.fits=resolved
          --set morphology.one_minus_b=1.0 -o states.ecsv
      szmass state --catalog psz2 --map milca --masses masses.ecsv
          --definition cui2018 -o masses-with-states.ecsv
      szmass state --catalog mine.fits --map y.fits --beam '20 arcsec'
          --noise empty-fields --estimator cnn --set cnn.networks=resolved
          --xray images/ --xray-exposure 'exposures/{name}_exp.fits'
          -o states.ecsv
    """
    import numpy as np
    from astropy.table import vstack

    from szmass._tables.files import write_table
    from szmass.catalogs import load_sample
    from szmass.maps import open_map
    from szmass.morphology import (
        StateFlag,
        add_states,
        get_state_estimator,
        read_xray_images,
    )
    from szmass.results import read_masses

    if unused := sorted(set(options) - {estimator}):
        raise click.UsageError(f"--set names {unused[0]!r}, and the estimator is {estimator!r}")
    if not ymap:
        raise click.UsageError("--map is missing: states are told from a map")
    given = options.get(estimator, {}) | ({"definition": definition} if definition else {})
    chosen = get_state_estimator(estimator, **given)
    check_outputs(output, overwrite=overwrite, inputs=[catalog, noise, ymap["source"], masses])
    if xray and "X" not in getattr(chosen, "bands", ("X",)):
        raise click.UsageError(
            f"--xray is given, and {chosen!r} knows y-maps alone: take others by --set"
        )
    if (xray_exposure or xray_background) and not xray:
        raise click.UsageError("--xray-exposure and --xray-background need --xray")
    table = read_masses(masses) if masses else None
    sample = load_sample(catalog, **reading)
    if names:
        sample = sample[list(names)]
    xrays = None
    if xray:
        xrays = read_xray_images(
            _by_name(xray, sample.names, "--xray"),
            sample,
            chosen.geometry,
            exposure=_by_name(xray_exposure, sample.names, "--xray-exposure"),
            background=_level_or_maps(xray_background, sample.names),
        )
    ymap = open_map(**ymap)
    state_noise(ymap, noise, sample.coord)
    parts = []
    for start in range(0, max(len(sample), 1), _AT_A_TIME):
        part = sample[start : start + _AT_A_TIME]
        part.attach_cutouts(ymap, interpolation=interpolation, geometry=chosen.geometry)
        if xrays is not None:
            part.fields["xray"] = xrays[start : start + _AT_A_TIME]
        parts.append(chosen.predict(part))
    states = vstack(parts, metadata_conflicts="silent") if len(parts) > 1 else parts[0]
    write_table(states if table is None else add_states(table, states), output, overwrite=overwrite)
    click.echo(f"{len(states if table is None else table)} clusters written to {output}")
    told, flags = np.isfinite(states["log_chi"]), np.asarray(states["flag"])
    counts = {bit.name: np.count_nonzero(flags & bit) for bit in StateFlag}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    click.echo(f"  {chosen.tag}: {told.sum()} told" + (f"; flags: {words}" if words else ""))
    if not told.any():
        sys.exit(NOTHING_FOUND)
    mean, prior = (np.mean(states[name][told]) for name in ("p_relaxed", "p_prior"))
    click.echo(
        f"  mean P(relaxed) {mean:.2f}, without the map {prior:.2f} (by {chosen.definition})"
    )


_SUFFIXES = (".fits", ".fit", ".fts", ".img", ".fits.gz", ".fit.gz", ".img.gz", ".fits.fz")


def _by_name(given, names, flag):
    """Files by the names of clusters: those given, those of folders, and those of patterns."""
    from szmass._utils.names import rows_by_name

    found = {}
    for text in given:
        if "{name}" in text:
            paths = {str(name): Path(text.replace("{name}", str(name))) for name in names}
            paths = {name: path for name, path in paths.items() if path.is_file()}
        else:
            folder = Path(text)
            files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
            files = [file for file in files if file.name.lower().endswith(_SUFFIXES)]
            rows = rows_by_name([_stem(file) for file in files], names)
            paths = {str(names[row]): f for row, f in zip(rows, files, strict=True) if row >= 0}
        if not paths:
            raise click.UsageError(f"{flag} {text}: no FITS image there is named as a cluster is")
        found |= paths
    return found


def _stem(file):
    name = file.name
    return name[: next(len(name) - len(s) for s in _SUFFIXES if name.lower().endswith(s))]


def _level_or_maps(given, names):
    """A number, or files by name."""
    if len(given) == 1:
        with contextlib.suppress(ValueError):
            return float(given[0])
    return _by_name(given, names, "--xray-background") or None


@click.command()
@catalog_option("name, position and redshift", required=True)
@map_options(
    "Compton-y map: HEALPix, a FITS image with a celestial WCS, or a name of 'szmass fetch'."
)
@_name_option
@click.option(
    "--estimator", default="nfw", metavar="TAG", help="What to map with: see 'szmass info'."
)
@click.option(
    "--masses",
    default="likelihood",
    metavar="TAG|FILE",
    help="A mass estimator, or a file that LogMassPosterior.write wrote.",
)
@click.option("--one-minus-b", type=float, help="Bring masses of a known 1-b to this one, as 0.8.")
@settings_of("nfw.sigma_lnc=0.2")
@click.option("--fields", type=FILE, metavar="FILE",
              help="X-rays and galaxies of the clusters, as write_fields writes them.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="FITS to write: a map with its WCS for one --name, else all of them.",
)
@click.option("--picture", type=FILE, help="Picture of the first map to write: .png, .pdf, ...")
@click.option("--overwrite", is_flag=True, help="Replace existing output files.")
@interpolation_option()
@noise_option
@sample_options
@offline_option
def massmap(
    catalog, ymap, names, estimator, masses, one_minus_b, options, fields, output, picture,
    overwrite, interpolation, noise, reading,
):  # fmt: skip
    """Map the projected total mass of the clusters of a catalogue.

    Maps are means of what the mass may be, with standard deviations, under
    the simulator of szmass: 'nfw' knows the mass alone, 'unet' looks at
    resolved maps as well. Masses should be on the true scale: see
    --one-minus-b.

    \b
    Examples:
      szmass massmap --catalog psz2 --map milca --name 'PSZ2 G057.80+88.00'
          --one-minus-b 0.8 -o coma.fits --picture coma.png
      szmass massmap --catalog mine.fits --map y.fits --beam '1.6 arcmin'
          --noise empty-fields --estimator unet -o maps.fits
    """
    import numpy as np

    from szmass._io.files import atomic_path
    from szmass.catalogs import load_sample
    from szmass.maps import open_map
    from szmass.massmaps import MassMapFlag, get_map_estimator

    if unused := sorted(set(options) - {estimator}):
        raise click.UsageError(f"--set names {unused[0]!r}, and the estimator is {estimator!r}")
    if not ymap:
        raise click.UsageError("--map is missing: the mass is told from a map")
    inputs = [catalog, noise, ymap["source"], masses, fields]
    check_files(*filter(None, (output, picture)), overwrite=overwrite, inputs=inputs)
    if picture:
        _check_picture(picture)
    if str(output).rpartition(".")[2].lower() not in ("fits", "fit"):
        raise click.UsageError(f"{str(output)!r} must end in .fits")
    given = {"mass": _masses(masses), "one_minus_b": one_minus_b} | options.get(estimator, {})
    chosen = get_map_estimator(estimator, **given)
    sample = load_sample(catalog, **reading)
    if names:
        sample = sample[list(names)]
    ymap = open_map(**ymap)
    state_noise(ymap, noise, sample.coord)
    sample.attach_cutouts(ymap, interpolation=interpolation)
    if fields:
        sample.fields = _fields(fields)
    maps = chosen.predict(sample)
    alone = len(names) == 1 and np.isfinite(maps.r500[0])
    (maps[0] if alone else maps).write(output, overwrite=overwrite)
    click.echo(f"{len(maps)} map{'' if len(maps) == 1 else 's'} written to {output}")
    made = _report(maps, chosen, MassMapFlag)
    if not made.any():
        sys.exit(NOTHING_FOUND)
    if picture:
        first = int(made.argmax())
        with atomic_path(picture, overwrite=overwrite) as temporary:
            _draw(maps[first], sample.cutouts[first], temporary)
        click.echo(f"{maps.names[first]} drawn in {picture}")


def _masses(text):
    from pathlib import Path

    from szmass.results import LogMassPosterior

    return LogMassPosterior.read(text) if Path(text).is_file() else text


def _fields(path):
    from szmass.simulations import read_fields

    return {name: stack for name, stack in read_fields(path).items() if name != "mass"}


def _report(maps, chosen, flags):
    """Print what was made; which clusters have a map."""
    import astropy.units as u
    import numpy as np

    made = np.isfinite(maps.r500)
    counts = {bit.name: np.count_nonzero(maps.flag & bit) for bit in flags}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    click.echo(f"  {chosen.tag}: {made.sum()} mapped" + (f"; flags: {words}" if words else ""))
    if len(maps) <= 5:
        mass, error = maps.mass_within(maps.r500 * u.arcmin)
        for i in np.flatnonzero(made):
            click.echo(
                f"  {maps.names[i]}: ({mass[i].value / 1e14:.2f} +- {error[i].value / 1e14:.2f}) "
                f"1e14 solMass within R500 = {maps.r500[i]:.2f} arcmin, projected"
            )
    return made


def _check_picture(path):
    """Refuse a picture that cannot be drawn, before maps are made."""
    from szmass._utils.optional import import_optional

    bases = import_optional("matplotlib.backend_bases", extra="plot", purpose="draw maps")
    kinds = bases.FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix.lower().lstrip(".") not in kinds:
        ends = ", ".join(f".{kind}" for kind in kinds)
        raise click.UsageError(f"the picture {str(path)!r} must end in one of {ends}")


def _draw(one, cutout, path):
    from matplotlib.figure import Figure

    from szmass.plots import plot_mass_map

    figure = Figure(figsize=(5.6, 4.7), layout="constrained")
    plot_mass_map(one, cutout, ax=figure.add_subplot())
    figure.savefig(path, dpi=150)
