"""The command 'fetch'."""

import click

from szmass.cli.options import FOLDER, completer

__all__ = ["fetch"]


@click.command()
@click.argument(
    "tags",
    nargs=-1,
    metavar="[NAME]...",
    shell_complete=completer("szmass.maps.MAP_PRODUCTS", "szmass.catalogs.CATALOGS"),
)
@click.option(
    "--folder",
    type=FOLDER,
    help="Where to keep files of maps.  [default: in the cache folder]",
)
@click.option("--keep-archive", is_flag=True, help="Keep large archives for their other maps.")
def fetch(tags, folder, keep_archive):
    """Download published Compton-y maps and catalogues; without a name, list them.

    A download of a map that was cut goes on at the next call. Catalogues that were
    fetched are at hand for '--name' and '--offline'.

    \b
    Examples:
      szmass fetch
      szmass fetch milca psz2
      szmass fetch act-dr6 --folder maps --keep-archive
    """
    from szmass.catalogs import CATALOGS
    from szmass.maps import MAP_PRODUCTS, fetch_map

    if not tags:
        catalogs = {tag: cls for tag, cls in CATALOGS.items() if cls.vizier_id}
        width = max(map(len, [*MAP_PRODUCTS, *catalogs]))
        for tag, product in MAP_PRODUCTS.items():
            size = f"{product.size / 1e9:.1f} GB" if product.size else "?"
            click.echo(f"{tag:<{width}}  {size:>10}  {product.title}")
        for tag, cls in catalogs.items():
            click.echo(f"{tag:<{width}}  {cls.expected_rows or '?':>5} rows  {cls.description}")
    for tag in tags:
        if tag in CATALOGS and tag not in MAP_PRODUCTS:
            table = CATALOGS[tag].fetch().table
            kept = table.meta.get("snapshot", "kept for the next time")
            click.echo(f"{tag}: {len(table)} rows, {kept}")
        else:
            click.echo(fetch_map(MAP_PRODUCTS[tag], folder=folder, keep_archive=keep_archive))
