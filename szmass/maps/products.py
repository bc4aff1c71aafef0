"""Published Compton-y maps by name: where they are, how they are fetched and opened."""

import warnings
from pathlib import Path

from szmass._io.download import (
    confirm,
    extract_member,
    file_sha256,
    read_record,
    record_path,
    refuse_changed,
    write_record,
)
from szmass._io.files import file_lock, make_folder, put_in_place
from szmass._io.fits import open_fits
from szmass._io.transfer import PartFile, transfer
from szmass._utils.kinds import as_path
from szmass._utils.paths import cache_folder
from szmass.exceptions import (
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    RemoteDataError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.maps._releases import MAP_PRODUCTS, MapProduct, MapSource
from szmass.maps.compton import ComptonMap

__all__ = ["MAP_PRODUCTS", "MapProduct", "MapSource", "fetch_map", "open_map"]


_LARGEST = 5_000_000_000  # bytes of a map of which no size is on record


def fetch_map(product, *, folder=None, keep_archive=False):
    """Give the file of a published map or mask, downloading it if it is not there yet.

    A download that was cut goes on where it stopped, the mirrors of a product are tried one after
    the other, and a file gets its name only when it is complete: its size and SHA-256 are the ones
    on record, and it is FITS to its end. Where no SHA-256 was published, that of the first download
    is written beside the file (as JSON), so that a later change of it, here or at its mirror, is
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
        No mirror gave the file; the message says how to get it by hand.
    IntegrityError
        The file is not the one on record.
    FileFormatError
        The file is damaged at its home.
    DiskSpaceError
        There is not enough room; what has arrived is kept.
    """
    if not isinstance(product, MapProduct):
        product = MAP_PRODUCTS[product]
    folder = cache_folder("maps") if folder is None else Path(folder).expanduser()
    return _fetch_product(product, folder, keep_archive)


def open_map(source, *, folder=None, **options):
    """Open a published map by name, or a map in a file.

    Parameters
    ----------
    source : str or path-like or MapProduct
        A tag in `MAP_PRODUCTS`: the map is fetched if it is not there yet, and opened with the
        column, ordering, frame, beam, noise and sampling of the release. Anything else is the path
        of a file.
    folder : path-like, optional
        As for `fetch_map`.
    **options : dict
        Options of `ComptonMap.read`, which win over those of the release unless they are None:
        ``column="FIRST"`` opens a half-ring map.

    Returns
    -------
    ComptonMap
        The map. Of a product its ``meta`` has ``MAPSHA``, the SHA-256 of the file, and
        ``PINNED``, whether that is one on record here; else the file is *not pinned*, and it is
        that of the first download.

    Raises
    ------
    UnknownNameError
        There is neither a product nor a file of that name.
    InvalidInputError
        The product is a mask.
    RemoteDataError, IntegrityError, FileFormatError, DiskSpaceError
        As `fetch_map`; and whatever `ComptonMap.read` raises.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from szmass import open_map
    >>> from szmass.maps import ComptonMap
    >>> from szmass.simulations import write_sky
    >>> y = np.zeros(12 * 64**2)
    >>> ymap = ComptonMap.from_healpix(y, ordering="ring", frame="galactic", beam="10 arcmin")
    >>> with TemporaryDirectory() as folder:
    ...     write_sky(ymap, f"{folder}/sky.fits")
    ...     open_map(f"{folder}/sky.fits")
    ComptonMap(nside=64, ordering='ring', frame='galactic', beam='10.0 arcmin')
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
    known = source.read_options
    if stated.get("column", source.column) != source.column:
        known.pop("noise", None)  # half of the data has another noise
    ymap = ComptonMap.read(path, **{**known, **stated})
    ymap.meta["PRODUCT"] = source.tag
    # Not pinned: nobody published what the SHA-256 should be; it is that of the first download.
    ymap.meta["MAPSHA"] = source.sha256 or read_record(path).get("sha256") or "not known"
    ymap.meta["PINNED"] = source.sha256 is not None
    return ymap


def _existing(path):
    path = as_path(path, "source").expanduser()
    if not path.exists():
        try:
            MAP_PRODUCTS[str(path)]
        except UnknownNameError as err:
            raise UnknownNameError(f"There is no file {str(path)!r}. {err}") from None
    return path


def _fetch_product(product, folder, keep_archive):
    """Path of the file of a product, fetched from one of its mirrors if it is not there yet."""
    path = folder / product.filename
    if path.exists():
        confirm(path, sha256=product.sha256)
        return path
    if not product.sources:
        raise RemoteDataError(
            f"The address of {product.tag!r} is not on record. {_by_hand(product, path)}"
        )
    make_folder(folder)
    with file_lock(path):
        if path.exists():  # another process was faster
            confirm(path, sha256=product.sha256)
            return path
        failures = []
        for source in product.sources:
            if failures:
                warnings.warn(
                    f"{failures[-1]}. Trying {source.url} next", SzmassWarning, stacklevel=3
                )
            try:
                if source.member is None:
                    _fetch_plain(product, source, path)
                else:
                    _fetch_from_archive(product, source, path, keep_archive)
                return path
            except (RemoteDataError, IntegrityError, FileFormatError) as err:
                failures.append(err)
    kind = _common_kind(failures)
    told = "; ".join(str(err).rstrip(".") for err in failures)
    again = "The next call goes on with what has arrived. " if _part_of(path).size else ""
    raise kind(
        f"{product.tag!r} could not be fetched: {told}. {again}{_by_hand(product, path)}"
    ) from failures[-1]


def _common_kind(failures):
    for kind in (IntegrityError, FileFormatError):
        if all(isinstance(err, kind) for err in failures):
            return kind
    return RemoteDataError


def _by_hand(product, path):
    return (
        f"By hand: download it from {product.homepage} and save it as {str(path)!r}, or open any "
        f"copy with ComptonMap.read(path, **MAP_PRODUCTS[{product.tag!r}].read_options)."
    )


def _part_of(path):
    return PartFile(path.with_name(f"{path.name}.part"))


def _fetch_plain(product, source, path):
    part = _part_of(path)
    sha256 = source.sha256 or product.sha256
    transfer(
        source.url,
        part,
        size=source.size,
        sha256=sha256,
        label=path.name,
        largest=2 * (product.size or _LARGEST),
    )
    try:
        digest = _check_content(part.path, source, sha256)
    except (FileFormatError, IntegrityError):
        part.discard()
        raise
    _place(part.path, path, digest, source)
    part.discard()


def _fetch_from_archive(product, source, path, keep_archive):
    archive = path.with_name(source.url.rpartition("/")[2])
    extracted = path.with_name(f"{path.name}.extracted")
    with file_lock(archive):
        if archive.exists():
            confirm(archive, sha256=source.sha256)
        else:
            _fetch_archive(source, archive, room=product.size or 0)
        disposable = read_record(archive).get("url") is not None  # not put there by the user
        try:
            extract_member(archive, source.member, extracted)
            digest = _check_content(extracted, source, product.sha256)
            _place(extracted, path, digest, source)
        except (FileFormatError, _WrongContentError):
            if disposable:
                _remove(archive)
            raise
        finally:
            extracted.unlink(missing_ok=True)
        if disposable and not keep_archive:
            _remove(archive)


def _fetch_archive(source, archive, room):
    part = _part_of(archive)
    transfer(
        source.url,
        part,
        size=source.size,
        sha256=source.sha256,
        label=archive.name,
        room=room,
        largest=20 * _LARGEST,
    )
    digest = file_sha256(part.path)
    if source.sha256 not in (None, digest):
        part.discard()
        raise _wrong_content(source, digest, source.sha256)
    put_in_place(part.path, archive)
    part.discard()
    write_record(archive, digest, url=source.url)


def _check_content(arrived, source, sha256):
    """Refuse what is not a complete FITS file or not the right one; give its SHA-256."""
    try:
        with open_fits(arrived) as hdus:
            for _ in hdus:  # each header is read, and the end of the file is looked for
                pass
    except FileFormatError as err:
        raise FileFormatError(
            f"what {source.url} gave is no complete FITS file ({err.__cause__})"
        ) from err
    digest = file_sha256(arrived)
    if sha256 not in (None, digest):
        raise _wrong_content(source, digest, sha256)
    return digest


class _WrongContentError(IntegrityError):
    """Complete, but another file than the one on record."""


def _wrong_content(source, found, sha256):
    return _WrongContentError(
        f"the file from {source.url} has SHA-256 {found} instead of {sha256}: it is another "
        "version, or was damaged on the way"
    )


def _place(arrived, path, digest, source):
    """Give a complete file its final name."""
    refuse_changed(path, digest, url=source.url, member=source.member)
    put_in_place(arrived, path)
    write_record(path, digest, url=source.url, member=source.member)


def _remove(archive):
    archive.unlink(missing_ok=True)
    record_path(archive).unlink(missing_ok=True)
