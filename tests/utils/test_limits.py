"""Sizes that files state are looked at before anybody believes them."""

import gzip
import io
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from astropy.io import fits

from szmass import conf
from szmass._io.fits import open_fits
from szmass._io.limits import check_fits_sizes, check_npz, read_content
from szmass.exceptions import FileFormatError


def fits_bytes(*hdus):
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(stream)
    return stream.getvalue()


def table_bytes(**options):
    columns = [fits.Column("I_STOKES", "E", array=np.arange(768.0), **options)]
    return fits_bytes(fits.BinTableHDU.from_columns(columns))


def edited(content, keyword, value):
    """The file with the last card of a keyword changed."""
    place = content.rindex(keyword.ljust(8).encode() + b"=")
    card = f"{keyword:8}= {value:>20}".ljust(80).encode()
    return content[:place] + card + content[place + 80 :]


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=("plain", "gzip"))
@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("TFIELDS", 2147483647, "TFIELDS must be at most 999"),
        ("TFIELDS", "'1'", "TFIELDS must be a whole number"),
        ("TFORM1", "'2000000000E'", "rows have 4 bytes .* and its columns 8000000000"),
        ("TFORM1", "'2I      '", None),
        ("NAXIS1", 40_000_000, "speaks of .* bytes of data|rows have"),
        ("NAXIS1", -4, "NAXIS1 must not be negative"),
        ("NAXIS1", 3, "rows have 3 bytes"),
        ("NAXIS2", 10**12, "speaks of 4000000000000 bytes of data"),
        ("PCOUNT", 10**15, "speaks of"),
        ("GCOUNT", 10**9, "speaks of"),
        ("NAXIS", 2147483647, "NAXIS must be at most 999"),
        ("NAXIS2", 1.5, "NAXIS2 must be a whole number"),
        ("NAXIS2", 768, None),
    ],
)
def test_sizes_that_cannot_be(tmp_path, keyword, value, message, compress):
    path = tmp_path / "map.fits"
    path.write_bytes(compress(edited(table_bytes(), keyword, value)))
    begun = time.monotonic()
    tracemalloc.start()
    try:
        if message is None:
            check_fits_sizes(path)
            with open_fits(path) as hdus:
                assert len(hdus) == 2
        else:
            with pytest.raises(FileFormatError, match=message) as caught:
                check_fits_sizes(path)
            assert str(path) in str(caught.value)
            with pytest.raises(FileFormatError, match=message), open_fits(path):
                pass
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begun < 5


def test_header_without_end(tmp_path):
    path = tmp_path / "map.fits"
    content = table_bytes()
    path.write_bytes(content.replace(b"END ", b"EMD "))
    with pytest.raises(FileFormatError, match="no end"):
        check_fits_sizes(path)


def test_images_tables_and_compressed_images_of_all_kinds_pass(tmp_path):
    image = np.arange(10_000.0, dtype=np.float32).reshape(100, 100)
    variable = np.empty(2, dtype=object)
    variable[:] = [np.arange(3.0), np.arange(5.0)]
    columns = [
        fits.Column("a", "10A", array=["x", "y"]),
        fits.Column("b", "11X", array=np.ones((2, 11), bool)),
        fits.Column("c", "PD()", array=variable),
        fits.Column("d", "3M", array=np.ones((2, 3), complex)),
        fits.Column("e", "0E", array=np.ones((2, 0))),
        fits.Column("f", "L", array=[True, False]),
        fits.Column("g", "2K", array=np.ones((2, 2), int), dim="(2)"),
    ]
    ascii_table = fits.TableHDU.from_columns([fits.Column("a", "F10.3", array=[1.0, 2.0])])
    path = tmp_path / "all.fits"
    path.write_bytes(
        fits_bytes(
            fits.ImageHDU(image),
            fits.BinTableHDU.from_columns(columns),
            ascii_table,
            fits.CompImageHDU(np.zeros((2000, 2000), np.float32), compression_type="RICE_1"),
            fits.CompImageHDU(np.zeros((2000, 2000), np.float32), compression_type="GZIP_1"),
            fits.ImageHDU(),
        )
    )
    check_fits_sizes(path)
    with open_fits(path) as hdus:
        assert len(hdus) == 7


