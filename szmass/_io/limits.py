"""How much a file may inflate to, and whether the sizes that a FITS file states can be."""

import bz2
import gzip
import lzma
import math
import os
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
from astropy.config import ConfigItem, ConfigNamespace

from szmass.exceptions import FileFormatError

_MEGABYTE = 1_000_000
_CHUNK = 1 << 20  # bytes
_BLOCK = 2880  # bytes, of FITS
_LONGEST_HEADER = 4096  # blocks
_LONGEST_TRAIL = 100  # blocks behind the last HDU, which astropy takes for headers one by one
_MOST_FIELDS = 999
_INFLATABLE = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
_CARD = re.compile(
    rb"(SIMPLE|XTENSION|BITPIX|NAXIS\d{0,3}|[PG]COUNT|GROUPS|TFIELDS|TFORM\d{1,3}|ZIMAGE|ZBITPIX|"
    rb"ZNAXIS\d{0,3}|(?:CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d|(?:PC|CD|PV)\d+_\d+|LONPOLE|LATPOLE|"
    rb"NSIDE|ORDERING|COORDSYS|INDXSCHM) *= *('(?:[^']|'')*'|[^ /]*)"
)
_FORM = re.compile(rb"' *(\d*)([LXBIJKAEDCMPQ])")
_WIDTHS = dict(zip(b"LBIJKAEDCMPQ", (1, 1, 2, 4, 8, 1, 4, 8, 8, 16, 8, 16), strict=True))
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
DAMAGED_STREAM = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Conf(ConfigNamespace):
    """What szmass reads of compressed files before it takes them for damaged or hostile.

    Set it for a session with ``szmass.conf.largest_inflated = 1000``, for a block with
    ``szmass.conf.set_temp``, or for good in ``szmass.cfg`` in the folder that
    `astropy.config.get_config_dir` gives.
    """

    largest_inflated = ConfigItem(
        256.0,
        "Largest content of a compressed file (gzip, bzip2, xz, npz) [MB], unless it is less than "
        "a hundred times as large as the file.",
        cfgtype="float(min=0.001)",
        module="szmass",
    )


#: The settings.
conf = Conf()


def inflation_limit(size):
    """Give the number of bytes that a compressed file of ``size`` bytes may inflate to."""
    return max(int(conf.largest_inflated * _MEGABYTE), 100 * size)


def too_large(path, limit):
    """Give the error for a file that inflates to more than ``limit`` bytes."""
    return FileFormatError(
        f"{str(path)!r} inflates to more than {limit / _MEGABYTE:.0f} MB, a hundred times its size "
        "or more: it may be damaged or made to fill the memory. If it is what it should be, "
        "inflate it by hand, or set szmass.conf.largest_inflated (MB) to a larger number."
    )


