"""The command 'state'."""

import sys

import click

from szmass.cli.options import (
    FILE,
    NOTHING_FOUND,
    catalog_option,
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

__all__ = ["state"]

_AT_A_TIME = 2048


@click.command()
@catalog_option("name, position, redshift and mass", required=True)
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
@output_options
@interpolation_option()
@noise_option
@sample_options
@offline_option
def state(
    catalog, ymap, estimator, options, definition, masses, output, overwrite, reading,
    interpolation, noise,
):  # fmt: skip
    """Tell the dynamical state of the clusters of a catalogue: relaxed or disturbed.

    The table has one row per cluster: log10 chi with its 68 % interval, the
    probability of being relaxed, what it is without the map (the prior), and
    a flag. Where noise hides the cluster the result is the prior, and the
    flag says so.

    \b
    Examples:
      szmass state --catalog psz2 --map milca -o states.ecsv
      szmass state --catalog mine.fits --map y.fits --beam '20 arcsec'
          --noise empty-fields --set morphology.fits=resolved
          --set morphology.one_minus_b=1.0 -o states.ecsv
      szmass state --catalog psz2 --map milca --masses masses.ecsv
          --definition cui2018 -o masses-with-states.ecsv
    """
    import numpy as np
    from astropy.table import vstack

    from szmass._tables.files import write_table
    from szmass.catalogs import load_sample
    from szmass.maps import open_map
    from szmass.morphology import StateFlag, add_states, get_state_estimator
    from szmass.results import read_masses

    if unused := sorted(set(options) - {estimator}):
        raise click.UsageError(f"--set names {unused[0]!r}, and the estimator is {estimator!r}")
    if not ymap:
        raise click.UsageError("--map is missing: states are told from a map")
    given = options.get(estimator, {}) | ({"definition": definition} if definition else {})
    chosen = get_state_estimator(estimator, **given)
    check_outputs(output, overwrite=overwrite, inputs=[catalog, noise, ymap["source"], masses])
    table = read_masses(masses) if masses else None
    sample = load_sample(catalog, **reading)
    ymap = open_map(**ymap)
    state_noise(ymap, noise, sample.coord)
    parts = []
    for start in range(0, max(len(sample), 1), _AT_A_TIME):
        part = sample[start : start + _AT_A_TIME]
        part.attach_cutouts(ymap, interpolation=interpolation, geometry=chosen.geometry)
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