def test_compressed_image_that_states_too_much(tmp_path):
    path = tmp_path / "image.fits"
    hdu = fits.CompImageHDU(np.zeros((100, 100), np.float32), compression_type="GZIP_1")
    path.write_bytes(edited(fits_bytes(hdu), "ZNAXIS1", 10**9))
    with pytest.raises(FileFormatError, match="largest_inflated"):
        check_fits_sizes(path)


@pytest.mark.parametrize("keyword", ["NAXIS2", "TFIELDS", "TTYPE1"])
def test_a_size_that_stands_twice(tmp_path, keyword):
    # astropy would take the last one, whatever was looked at before.
    content = table_bytes()
    place = content.rindex(keyword.ljust(8).encode() + b"=")
    same, other = content[place : place + 80], f"{keyword:8}= {7:>20}".ljust(80).encode()
    end = content.rindex(b"END".ljust(80))
    path = tmp_path / "a.fits"
    for card in (same, other):
        path.write_bytes(content[:end] + card + content[end : end + 80] + content[end + 160 :])
        if card is same or keyword == "TTYPE1":
            check_fits_sizes(path)
            continue
        with pytest.raises(FileFormatError, match=f"{keyword} stands in a header twice"):
            check_fits_sizes(path)


def test_a_format_of_a_column_that_is_missing(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(table_bytes().replace(b"TFORM1  =", b"TFORX1  ="))
    with pytest.raises(FileFormatError, match="TFORM1 is missing"):
        check_fits_sizes(path)


@pytest.mark.parametrize(("blocks", "refused"), [(10, False), (101, True)])
def test_bytes_behind_the_last_hdu(tmp_path, blocks, refused):
    path = tmp_path / "a.fits"
    path.write_bytes(table_bytes() + bytes(2880 * blocks))
    if not refused:
        check_fits_sizes(path)
        return
    with pytest.raises(FileFormatError, match="290880 bytes behind its last HDU"):
        check_fits_sizes(path)


def test_a_card_that_is_understood_late_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "a.fits"
    card = b"EXTNAME = 'OPEN"
    path.write_bytes(
        fits_bytes(fits.ImageHDU(np.zeros(3), name="OPEN")).replace(
            b"EXTNAME = 'OPEN    '", card.ljust(20)
        )
    )
    with pytest.raises(FileFormatError, match="cannot be read as FITS"), open_fits(path) as hdus:
        assert "OTHER" not in hdus


def test_content_that_inflates_beyond_the_limit(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(400):
            stream.write(b"0" * 100_000)
    assert conf.largest_inflated == 256
    with conf.set_temp("largest_inflated", 20):
        tracemalloc.start()
        with pytest.raises(FileFormatError, match="more than 20 MB.*szmass.conf.largest_inflated"):
            read_content(path)
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()
    assert len(read_content(path)) == 40_000_000


def test_npz_is_judged_by_its_directory(tmp_path):
    path = tmp_path / "weights.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(1_000_000))
    with pytest.raises(FileFormatError, match="inflates to more than 256 MB"):
        check_npz(path)


def test_npz_with_two_arrays_of_one_name(tmp_path):
    path, array = tmp_path / "weights.npz", io.BytesIO()
    np.save(array, np.zeros(2))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", array.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", array.getvalue())
    with pytest.raises(FileFormatError, match="two arrays of one name"):
        check_npz(path)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((10**9,), "<f8", r"states an array \(1000000000,\) of float64, and has 80 bytes"),
        ((10,), "|O", "states an array"),
        ((10,), "<f8", None),
    ],
)
def test_npz_whose_arrays_state_too_much(tmp_path, shape, kind, message):
    path = tmp_path / "weights.npz"
    header = io.BytesIO()
    description = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(80))
    if message is None:
        check_npz(path)
        return
    with pytest.raises(FileFormatError, match=message):
        check_npz(path)
