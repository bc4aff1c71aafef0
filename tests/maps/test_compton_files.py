"""Opening maps in FITS files, good and bad ones."""

import gzip

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from szmass._io.fits import read_column
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps import ComptonMap, CutoutGeometry

NSIDE = 32
COORD = SkyCoord([0, 120, 301], [20, -60, 89], unit="deg", frame="galactic")
GEOMETRY = CutoutGeometry((12, 12), 40 * u.arcmin)


def noise(nside=NSIDE):
    return np.random.default_rng(7).normal(0, 1e-6, 12 * nside**2).astype(np.float32)


def write_table(path, columns, repeat=1, unit="", **header):
    """Write a HEALPix table; a keyword that is None is left out."""
    cards = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "COORDSYS": "G", "NSIDE": NSIDE}
    cards |= {key.upper(): value for key, value in header.items()}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name,
                ("" if repeat == 1 else str(repeat)) + format_,
                array=np.reshape(values, (-1, repeat)) if repeat > 1 else values,
                unit=unit,
            )
            for name, format_, values in columns
        ],
        fits.Header({key: value for key, value in cards.items() if value is not None}),
    )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return path


def cut(ymap):
    return ymap.cutouts(COORD, geometry=GEOMETRY)


def assert_same(ymap, reference):
    found, expected = cut(ymap), cut(reference)
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.footprint, expected.footprint)


@pytest.fixture
def reference():
    return ComptonMap.from_healpix(noise(), ordering="ring", frame="galactic")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("repeat", [1, 1024])
@pytest.mark.parametrize("names", [["FULL", "FIRST", "LAST"], ["y"]])
@pytest.mark.parametrize("format_", ["E", "D"])
def test_healpix_files_of_any_layout(tmp_path, reference, names, repeat, format_, compressed):
    columns = [(name, format_, noise() * (i + 1)) for i, name in enumerate(names)]
    path = write_table(tmp_path / "map.fits", columns, repeat)
    if compressed:
        content, path = path.read_bytes(), tmp_path / "map.fits.gz"
        path.write_bytes(gzip.compress(content))
    ymap = ComptonMap.read(path)
    assert_same(ymap, reference)
    assert (ymap.nside, ymap.ordering, ymap.frame) == (NSIDE, "ring", "galactic")
    assert ymap.shape == (12 * NSIDE**2,)
    assert ymap.wcs is None
    assert ymap.meta == {"MAPFILE": path.name, "MAPCOL": names[0], "PIXELS": "healpix"}
    assert cut(ymap).meta == ymap.meta


def test_a_plain_file_stays_where_it_is(tmp_path):
    path = write_table(tmp_path / "map.fits", [("A", "E", noise()), ("B", "E", noise())], 1024)
    with fits.open(path) as hdus:
        values = read_column(path, hdus[1], "B")
    base = values
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert values.dtype == np.dtype(">f4")


def test_maps_written_by_healpy_are_read(tmp_path, reference):
    path = tmp_path / "map.fits"
    healpy.write_map(path, noise(), coord="G", column_names=["y"], dtype=np.float32)
    assert_same(ComptonMap.read(path), reference)
    nested = healpy.reorder(noise(), r2n=True)
    healpy.write_map(path, nested, nest=True, coord="G", dtype=np.float32, overwrite=True)
    ymap = ComptonMap.read(path)
    assert ymap.ordering == "nested"
    assert_same(ymap, reference)


