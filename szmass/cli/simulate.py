"""The command 'simulate'."""

import os

import click

from szmass.cli.options import completer, named_option, range_option, workers_options

__all__ = ["simulate"]


@click.command()
@click.option(
    "--population",
    required=True,
    metavar="flat|mass-function|TAG|FILE",
    shell_complete=completer("flat", "mass-function", "szmass.catalogs.CATALOGS", files=True),
    help="Even in log M; from the mass function; or those of a catalogue, by tag or file.",
)
@click.option(
    "-n", "--number", type=int, help="Clusters to draw; those of the whole sky if not given."
)
@range_option("--mass", "M500c to draw [solMass].")
@range_option("--redshift", "Range of redshift.")
@click.option("--one-minus-b", default=0.8, help="Mass of a catalogue over true mass.")
@named_option(
    "--model", "szmass.simulations.CLUSTER_MODELS", "What clusters are made of.", default="a10"
)
@named_option(
    "--observation", "szmass.simulations.OBSERVATIONS", "How a map shows them.", default="clean"
)
@named_option("--cosmology", "szmass.physics.COSMOLOGIES", "Name of the cosmology.", default="PSZ2")
@click.option("--projections", default=1, help="Views of each cluster.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME",
    shell_complete=completer("szmass.simulations.FIELDS"),
    help="Another field beside Compton-y: mass, xray or galaxies; may be repeated.",
)
@click.option("--seed", type=int, required=True, help="The same seed gives the same files.")
@workers_options("Number of processes.", default=1)
@click.option("--shard-size", default=2048, help="Maps in one file.")
@click.option("--verify", is_flag=True, help="Make finished shards again that are damaged.")
@click.option("--overwrite", is_flag=True, help="Remove another data set of this name.")
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder to write.")
def simulate(population, number, mass, redshift, one_minus_b, output, **options):
    """Make mock maps with known truth and keep them as a data set.

    A run that was ended goes on at the next call.

    \b
    Examples:
      szmass simulate --population flat -n 1000 --observation planck-like
          --seed 1 -o mocks
      szmass simulate --population mass-function --mass 2e14 3e15
          --redshift 0.05 1 --field xray --seed 1 -o survey
      szmass simulate --population psz2 --one-minus-b 0.8 --seed 1 -o twins
    """
    import astropy.units as u

    from szmass._io.files import check_parent
    from szmass.simulations import make_dataset

    check_parent(output)
    limits = {"redshift": redshift} if redshift else {}
    if mass:
        limits["mass"] = mass * u.solMass
    sample = _population(population, number, limits, one_minus_b, options)
    dataset = make_dataset(output, sample, **options)
    click.echo(f"{len(dataset)} maps of {len(sample)} clusters in {output}")


def _population(name, number, limits, one_minus_b, options):
    from szmass._utils.names import did_you_mean
    from szmass.catalogs import CATALOGS, load_sample
    from szmass.exceptions import UnknownNameError
    from szmass.simulations import draw_flat, draw_mass_function, twin

    if name == "mass-function":
        cosmology, seed = options["cosmology"], options["seed"]
        return draw_mass_function(number, cosmology=cosmology, seed=seed, **limits)
    if name == "flat":
        if number is None:
            raise click.UsageError("--population flat needs --number")
        return draw_flat(number, seed=options["seed"], **limits)
    if name not in CATALOGS and not os.path.exists(name):
        hint = did_you_mean(name, ["flat", "mass-function", *CATALOGS])
        raise UnknownNameError(
            f"--population: {name!r} is neither a file nor a known catalogue, nor 'flat' or "
            f"'mass-function'.{hint}"
        )
    if number is not None or "mass" in limits:
        raise click.UsageError("--number and --mass are for populations that are drawn")
    return twin(load_sample(name, redshift=limits.get("redshift")), one_minus_b=one_minus_b)
