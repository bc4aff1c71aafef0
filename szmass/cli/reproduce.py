"""The command 'reproduce'."""

import click

from szmass.cli.options import (
    CATALOG_NAMES,
    FOLDER,
    OLD_FILE,
    OLD_FOLDER,
    build_estimators,
    estimators_option,
    map_options,
    named_option,
    offline_option,
    parse_pairs,
    settings_option,
)

__all__ = ["reproduce"]

_QUICK, _FULL = 1000, 10_000
_PUBLISHED = "cnn-deandres2022"


@click.command()
@click.option(
    "-o", "--folder", type=FOLDER, default="reproduction", help="Where to write tables and figures."
)
@estimators_option(default=f"{_PUBLISHED},cnn")
@click.option(
    "--weights",
    type=OLD_FOLDER,
    help=f"Folder with the weights of {_PUBLISHED}.  [default: fetch them]",
)
@settings_option
@click.option("-n", "--number", type=click.IntRange(0), help=f"Mock clusters.  [default: {_QUICK}]")
@click.option("--full", is_flag=True, help=f"{_FULL} mock clusters.")
@click.option("--seed", default=1, help="Seed of everything.")
@named_option(
    "--observation", "szmass.simulations.OBSERVATIONS", "How mocks are seen.", default="planck-like"
)
@named_option(
    "--model", "szmass.simulations.CLUSTER_MODELS", "What mocks are made of.", default="a10"
)
@click.option(
    "--population",
    type=click.Choice(["flat", "twin"]),
    default="flat",
    help="Masses of mocks: even in log M, or those of --catalog.",
)
@click.option("--min-snr", default=4.5, help="Mocks are detected above it; 0 for all.")
@click.option(
    "--mocks", type=OLD_FOLDER, help="Data set of mocks with noise, instead of simulated ones."
)
@click.option("--clean", type=OLD_FOLDER, help="Data set of mocks without noise.")
@click.option(
    "--catalog",
    metavar="FILE|TAG",
    shell_complete=CATALOG_NAMES,
    help="Real clusters with MSZ, for instance psz2.",
)
@map_options("Their map.")
@click.option(
    "--published",
    metavar="FILE|TAG",
    shell_complete=CATALOG_NAMES,
    help="Table of published masses; deandres2022 is fetched.",
)
@click.option(
    "--lensing",
    multiple=True,
    metavar="FILE|TAG",
    shell_complete=CATALOG_NAMES,
    help="Lensing table; may be repeated.",
)
@click.option(
    "--models",
    type=OLD_FILE,
    help="Table of trained models with redshift_bin and bias_max: .csv or .ecsv",
)
@click.option(
    "--history",
    multiple=True,
    callback=parse_pairs("NAME=FILE"),
    help="Losses by epoch of a training: .csv; may be repeated.",
    metavar="NAME=FILE",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier reproduction.")
@offline_option
def reproduce(
    folder, estimators, weights, options, number, full, min_snr, mocks, ymap, models, history,
    overwrite, **others,
):  # fmt: skip
    """Make Table 1 and the figures of de Andres et al. (2022) from the data at hand.

    Without further data its columns of mock clusters are made from simulations; --catalog with
    --map, or --published, give that of real clusters, --lensing the comparison with weak
    lensing. What has no data says so.

    \b
    Examples:
      szmass reproduce
      szmass reproduce -n 3000 --population twin --catalog psz2 --map milca
          --published deandres2022 --lensing sereno2017 -o paper
      szmass reproduce --full --estimators cnn -o paper
    """
    from szmass.maps import open_map
    from szmass.reproduce import check_folder
    from szmass.reproduce import reproduce as run

    if full and number is not None:
        raise click.UsageError("give --number or --full, not both")
    if ymap and not others["catalog"]:
        raise click.UsageError("--map needs --catalog")
    check_folder(folder, overwrite=overwrite)
    if weights is not None:
        if _PUBLISHED not in estimators:
            raise click.UsageError(f"--weights needs {_PUBLISHED} in --estimators")
        options = options | {_PUBLISHED: options.get(_PUBLISHED, {}) | {"weights": weights}}
    chosen = build_estimators(estimators, options)
    result = run(
        chosen,
        n=_FULL if full else _QUICK if number is None else number,
        min_snr=min_snr or None,
        planck_like=mocks,
        ymap=ymap and open_map(**ymap),
        models=models and _read(models),
        histories={name: _read(file) for name, file in history.items()} or None,
        folder=folder,
        overwrite=overwrite,
        **others,
    )
    click.echo(result.summary())
    click.echo(f"\nTables and figures are in {folder}")


def _read(path):
    from szmass._tables.files import read_table

    try:
        return read_table(path)
    except (ValueError, OSError) as err:
        raise click.UsageError(f"{path!r} cannot be read as a table: {err}") from err
