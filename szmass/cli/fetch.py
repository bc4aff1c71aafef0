"""The command 'fetch'."""

import click

from szmass.cli.options import FOLDER, completer

__all__ = ["fetch"]


@click.command()
@click.argument(
    "tags", nargs=-1, metavar="[NAME]...", shell_complete=completer("szmass.maps.MAP_PRODUCTS")
)
@click.option(
    "--folder", type=FOLDER, help="Where to keep the files.  [default: in the cache folder]"
)
@click.option("--keep-archive", is_flag=True, help="Keep large archives for their other maps.")
def fetch(tags, folder, keep_archive):
    """Download published Compton-y maps; without a name, list them.

    A download that was cut goes on at the next call.

    \b
    Examples:
      szmass fetch
      szmass fetch milca
      szmass fetch act-dr6 --folder maps --keep-archive
    """
    from szmass.maps import MAP_PRODUCTS, fetch_map

    if not tags:
        width = max(map(len, MAP_PRODUCTS))
        for tag, product in MAP_PRODUCTS.items():
            size = f"{product.size / 1e9:.1f} GB" if product.size else "?"
            click.echo(f"{tag:<{width}}  {size:>7}  {product.title}")
    for product in [MAP_PRODUCTS[tag] for tag in tags]:
        click.echo(fetch_map(product, folder=folder, keep_archive=keep_archive))