@pytest.mark.parametrize("nest", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_partial_maps_are_invalid_where_they_have_no_pixels(tmp_path, nest, shuffled):
    values = noise().astype(float)
    values[healpy.pix2ang(NSIDE, np.arange(values.size))[0] > 1.3] = healpy.UNSEEN
    values = healpy.reorder(values, r2n=True) if nest else values
    full = ComptonMap.from_healpix(values, ordering="nested" if nest else "ring", frame="galactic")
    path = tmp_path / "partial.fits"
    if shuffled:
        order = np.random.default_rng(0).permutation(np.flatnonzero(values > -1e30))
        columns = [("pixel", "K", order), ("y", "D", values[order])]
        ordering = "NESTED" if nest else "RING"
        write_table(path, columns, ordering=ordering, indxschm="EXPLICIT")
    else:
        healpy.write_map(path, values, nest=nest, coord="G", partial=True, dtype=np.float64)
    ymap = ComptonMap.read(path)
    assert_same(ymap, full)
    complete = cut(ymap).complete
    assert complete.any()
    assert not complete.all()
    mask = np.random.default_rng(4).random(values.size) < 0.05
    masked = ComptonMap.read(path, mask=mask)
    assert cut(masked).footprint.sum() < cut(ymap).footprint.sum()


def test_a_partial_map_without_pixels_covers_nothing(tmp_path):
    columns = [("PIXEL", "J", np.array([], dtype=int)), ("y", "E", np.array([]))]
    path = write_table(tmp_path / "empty.fits", columns, indxschm="EXPLICIT")
    assert not cut(ComptonMap.read(path)).footprint.any()


def test_frame_and_ordering_may_be_stated(tmp_path, reference):
    columns = [("y", "E", noise())]
    path = write_table(tmp_path / "bare.fits", columns, ordering=None, coordsys=None, nside=None)
    with pytest.raises(FileFormatError, match="keyword ORDERING.*ordering='ring'"):
        ComptonMap.read(path, frame="galactic")
    with pytest.raises(FileFormatError, match="keyword COORDSYS.*frame='galactic'"):
        ComptonMap.read(path, ordering="ring")
    assert_same(ComptonMap.read(path, ordering="RING", frame="G"), reference)
    path = write_table(tmp_path / "full.fits", columns, coordsys="C")
    assert ComptonMap.read(path, frame="fk5", ordering="ring").frame == "fk5"
    with pytest.raises(InvalidInputError, match="its ordering is ring, and ordering='nested' says"):
        ComptonMap.read(path, ordering="nested")
    with pytest.raises(InvalidInputError, match="its frame is icrs, and frame='galactic' says"):
        ComptonMap.read(path, frame="galactic")
    with pytest.raises(InvalidInputError, match="'ordering' must be 'ring' or 'nested'"):
        ComptonMap.read(path, ordering="spiral")
    with pytest.raises(InvalidInputError, match="'frame' must be"):
        ComptonMap.read(path, frame="local")


def test_ecliptic_maps_are_turned(tmp_path):
    z = healpy.pix2vec(NSIDE, np.arange(12 * NSIDE**2))[2]
    path = write_table(tmp_path / "ecliptic.fits", [("y", "D", z)], coordsys="E")
    ymap = ComptonMap.read(path)
    assert ymap.frame == "barycentricmeanecliptic"
    cutout = ymap.cutout(COORD[1], geometry=GEOMETRY)
    rows, columns = np.mgrid[:12, :12]
    latitude = cutout.wcs.pixel_to_world(columns, rows).barycentricmeanecliptic.lat
    np.testing.assert_allclose(cutout.data, np.sin(latitude.rad), atol=2e-3)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ({"ordering": "NUNIQ"}, "ORDERING = 'nuniq'; expected RING or NESTED"),
        ({"coordsys": "Q"}, "COORDSYS = 'q'; expected G, C or E"),
        ({"nside": 64}, r"12288 pixels and NSIDE = 64.*cut short"),
        ({"indxschm": "EXPLICIT"}, "partial map.*a column PIXEL"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path, header, match):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())], **header)
    with pytest.raises(FileFormatError, match=match):
        ComptonMap.read(path)


def test_pixel_numbers_outside_the_sky_or_repeated(tmp_path):
    for numbers, match in (([1, 99999], "from 1 to 99999"), ([3, 4, 5, 4], "twice")):
        columns = [("PIXEL", "J", numbers), ("y", "E", np.zeros(len(numbers)))]
        path = write_table(tmp_path / "map.fits", columns, indxschm="EXPLICIT")
        with pytest.raises(FileFormatError, match=match):
            ComptonMap.read(path)


def test_wrong_length_and_nside(tmp_path):
    path = write_table(tmp_path / "map.fits", [("y", "E", np.zeros(100))], nside=None)
    with pytest.raises(FileFormatError, match="100 pixels"):
        ComptonMap.read(path)
    columns = [("y", "E", np.zeros(12 * 9))]
    path = write_table(tmp_path / "map.fits", columns, nside=3, ordering="NESTED")
    with pytest.raises(InvalidInputError, match="power of two. Received: 3"):
        ComptonMap.read(path)
    path = write_table(tmp_path / "map.fits", columns, nside=3)
    assert ComptonMap.read(path).nside == 3