def opener_of(path):
    """Give the function that opens a file for reading, by its first bytes: plain or compressed."""
    with open(path, "rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in _INFLATABLE if start.startswith(magic)), open)


def check_inflated(path):
    """Tell how many bytes a file holds; `FileFormatError` where they are too many or damaged.

    Nothing of them is kept.
    """
    opener, limit = opener_of(path), inflation_limit(os.path.getsize(path))
    if opener is open:
        return os.path.getsize(path)
    total = 0
    with opener(path, "rb") as stream:
        while True:
            try:
                chunk = stream.read(_CHUNK)
            except DAMAGED_STREAM as err:
                raise FileFormatError(f"{str(path)!r} is damaged or truncated: {err}") from err
            if not chunk:
                return total
            total += len(chunk)
            if total > limit:
                raise too_large(path, limit)


def read_content(path):
    """Read a file, inflated where it is compressed; `FileFormatError` where it is too large."""
    check_inflated(path)
    with opener_of(path)(path, "rb") as stream:
        return stream.read()


def check_npz(path):
    """Refuse an npz file whose arrays are larger than it may inflate to, or than what is there."""
    path = Path(path)
    limit = inflation_limit(path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        # zipfile gives no more of a member than its directory says, whatever is in it.
        if sum(info.file_size for info in archive.infolist()) > limit:
            raise too_large(path, limit)
        if len(set(archive.namelist())) < len(archive.namelist()):
            raise FileFormatError(f"{str(path)!r} has two arrays of one name.")
        for info in archive.infolist():
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                if version not in _NPY_HEADERS:
                    raise FileFormatError(f"{str(path)!r}: {info.filename} is no array.")
                shape, _, dtype = _NPY_HEADERS[version](member)
                there = info.file_size - member.tell()
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > there:
                raise FileFormatError(
                    f"{str(path)!r}: {info.filename} states an array {shape} of {dtype}, and has "
                    f"{there} bytes."
                )


def check_fits_sizes(path):
    """Raise `FileFormatError` where the sizes in FITS headers cannot be, before astropy opens it.

    astropy believes them: a wrong number of columns in a small file takes gigabytes. What is no
    FITS file at all passes: astropy says so.
    """
    if problem := fits_problem(path):
        raise FileFormatError(f"{path} cannot be read as FITS: {problem}.")


def fits_problem(path):
    """Tell what is wrong with the sizes in the headers of a FITS file; None where they can be."""
    opener = opener_of(path)
    if opener is open:
        with open(path, "rb") as file:
            if file.read(4) in (b"PK\3\4", b"\x1f\x9d\x90"):
                return "it is a zip archive or of the old 'compress'; inflate it by hand"
    try:
        size = check_inflated(path)
    except FileFormatError as err:
        return str(err).rstrip(".")
    with opener(path, "rb") as stream:
        start = 0
        while start < size:
            stream.seek(start)
            cards, header = _read_header(stream)
            if cards is None:
                return header
            if not cards:
                trail = size - start
                if trail > _LONGEST_TRAIL * _BLOCK and start:
                    return f"it has {trail} bytes behind its last HDU that are no part of FITS"
                return None
            try:
                data = _data_size(cards)
            except ValueError as err:
                return str(err)
            start += header
            if data > size - start:
                return (
                    f"it is truncated or damaged: a header speaks of {data} bytes of data, and "
                    f"{max(size - start, 0)} are there"
                )
            start += -(-data // _BLOCK) * _BLOCK
    return None


def _read_header(stream):
    """Cards of a header that tell sizes, and its length; ({}, 0) where there is none."""
    cards, length, twice = {}, 0, None
    while block := stream.read(_BLOCK):
        if not length and not block.startswith((b"SIMPLE", b"XTENSION")):
            return {}, 0
        length += len(block)
        for place in range(0, len(block), 80):
            card = block[place : place + 80]
            if card.rstrip() == b"END":
                return (None, twice) if twice else (cards, length)
            if match := _CARD.match(card):
                name = match[1].decode()
                if cards.setdefault(name, match[2]) != match[2]:
                    twice = f"{name} stands in a header twice, with other values"
        if length > _LONGEST_HEADER * _BLOCK:
            break
    return None, "it is truncated or damaged: a header has no end"


def _data_size(cards):
    """Bytes of the data of an HDU, where its cards agree."""
    number = {}
    for name, text in cards.items():
        if re.fullmatch(r"Z?BITPIX|Z?NAXIS\d*|[PG]COUNT|TFIELDS", name):
            if not re.fullmatch(rb"[+-]?\d{1,18}", text):
                raise ValueError(
                    f"{name} must be a whole number. Received: {text.decode('ascii', 'replace')}"
                )
            number[name] = int(text)
            if number[name] < 0 and "BITPIX" not in name:
                raise ValueError(f"{name} must not be negative. Received: {number[name]}")
    axes = _axes(number, "")
    groups = cards.get("GROUPS") == b"T" and axes[:1] == [0]
    count = math.prod(axes[1:] if groups else axes) if axes else 0
    size = number.get("GCOUNT", 1) * (number.get("PCOUNT", 0) + count)
    size *= abs(number.get("BITPIX", 8)) // 8
    if number.get("TFIELDS", 0) > _MOST_FIELDS:
        raise ValueError(f"TFIELDS must be at most {_MOST_FIELDS}. Received: {number['TFIELDS']}")
    if cards.get("XTENSION", b"").startswith((b"'BINTABLE", b"'A3DTABLE")):
        _check_width(cards, number, axes)
        if cards.get("ZIMAGE") == b"T":
            image = math.prod(_axes(number, "Z")) * abs(number.get("ZBITPIX", 8)) // 8
            if image > inflation_limit(size):
                raise ValueError(
                    f"the compressed image in it states {image} bytes, a hundred times its own "
                    "size or more. If that is right, inflate it by hand or set "
                    "szmass.conf.largest_inflated (MB) to a larger number"
                )
    return size


def _axes(number, prefix):
    naxis = number.get(f"{prefix}NAXIS", 0)
    if naxis > _MOST_FIELDS:
        raise ValueError(f"{prefix}NAXIS must be at most {_MOST_FIELDS}. Received: {naxis}")
    return [number.get(f"{prefix}NAXIS{i}", 0) for i in range(1, naxis + 1)]


def _check_width(cards, number, axes):
    """Compare the width of the rows with the columns': astropy reads other bytes otherwise."""
    width = 0
    for i in range(1, number.get("TFIELDS", 0) + 1):
        if f"TFORM{i}" not in cards:
            raise ValueError(f"TFORM{i} is missing")
        match = _FORM.match(cards[f"TFORM{i}"])
        if match is None:
            return  # astropy names the column
        repeat, kind = int(match[1] or 1), match[2]
        width += -(-repeat // 8) if kind == b"X" else repeat * _WIDTHS[ord(kind)]
    if axes[:1] != [width]:
        raise ValueError(
            f"its rows have {axes[0] if axes else 0} bytes (NAXIS1) and its columns {width}"
        )
