"""The command 'estimate'."""

import os
import shutil
import sys

import click

from szmass.cli.options import (
    FILE,
    NOTHING_FOUND,
    build_estimators,
    catalog_option,
    check_outputs,
    estimators_option,
    interpolation_option,
    map_options,
    noise_option,
    offline_option,
    output_options,
    sample_of,
    sample_options,
    settings_option,
    state_noise,
    workers_options,
)

__all__ = ["estimate"]

_AT_A_TIME = 2048
_SHOWN = 10  # clusters whose masses are printed


@click.command()
@catalog_option("name, position and redshift")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="A cluster by its name, in --catalog, else in the catalogues that were fetched, else in "
    "Sesame, SIMBAD and NED; may be repeated.",
)
@map_options(
    "Compton-y map: HEALPix, a FITS image with a celestial WCS, or a name of 'szmass fetch'."
)
@estimators_option(required=True)
@settings_option
@output_options
@interpolation_option("; the published networks were fed 'nearest'")
@noise_option
@click.option("--covered", is_flag=True, help="Keep only clusters whose cutout the map covers.")
@click.option(
    "--posteriors",
    type=FILE,
    help="Also write posteriors, one file per estimator that has them: .ecsv, .fits or .vot. Of "
    "several the tag goes into the name: p.fits becomes p-cnn.fits",
)
@click.option(
    "--posterior-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also draw N masses per cluster from each posterior, as columns samples_TAG.",
)
@click.option("--seed", default=0, help="Seed of these draws.")
@click.option("--mean", is_flag=True, help="Also write the mean of M of each posterior: mean_TAG.")
@click.option(
    "--one-minus-b",
    type=float,
    metavar="1-b",
    help="Bring all masses on the scale of a 1-b to this one, for instance 0.8.",
)
@workers_options()
@sample_options
@offline_option
def estimate(
    catalog, names, ymap, estimators, options, output, overwrite, reading, interpolation, noise,
    covered, posteriors, posterior_samples, seed, mean, one_minus_b, workers, scheduler,
):  # fmt: skip
    """Weigh clusters, all of a catalogue or some by name, with one or several estimators.

    The table has one row per cluster; what could not be weighed keeps its row,
    with NaN and a flag that says why. Large catalogues are weighed in pieces,
    which are kept in OUTPUT.pieces until all are done: a run that was ended
    goes on at the next call.

    \b
    Examples:
      szmass estimate --catalog psz2 --map milca --estimators cnn,likelihood
          --noise planck -o masses.ecsv
      szmass estimate --name 'Abell 2142' --map milca --estimators likelihood
          -o a2142.ecsv
      szmass estimate --catalog mine.fits --map y.fits --beam '1.6 arcmin'
          --noise empty-fields --estimators likelihood
          --posteriors posteriors.fits -o masses.ecsv
      szmass estimate --catalog psz2 --estimators scaling
          --set scaling.one_minus_b=0.7 -o masses.fits
      szmass estimate --catalog psz2 --estimators lensing
          --set lensing.table=lensing.ecsv -o masses.ecsv
    """
    import numpy as np

    from szmass._tables.files import table_format, write_table
    from szmass.estimators import estimate_in_pieces
    from szmass.maps import open_map
    from szmass.results import MassFlag, columns_of_method, masses_of

    if not (catalog or names):
        raise click.UsageError("give --catalog, or a cluster by --name, or both")
    form = table_format(output)
    chosen = build_estimators(estimators, options)
    with_posterior = [tag for tag, entry in chosen.items() if entry.gives_posterior]
    if posteriors and (not with_posterior or table_format(posteriors) in ("csv", "tsv")):
        raise click.UsageError(
            "--posteriors needs a name that ends in .ecsv, .fits or .vot, and an estimator that "
            f"has posteriors, such as 'likelihood'; there are {len(with_posterior)}"
        )
    files = {}
    if posteriors:
        stem, suffix = os.path.splitext(posteriors)
        several = len(with_posterior) > 1
        files = {tag: f"{stem}-{tag}{suffix}" if several else posteriors for tag in with_posterior}
    if posterior_samples and form in ("csv", "tsv"):
        raise click.UsageError(
            "--posterior-samples does not go into CSV or TSV: write .ecsv or .fits"
        )
    if covered and not ymap:
        raise click.UsageError("--covered needs --map")
    inputs = [catalog, noise, ymap and ymap["source"]]
    check_outputs(output, *files.values(), overwrite=overwrite, inputs=inputs)
    sample = sample_of(catalog, names, reading)
    if ymap:
        ymap = open_map(**ymap)
        state_noise(ymap, noise, sample.coord)
        if covered:
            parts = (
                ymap.cutouts(sample.coord[start : start + _AT_A_TIME], interpolation=interpolation)
                for start in range(0, len(sample), _AT_A_TIME)
            )
            sample = sample[np.concatenate([np.zeros(0, bool), *(p.complete for p in parts)])]
    found = {} if posteriors else None
    folder = output + ".pieces" if len(sample) > _AT_A_TIME else None
    table = estimate_in_pieces(
        sample, chosen, ymap, cutouts={"interpolation": interpolation}, at_a_time=_AT_A_TIME,
        folder=folder, overwrite=overwrite, workers=workers, scheduler=scheduler, posteriors=found,
        posterior_samples=posterior_samples or 0, seed=seed, mean=mean, one_minus_b=one_minus_b,
    )  # fmt: skip
    write_table(table, output, overwrite=overwrite)
    for tag, file in files.items():
        found[tag].write(file, overwrite=overwrite)
    if folder:
        shutil.rmtree(folder)
    click.echo(f"{len(table)} clusters written to {output}")
    for tag, file in files.items():
        click.echo(f"Posteriors of {tag} written to {file}")
    weighed = 0
    for tag in chosen:
        masses = masses_of(table, tag)
        n = np.isfinite(masses.mass).sum()
        counts = {bit.name: np.count_nonzero(masses.flag & bit) for bit in MassFlag}
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        click.echo(f"  {tag}: {n} weighed" + (f"; flags: {told}" if told else ""))
        weighed += n
    if len(table) <= _SHOWN:
        methods = [columns_of_method(tag) for tag in chosen]
        columns = ["name", *(m[part] for m in methods for part in ("mass", "errn", "errp"))]
        click.echo("\n".join(table[columns].pformat(max_lines=-1, max_width=-1)))
    if not weighed:
        sys.exit(NOTHING_FOUND)
