"""Published Compton-y maps by name: where they are, how they are fetched and opened."""

from pathlib import Path

from szmass._utils.paths import cache_folder
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps.compton import ComptonMap
from szmass.maps.products._product import MapProduct, MapSource
from szmass.maps.products._releases import RELEASES

__all__ = ["MAP_PRODUCTS", "MapProduct", "MapSource", "fetch_map", "open_map"]

#: The releases that are known by name. `Registry.add` takes further ones.
MAP_PRODUCTS = Registry("map product")
for _product in RELEASES:
    MAP_PRODUCTS.add(_product.tag, _product)


def fetch_map(product, *, folder=None, keep_archive=False):
    """Give the file of a published map or mask, downloading it if it is not there yet.

    A download that was cut goes on where it stopped, the homes of a product are tried one after
    the other, and a file gets its name only when it is complete: its size and SHA-256 are the ones
    on record, and it is FITS to its end. Where no SHA-256 was published, that of the first download
    is written beside the file (as JSON), so that a later change of it, here or at its home, is
    noticed. A file that is there is never replaced and needs no network.

    Parameters
    ----------
    product : str or MapProduct
        Tag in `MAP_PRODUCTS`, or a product of your own.
    folder : path-like, optional
        Where files are kept; by default the folder ``maps`` in szmass's cache folder, which the
        environment variable ``SZMASS_CACHE`` names.
    keep_archive : bool, optional
        Where a map comes in a large archive, keep that for the other maps in it. An archive
        of the same name that is already in the folder is used, and never removed if you put it
        there.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    UnknownNameError
        There is no such product.
    RemoteDataError
        No home gave the file; the message says how to get it by hand.
    IntegrityError
        The file is not the one on record.
    FileFormatError
        The file is damaged at its home.
    DiskSpaceError
        There is not enough room; what has arrived is kept.
    """
    from szmass.maps.products._fetch import fetch_product

    if not isinstance(product, MapProduct):
        product = MAP_PRODUCTS[product]
    folder = cache_folder("maps") if folder is None else Path(folder).expanduser()
    return fetch_product(product, folder, keep_archive=keep_archive)


def open_map(source, *, folder=None, **options):
    """Open a published map by name, or a map in a file.

    Parameters
    ----------
    source : str or path-like or MapProduct
        A tag in `MAP_PRODUCTS`: the map is fetched if it is not there yet, and opened with the
        column, ordering, frame and beam of the release. Anything else is the path of a file.
    folder : path-like, optional
        As for `fetch_map`.
    **options : dict
        Options of `ComptonMap.read`, which win over those of the release unless they are None:
        ``column="FIRST"`` opens a half-ring map.

    Returns
    -------
    ComptonMap
        The map.

    Raises
    ------
    UnknownNameError
        There is neither a product nor a file of that name.
    InvalidInputError
        The product is a mask.
    RemoteDataError, IntegrityError, FileFormatError, DiskSpaceError
        As `fetch_map`; and whatever `ComptonMap.read` raises.
    """
    if not isinstance(source, MapProduct):
        if str(source) not in MAP_PRODUCTS:
            return ComptonMap.read(_existing(source), **options)
        source = MAP_PRODUCTS[str(source)]
    if source.kind != "map":
        raise InvalidInputError(
            f"{source.tag!r} is a {source.kind}, not a map of y. fetch_map({source.tag!r}) gives "
            "its file."
        )
    path = fetch_map(source, folder=folder)
    stated = {name: value for name, value in options.items() if value is not None}
    ymap = ComptonMap.read(path, **{**source.read_options, **stated})
    ymap.meta["PRODUCT"] = source.tag
    return ymap


def _existing(path):
    path = Path(path).expanduser()
    if not path.exists():
        try:
            MAP_PRODUCTS[str(path)]
        except UnknownNameError as err:
            raise UnknownNameError(f"There is no file {str(path)!r}. {err}") from None
    return path
