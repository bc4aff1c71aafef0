"""The command 'train'."""

import click

from szmass.cli.options import FOLDER, OLD_FOLDER, completer

__all__ = ["train"]


@click.command()
@click.argument("recipe", shell_complete=completer("default", "paper", files=True))
@click.option("-o", "--folder", required=True, type=FOLDER, help="Where to.")
@click.option(
    "--data",
    type=OLD_FOLDER,
    help="Data set of clean maps, as 'szmass simulate' writes it.  [default: made by the recipe]",
)
@click.option("--quick", is_flag=True, help="A laptop minute: the smaller values of the recipe.")
@click.option("--resume", is_flag=True, help="Go on with what an interrupted run left.")
@click.option("--workers", default=1, help="Networks trained side by side.")
@click.option("--tensorboard", is_flag=True, help="Write events for TensorBoard.")
def train(recipe, folder, data, quick, **options):
    """Train networks by RECIPE: 'default', 'paper', or a TOML file.

    \b
    Examples:
      szmass train default --quick -o networks
      szmass train recipe.toml --data mocks --workers 2 -o networks
      szmass train recipe.toml --data mocks --resume -o networks
    """
    from szmass.networks import Recipe
    from szmass.networks import train as train_networks

    recipe = Recipe.read(recipe)
    networks = train_networks(
        recipe.quickly() if quick else recipe, folder, dataset=data, **options
    )
    click.echo(f"{networks!r}: card and weights in {folder}")
    for line in _summary(networks.card):
        click.echo(line)


def _summary(card):
    """Lines on how well networks do, from the test in their card."""
    for row in card.metrics.get("test", []):
        if "amplitude" in row:
            yield from _of_amplitude(row)
        elif row["n"] and row["log10_mass"] == [0.0, 99.0] and row["depth"] == [0.0, 99.0]:
            low, high = row["redshift"]
            yield (
                f"z in ({low:g}, {high:g}]: {row['n']} test maps, rmse {row['rmse']:.3f} dex, "
                f"68 % interval holds {100 * row['coverage_68']:.1f} %"
            )


def _of_amplitude(row):
    if row["n"] and row["amplitude"] == [-1e9, 1e9]:
        low, high = row["redshift"]
        yield (
            f"z in ({low:g}, {high:g}]: {row['n']} test maps, {100 * row['within_68']:.1f} % of "
            "the amplitudes within one standard error"
        )
