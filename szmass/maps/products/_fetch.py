"""Fetching of a product from one of its homes, straight or out of an archive."""

import warnings

from szmass._io.archive import extract_member
from szmass._io.download import file_sha256
from szmass._io.files import put_in_place
from szmass._io.fits import open_fits
from szmass._io.locks import file_lock
from szmass._io.provenance import confirm, read_record, record_path, refuse_changed, write_record
from szmass._io.transfer import PartFile, transfer
from szmass.exceptions import FileFormatError, IntegrityError, RemoteDataError, SzmassWarning

__all__ = ["fetch_product"]


def fetch_product(product, folder, *, keep_archive=False):
    """Give the file of a product, fetching it if it is not there yet.

    Parameters
    ----------
    product : MapProduct
        What is wanted.
    folder : pathlib.Path
        Where it is kept.
    keep_archive : bool, optional
        Keep the archive that the file was taken from.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    RemoteDataError
        No home of the product gave it.
    IntegrityError
        The file that is there, or all that were offered, are not the ones on record.
    FileFormatError
        What came is damaged or no FITS file.
    DiskSpaceError
        There is not enough room.
    """
    path = folder / product.filename
    if path.exists():
        confirm(path, sha256=product.sha256)
        return path
    if not product.sources:
        raise RemoteDataError(
            f"The address of {product.tag!r} is not on record. {_by_hand(product, path)}"
        )
    folder.mkdir(parents=True, exist_ok=True)
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
    transfer(source.url, part, size=source.size, sha256=sha256, label=path.name)
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
        source.url, part, size=source.size, sha256=source.sha256, label=archive.name, room=room
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