def test_columns_are_chosen_by_name(tmp_path):
    path = write_table(tmp_path / "map.fits", [("A", "E", noise()), ("B", "E", -noise())])
    with pytest.raises(FileFormatError, match="several columns.*Its columns: A, B"):
        ComptonMap.read(path)
    with pytest.raises(FileFormatError, match="no column 'FULL'. Its columns: A, B"):
        ComptonMap.read(path, column="FULL")
    a, b = (cut(ComptonMap.read(path, column=name)).data for name in ("a", "B"))
    np.testing.assert_array_equal(a, -b)
    path = write_table(tmp_path / "map.fits", [("HITS", "J", np.arange(12))], nside=1)
    with pytest.raises(FileFormatError, match="'HITS'.* must hold real numbers"):
        ComptonMap.read(path)


def test_scaled_columns_are_unscaled(tmp_path):
    column = fits.Column("y", "E", array=noise() * 4 + 1, bscale=0.25, bzero=-0.25)
    cards = {"ORDERING": "RING", "COORDSYS": "G", "NSIDE": NSIDE}
    table = fits.BinTableHDU.from_columns([column], fits.Header(cards))
    table.writeto(tmp_path / "map.fits")
    expected = ComptonMap.from_healpix(noise() * 4 + 1, ordering="ring", frame="galactic")
    found = cut(ComptonMap.read(tmp_path / "map.fits")).data
    np.testing.assert_allclose(found, cut(expected).data, rtol=1e-6)


@pytest.mark.parametrize(
    "unit", ["", "unknown", "1", "none", "None", "COMPTON-Y", "y_SZ", "Dimensionless", "Compton y"]
)
def test_names_of_no_unit_are_known(tmp_path, unit):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())], unit=unit)
    assert ComptonMap.read(path).nside == NSIDE


@pytest.mark.parametrize("unit", ["K_CMB", "uK_CMB", "MJy/sr", "K", "10^-6", "%"])
def test_other_units_are_refused(tmp_path, unit):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())], unit=unit)
    with pytest.raises(InvalidUnitError, match="a Compton-y map is dimensionless"):
        ComptonMap.read(path, unit="")


def test_units_that_are_not_understood_need_a_word(tmp_path):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())], unit="my y")
    with pytest.raises(InvalidUnitError, match="'my y'.* say so with unit=''"):
        ComptonMap.read(path)
    assert ComptonMap.read(path, unit="").nside == NSIDE
    with pytest.raises(InvalidUnitError, match="'unit' must be dimensionless"):
        ComptonMap.read(path, unit="K")


def test_bad_pixels_are_marked_where_read(tmp_path):
    values = noise()
    values[:2000] = -1.6375e30
    values[2000:3000] = np.nan
    values[-3000:] = -32768.0
    path = write_table(tmp_path / "map.fits", [("y", "E", values)], bad_data=-32768.0)
    ymap = ComptonMap.read(path)
    good = ComptonMap.from_healpix(
        np.where(np.abs(values) < 1, values, np.nan), ordering="ring", frame="galactic"
    )
    assert_same(ymap, good)
    assert not cut(ymap).complete[2]
    assert np.nanmax(np.abs(cut(ymap).data)) < 1e-5


@pytest.mark.parametrize(
    ("key", "value", "comment", "beam"),
    [
        ("BEAM_FWHM", 10.0, "[arcmin] resolution", 10),
        ("FWHM", 0.1666, "width (deg)", 9.996),
        ("FWHM", "7.2 arcmin", "", 7.2),
        ("BMAJ", 10 / 60, "", 10),
        ("FWHM", 10.0, "no unit said", None),
        ("FWHM", "wide", "", None),
    ],
)
def test_beam_from_the_header(tmp_path, key, value, comment, beam):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())])
    keyword = f"HIERARCH {key}" if len(key) > 8 else key
    with fits.open(path, mode="update") as hdus:
        hdus[1].header[keyword] = (value, comment)
    ymap = ComptonMap.read(path)
    if beam is None:
        assert ymap.beam is None
        assert ComptonMap.read(path, beam="9 arcmin").beam == 9 * u.arcmin
    else:
        assert u.isclose(ymap.beam, beam * u.arcmin, rtol=1e-12)
        with pytest.raises(InvalidInputError, match="its beam is .* and beam='5.0 arcmin' says"):
            ComptonMap.read(path, beam=5 * u.arcmin)


