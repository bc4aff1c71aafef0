"""Maps in FITS files with headers as people write them: the right value, or a plain error."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning
from szmass.maps import ComptonMap, Cutout, CutoutGeometry, CutoutStack, NoiseModel

NSIDE = 32
NPIX = 12 * NSIDE**2
VALUES = np.random.default_rng(3).normal(0, 1e-6, NPIX)
COORD = SkyCoord([0, 120, 301], [20, -60, 89], unit="deg", frame="galactic")
GEOMETRY = CutoutGeometry((12, 12), 40 * u.arcmin)
RING = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "COORDSYS": "G", "NSIDE": NSIDE}


def table(*columns, **header):
    """Make a HEALPix table; a keyword that is None is left out."""
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column(name, form, array=array) for name, form, array in columns]
    )
    hdu.header.update({k: v for k, v in (RING | header).items() if v is not None})
    return hdu


def image_header():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.crval = [-0.1, 0.1], [50.5, 50.5], [120, -60]
    return wcs.to_header()


def image_hdu(data, **cards):
    hdu = fits.PrimaryHDU(data, image_header())
    hdu.header.update(cards)
    return hdu


def with_cards(path, cards):
    """Write cards into a file of one image as they are, in the place of others or at the end."""
    with fits.open(path) as hdus:
        end = hdus[0].fileinfo()["datLoc"]
    content = path.read_bytes()
    lines = [content[i : i + 80] for i in range(0, end, 80)]
    for keyword, value in cards.items():
        name = f"{keyword:8}= ".encode()
        lines = [line for line in lines if not line.startswith(name)]
        last = next(i for i, line in enumerate(lines) if line.rstrip() == b"END")
        lines.insert(last, name + f"{value:>20}".ljust(70).encode())
    header = b"".join(lines).rstrip()
    path.write_bytes(header.ljust(-(-len(header) // 2880) * 2880) + content[end:])
    return path


def read(tmp_path, hdu, **options):
    hdu.writeto(tmp_path / "map.fits", overwrite=True)
    return ComptonMap.read(tmp_path / "map.fits", **options)


def check(ymap, expected=VALUES, rtol=1e-6):
    reference = ComptonMap.from_healpix(expected, ordering="ring", frame="galactic")
    found, wanted = (m.cutouts(COORD, geometry=GEOMETRY) for m in (ymap, reference))
    np.testing.assert_array_equal(found.footprint, wanted.footprint)
    np.testing.assert_allclose(found.data, wanted.data, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("scheme", [None, "EXPLICIT", " explicit "])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("form", ["J", "K", "D", "E"])
@pytest.mark.parametrize("name", ["PIXEL", "pixel", "IPIX", "HPXPIX", "PIXNUM"])
def test_pixel_numbers_count_whatever_the_scheme_says(tmp_path, name, form, nested, scheme):
    order = np.random.default_rng(1).permutation(NPIX)
    pixels = healpy.ring2nest(NSIDE, order) if nested else order
    columns = [("Y", "D", VALUES[order]), (name, form, pixels)]
    ordering = "NESTED" if nested else "RING"
    check(read(tmp_path, table(*columns, INDXSCHM=scheme, ORDERING=ordering)))
    half = [(label, form_, array[: NPIX // 2]) for label, form_, array in reversed(columns)]
    partial = np.full(NPIX, np.nan)
    partial[order[: NPIX // 2]] = VALUES[order[: NPIX // 2]]
    check(read(tmp_path, table(*half, INDXSCHM=scheme, ORDERING=ordering)), partial)


def test_pixel_numbers_in_vectors_and_as_unsigned_integers(tmp_path):
    order = np.random.default_rng(1).permutation(NPIX)
    columns = [("PIXEL", "1024J", order.reshape(-1, 1024))]
    columns += [("Y", "1024D", VALUES[order].reshape(-1, 1024))]
    check(read(tmp_path, table(*columns)))
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column("PIXEL", "J", bzero=2**31, array=order.astype("u4")),
            fits.Column("Y", "D", array=VALUES[order]),
        ],
        fits.Header(RING),
    )
    check(read(tmp_path, hdu))


@pytest.mark.parametrize(
    ("numbers", "form", "header", "match"),
    [
        ([1, 2, 2], "J", {}, "twice"),
        ([1, 2, -3], "J", {}, "from -3 to 2"),
        ([1, 2, NPIX], "J", {}, f"from 0 to {NPIX - 1}"),
        ([1, 2, 2.5], "D", {}, "'PIXEL' of .*map.fits must hold pixel numbers"),
        ([1, 2, np.nan], "E", {}, "must hold pixel numbers"),
        ([1, 2, 2**24 + 2], "E", {}, "must hold pixel numbers"),
        (["1", "2", "3"], "3A", {}, "must hold pixel numbers"),
        ([3, 1, 2], "J", {"NSIDE": None}, "must have the keyword NSIDE"),
        ([3, 1, 2], "J", {"NSIDE": 0}, "NSIDE = 0; expected a number from 1"),
        ([3, 1, 2], "J", {"NSIDE": -4}, "NSIDE = -4"),
        ([3, 1, 2], "J", {"NSIDE": 2**30}, "NSIDE = 1073741824"),
        ([3, 1, 2], "J", {"NSIDE": True}, "NSIDE = True"),
        ([3, 1, 2], "J", {"INDXSCHM": "IMPLICIT"}, "INDXSCHM = 'IMPLICIT' and a column 'PIXEL'"),
        ([3, 1, 2], "J", {"INDXSCHM": "SPARSE"}, "INDXSCHM = 'SPARSE'; expected"),
    ],
)
def test_pixel_numbers_that_cannot_be(tmp_path, numbers, form, header, match):
    hdu = table(("PIXEL", form, numbers), ("Y", "E", np.zeros(3)), **header)
    with pytest.raises(FileFormatError, match=match):
        read(tmp_path, hdu)


def test_numbers_and_values_must_be_as_many(tmp_path):
    hdu = table(("PIXEL", "J", [1, 2]), ("Y", "2E", np.zeros((2, 2))))
    with pytest.raises(FileFormatError, match="2 pixel numbers and 4 values"):
        read(tmp_path, hdu)
    hdu = table(("IPIX", "J", [1, 2]), ("HPIX", "J", [1, 2]), ("Y", "E", np.zeros(2)))
    with pytest.raises(FileFormatError, match="several columns of pixel numbers: IPIX, HPIX"):
        read(tmp_path, hdu)


@pytest.mark.parametrize(
    "header",
    [
        {"BAD_DATA": ""},
        {"BAD_DATA": "  "},
        {"BAD_DATA": fits.card.Undefined()},
        {"BAD_DATA": "-1.6375D+30"},
        {"BAD_DATA": "nan"},
        {"NSIDE": str(NSIDE)},
        {"NSIDE": float(NSIDE)},
        {"NSIDE": None},
        {"NSIDE": ""},
        {"ORDERING": "ring "},
        {"ORDERING": " Ring"},
        {"COORDSYS": "galactic "},
        {"COORDSYS": "g"},
        {"INDXSCHM": ""},
        {"TUNIT1": ""},
        {"TUNIT1": " Compton-Y "},
        {"TUNIT1": fits.card.Undefined()},
        {"HIERARCH BEAM_FWHM": ""},
        {"BMAJ": ""},
        {"BMAJ": 0.0},
        {"BMAJ": True},
        {"BMAJ": "wide"},
    ],
)
def test_odd_values_of_keywords_are_understood(tmp_path, header):
    ymap = read(tmp_path, table(("Y", "D", VALUES), **header))
    check(ymap)
    assert ymap.beam is None


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ({"BAD_DATA": "none at all"}, "map.fits has BAD_DATA = 'none at all'; expected a number"),
        ({"BAD_DATA": True}, "BAD_DATA = True; expected a number"),
        ({"NSIDE": "many"}, "NSIDE = 'many'; expected a number"),
        ({"NSIDE": 32.5}, "NSIDE = 32.5; expected a whole number"),
        ({"NSIDE": "16"}, "12288 pixels and NSIDE = 16"),
        ({"ORDERING": True}, "ORDERING = 'true'; expected RING or NESTED"),
        ({"ORDERING": fits.card.Undefined()}, "keyword ORDERING"),
        ({"COORDSYS": 1}, "COORDSYS = '1'; expected G, C or E"),
        ({"COORDSYS": fits.card.Undefined()}, "keyword COORDSYS"),
        ({"COORDSYS": ""}, "keyword COORDSYS"),
    ],
)
def test_values_of_keywords_that_cannot_be_used_are_named(tmp_path, header, match):
    with pytest.raises(FileFormatError, match=match):
        read(tmp_path, table(("Y", "D", VALUES), **header))


@pytest.mark.parametrize("form", ["B", "I", "J", "K"])
def test_scaled_integers_of_tables(tmp_path, form):
    stored = np.random.default_rng(0).integers(0, 200, NPIX)
    column = fits.Column("Y", form, array=stored)
    hdu = fits.BinTableHDU.from_columns([column], fits.Header(RING))
    hdu.header.update(TSCAL1=1e-8, TZERO1=-1e-6, TNULL1=7)
    check(read(tmp_path, hdu), np.where(stored == 7, np.nan, stored * 1e-8 - 1e-6))


def test_marks_of_tables_that_are_not_scaled(tmp_path):
    values = VALUES.astype("f4")
    values[::5], values[1::5], values[2::5] = -99.9, -1.6375e30, np.inf
    hdu = table(("Y", "E", values), BAD_DATA=-99.9)
    check(read(tmp_path, hdu), np.where(np.abs(values) < 1, values, np.nan))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8"])
def test_scaled_images(tmp_path, kind, compressed):
    stored = np.random.default_rng(0).integers(0, 200, (100, 100)).astype(kind)
    hdu = image_hdu(stored)
    hdu.header.update(BSCALE=1e-8, BZERO=-1e-6, BLANK=7)
    hdu.writeto(tmp_path / "map.fits")
    path = tmp_path / "map.fits"
    if compressed:
        path = tmp_path / "map.fits.gz"
        with fits.open(tmp_path / "map.fits", do_not_scale_image_data=True) as hdus:
            hdus.writeto(path)
    values = np.where(stored == 7, np.nan, stored * 1e-8 - 1e-6)
    found = ComptonMap.read(path).values()
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-13)


@pytest.mark.parametrize("keyword", ["BAD_DATA", "BLANK"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.filterwarnings("ignore:Invalid 'BLANK'")  # of astropy, as it writes the file
def test_marks_of_images(tmp_path, dtype, keyword):
    data = np.full((100, 100), 1e-5, dtype)
    data[:, 50:] = -99
    ymap = read(tmp_path, image_hdu(data, **{keyword: -99}))
    cutout = ymap.cutout(COORD[1], geometry=CutoutGeometry((20, 20), 6 * u.arcmin))
    assert cutout.footprint.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(cutout.data[cutout.footprint], 1e-5, rtol=1e-6)
    with fits.open(tmp_path / "map.fits") as hdus:
        np.testing.assert_array_equal(ComptonMap.read(hdus).values(), ymap.values())


def test_cutouts_and_stacks_have_marks_too(tmp_path):
    ymap = ComptonMap.from_healpix(VALUES, ordering="ring", frame="galactic")
    stack = ymap.cutouts(COORD, geometry=GEOMETRY, names=["a", "b", "c"])
    stack.write(tmp_path / "stack.fits")
    stack[1].write(tmp_path / "cutout.fits")
    for name, hdu in (("stack", "DATA"), ("cutout", 0)):
        with fits.open(tmp_path / f"{name}.fits", mode="update") as hdus:
            hdus[hdu].data[..., :3] = -99.9
            hdus[hdu].header["BAD_DATA"] = -99.9
    for found in (
        CutoutStack.read(tmp_path / "stack.fits"),
        Cutout.read(tmp_path / "cutout.fits"),
    ):
        assert not found.footprint[..., :3].any()
        assert found.footprint[..., 3:].all()
        assert found.meta == stack.meta


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SHAPE1", "many"),
        ("SHAPE1", 0),
        ("SHAPE2", 13),
        ("NCUTOUTS", 10**12),
        ("PIXSCALE", "wide"),
        ("GEOFRAME", "local"),
        ("ROTATION", True),
        ("BMAJ", "x"),
        ("MAPPIX", -1),
        ("SAMPLING", 3),
    ],
)
def test_a_wrong_card_of_a_stack_is_one_error(tmp_path, keyword, value):
    ymap = ComptonMap.from_healpix(VALUES, ordering="ring", frame="galactic")
    ymap.cutouts(COORD, geometry=GEOMETRY).write(tmp_path / "stack.fits")
    with fits.open(tmp_path / "stack.fits", mode="update") as hdus:
        hdus[0].header[keyword] = value
    with pytest.raises(FileFormatError, match="stack.fits"):
        CutoutStack.read(tmp_path / "stack.fits")


def test_planes_of_one_are_an_image(tmp_path):
    data = VALUES[:10000].reshape(1, 1, 100, 100)
    found = read(tmp_path, image_hdu(data))
    np.testing.assert_array_equal(found.values(), data[0, 0])


@pytest.mark.parametrize(
    "cards",
    [
        {"CRVAL1": "'120.0'"},
        {"CRPIX1": "'50.5'"},
        {"EQUINOX": "'J2000.0'"},
        {"LATPOLE": ""},
        {"RADESYS": ""},
        {"RADESYS": "'ICRS'"},
        {"RADESYS": "'FK4'"},
    ],
)
def test_cards_of_images_that_say_what_they_mean(tmp_path, cards):
    data = VALUES[:10000].reshape(100, 100)
    expected = read(tmp_path, image_hdu(data)).cutouts(COORD, geometry=GEOMETRY)
    path = with_cards(tmp_path / "map.fits", cards)
    found = ComptonMap.read(path)
    assert found.frame == "galactic"
    np.testing.assert_allclose(found.cutouts(COORD, geometry=GEOMETRY).data, expected.data)


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        ({"CRVAL1": "NaN"}, "keyword CRVAL1 cannot be understood"),
        ({"CRVAL1": "'here'"}, "CRVAL1 = 'here'; expected a number"),
        ({"CRPIX2": "T"}, "CRPIX2 = True; expected a number"),
        ({"CDELT1": "0.0"}, "WCS"),
        ({"CTYPE1": "'GLON-XYZ'"}, "WCS"),
        ({"CTYPE1": "'RA---TAN'"}, "WCS"),
        ({"CTYPE1": "'HLON-TAN'", "CTYPE2": "'HLAT-TAN'"}, "CTYPE HLON-TAN"),
        ({"CTYPE1": "'RA---TAN'", "CTYPE2": "'DEC--TAN'", "RADESYS": "'LOCAL'"}, "'LOCAL'"),
        ({"CUNIT1": "'K'"}, "WCS"),
        ({"BUNIT": "'K'"}, "'K', and a Compton-y map is dimensionless"),
        ({"BUNIT": "T"}, "'True', and"),
    ],
)
def test_cards_of_images_that_cannot_be_used(tmp_path, cards, match):
    image_hdu(np.zeros((100, 100)), BUNIT="").writeto(tmp_path / "map.fits")
    path = with_cards(tmp_path / "map.fits", cards)
    with pytest.raises(ValueError, match=match) as caught:
        ComptonMap.read(path)
    assert "map.fits" in str(caught.value)


def test_hdus_are_read_as_files_are(tmp_path):
    path = tmp_path / "map.fits"
    fits.HDUList([fits.PrimaryHDU(), table(("Y", "D", VALUES))]).writeto(path)
    with fits.open(path) as hdus:
        ymap, other = ComptonMap.read(hdus), ComptonMap.read(hdus[1])
        assert ymap.meta["MAPFILE"] == "map.fits"
    check(ymap)  # also after the file is closed
    check(other)
    check(ComptonMap.read(table(("Y", "D", VALUES))))
    image = image_hdu(VALUES[:10000].reshape(100, 100))
    np.testing.assert_array_equal(ComptonMap.read(image).values(), image.data)
    for wrong in (VALUES, None, 3, [image, 3], table):
        with pytest.raises(InvalidInputError, match="'path' must be .* from_image"):
            ComptonMap.read(wrong)
        with pytest.raises(InvalidInputError, match="'path' must be"):
            CutoutStack.read(wrong)


@pytest.mark.parametrize("factor", [2.7e6, 2.7])
def test_a_map_in_kelvin_without_unit_is_told(tmp_path, factor):
    hdu = table(("Y", "D", VALUES * factor * 50))
    with pytest.warns(SzmassWarning, match="map.fits are implausible for Compton-y.*as uK"):
        read(tmp_path, hdu)
    image = image_hdu(VALUES[:10000].reshape(100, 100) * factor * 50)
    with pytest.warns(SzmassWarning, match="BUNIT"):
        read(tmp_path, image)
    part = [("PIXEL", "J", np.arange(50)), ("Y", "D", VALUES[:50] * factor * 50)]
    with pytest.warns(SzmassWarning, match="implausible"):
        read(tmp_path, table(*part))


def test_bright_clusters_and_masks_are_plausible(tmp_path, recwarn):
    bright = VALUES.copy()
    bright[:3] = 0.02
    read(tmp_path, table(("Y", "D", bright)))
    read(tmp_path, table(("Y", "D", np.where(VALUES > 0, 1.0, 0.0))))
    read(tmp_path, table(("Y", "D", np.zeros(NPIX))))
    assert not len(recwarn)


def test_a_noise_model_that_is_broken_is_one_error(tmp_path):
    NoiseModel.planck().write(tmp_path / "noise.ecsv")
    text = (tmp_path / "noise.ecsv").read_text()
    (tmp_path / "noise.ecsv").write_text(text.replace("beam_arcmin", "beam_deg"))
    with pytest.raises(FileFormatError, match=r"noise.ecsv.*beam_arcmin"):
        NoiseModel.read(tmp_path / "noise.ecsv")