@pytest.mark.parametrize("beam", [10, 10 * u.K])
def test_beam_must_be_an_angle(tmp_path, beam):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())])
    with pytest.raises(InvalidUnitError, match="'beam' must"):
        ComptonMap.read(path, beam=beam)


@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_files_are_refused(tmp_path, compressed):
    path = write_table(tmp_path / "map.fits", [("y", "E", noise())])
    content = path.read_bytes()
    content = gzip.compress(content) if compressed else content
    path = tmp_path / ("cut.fits.gz" if compressed else "cut.fits")
    for fraction in (0.03, 0.5, 0.9):
        path.write_bytes(content[: int(fraction * len(content))])
        with pytest.raises(FileFormatError, match="truncated"):
            ComptonMap.read(path)


def test_files_without_a_map(tmp_path):
    path = tmp_path / "map.fits"
    with pytest.raises(FileNotFoundError):
        ComptonMap.read(path)
    path.write_bytes(b"")
    with pytest.raises(FileFormatError, match="cannot be read as FITS"):
        ComptonMap.read(path)
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(FileFormatError, match="neither an image nor a table"):
        ComptonMap.read(path)
    with pytest.raises(FileFormatError, match="no HDU 'MAP'. It has: 0 'PRIMARY'"):
        ComptonMap.read(path, hdu="MAP")


def image_wcs(ny=40, nx=50):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix = [nx / 2, ny / 2]
    wcs.wcs.cdelt = [-0.1, 0.1]
    wcs.wcs.crval = [120, 30]
    return wcs


def test_images_are_read(tmp_path):
    data = np.random.default_rng(2).normal(size=(40, 50))
    header = image_wcs().to_header()
    header["BUNIT"] = "COMPTON-Y"
    header["BMAJ"] = header["BMIN"] = 0.125
    path = tmp_path / "image.fits"
    empty = fits.ImageHDU(np.zeros((3, 3)), name="OTHER")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header, "Y"), empty]).writeto(path)
    ymap = ComptonMap.read(path)
    assert (ymap.shape, ymap.frame, ymap.beam) == ((40, 50), "icrs", 7.5 * u.arcmin)
    assert (ymap.nside, ymap.ordering) == (None, None)
    assert repr(ymap) == (
        "ComptonMap(shape=(40, 50), projection='TAN', frame='icrs', beam='7.5 arcmin')"
    )
    coord = SkyCoord(120.3, 29.9, unit="deg")
    reference = ComptonMap.from_image(data, image_wcs())
    found = ComptonMap.read(path, hdu="Y", frame="icrs").cutout(coord, geometry=GEOMETRY)
    np.testing.assert_array_equal(found.data, reference.cutout(coord, geometry=GEOMETRY).data)
    with pytest.raises(FileFormatError, match="two celestial axes"):
        ComptonMap.read(path, hdu="OTHER")
    with pytest.raises(InvalidInputError, match="its frame is icrs"):
        ComptonMap.read(path, frame="galactic")
    with pytest.raises(InvalidInputError, match="'column' must be left out: it is for HEALPix"):
        ComptonMap.read(path, column="FULL")
    with pytest.raises(InvalidInputError, match="'ordering' must be left out: it is for HEALPix"):
        ComptonMap.read(path, ordering="ring")


def test_images_that_are_no_maps(tmp_path):
    path = tmp_path / "image.fits"
    wcs = image_wcs()
    fits.PrimaryHDU(np.zeros((2, 40, 50)), wcs.to_header()).writeto(path)
    with pytest.raises(FileFormatError, match=r"two dimensions.*\(2, 40, 50\).*from_image"):
        ComptonMap.read(path)
    header = wcs.to_header()
    header["BUNIT"] = "K_CMB"
    fits.PrimaryHDU(np.zeros((40, 50)), header).writeto(path, overwrite=True)
    with pytest.raises(InvalidUnitError, match="'K_CMB'"):
        ComptonMap.read(path)
    header = fits.Header({"CTYPE1": "FREQ", "CTYPE2": "STOKES"})
    fits.PrimaryHDU(np.zeros((40, 50)), header).writeto(path, overwrite=True)
    with pytest.raises(FileFormatError, match="two celestial axes. Received"):
        ComptonMap.read(path)


def test_repr_of_a_healpix_map(reference):
    assert repr(reference) == ("ComptonMap(nside=32, ordering='ring', frame='galactic', beam=None)")
