"""X-ray images on the grid of cutouts, and on the shell."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import QTable
from astropy.wcs import WCS
from click.testing import CliRunner

from szmass import ClusterSample
from szmass._tables.files import read_table
from szmass.cli import main
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.morphology import CNNState, MorphologyState, StateFlag, read_xray_images

GRID = CutoutGeometry((41, 41), 12 * u.arcsec)
PLACE = SkyCoord(150.0, 2.0, unit="deg")


def wcs_of(shape, pixel, coord=PLACE, turn=0.0):
    """Tangent plane about a position, in ICRS."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [coord.ra.deg, coord.dec.deg]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel / 3600, pixel / 3600]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.pc = [[c, -s], [s, c]]
    return wcs


def brightness(x, y):
    """Counts per square arcmin at offsets [arcmin] east and north: two bodies, background."""
    main_body = 400 / (1 + (x**2 + y**2) / 0.8**2) ** 1.5
    return main_body + 150 * np.exp(-((x - 1.5) ** 2 + (y + 1) ** 2) / 0.3) + 3


def image_of(shape, pixel, turn=0.0):
    wcs = wcs_of(shape, pixel, turn=turn)
    row, column = np.mgrid[: shape[0], : shape[1]]
    sky = wcs.pixel_to_world(column, row)
    x, y = PLACE.spherical_offsets_to(sky)
    return brightness(x.arcmin, y.arcmin) * (pixel / 60) ** 2, wcs


@pytest.fixture(scope="module")
def clusters():
    return ClusterSample.from_table(
        QTable({"name": ["a", "b"], "ra": [150.0, 20.0] * u.deg, "dec": [2.0, -5.0] * u.deg,
                "redshift": [0.2, 0.3]})
    )  # fmt: skip


@pytest.mark.parametrize(("pixel", "turn"), [(4, 0.0), (7, 33.0), (25, 0.0)])
def test_counts_are_those_of_the_sky(clusters, pixel, turn):
    """Of images with small, turned and large pixels, against the brightness at each pixel."""
    side = int(720 / pixel) | 1
    counts, wcs = image_of((side, side), pixel, turn)
    stack = read_xray_images({"a": NDData(counts, wcs=wcs)}, clusters, GRID)
    assert stack.names.tolist() == ["a", "b"]
    assert np.isnan(stack.data[1]).all()
    row, column = np.mgrid[:41, :41]
    x, y = PLACE.spherical_offsets_to(stack.wcs(0).pixel_to_world(column, row).icrs)
    expected = brightness(x.arcmin, y.arcmin) * 0.2**2
    known = np.isfinite(stack.data[0])
    assert known.all()
    assert stack.data[0].sum() == pytest.approx(expected.sum(), rel=0.01)
    if pixel < 12:
        far = np.hypot(x.arcmin, y.arcmin) > 0.5  # where the peak is not within a pixel
        np.testing.assert_allclose(stack.data[0][far], expected[far], rtol=0.15)


def test_whole_counts_stay_whole_where_pixels_coincide(clusters):
    counts = np.random.default_rng(1).poisson(2.0, (41, 41))
    wcs = GRID.wcs(clusters.coord[0])
    stack = read_xray_images({"a": NDData(counts, wcs=wcs)}, clusters, GRID)
    np.testing.assert_allclose(stack.data[0], counts, atol=1e-4)


def test_exposure_and_background(clusters):
    """What vignetting, chip gaps and a gradient of the background did is undone."""
    wcs = GRID.wcs(clusters.coord[0])
    truth = np.full((41, 41), 9.0)
    gradient = np.broadcast_to(np.linspace(0, 4, 41), (41, 41))
    exposure = np.full((41, 41), 2e4)
    exposure[:, 20:] = 1e4
    exposure[5] = 0.0
    counts = truth * exposure / 2e4 + gradient
    stack = read_xray_images(
        {"a": NDData(counts, wcs=wcs)}, clusters, GRID,
        exposure={"a": exposure}, background={"a": gradient},
    )  # fmt: skip
    found, rest = stack.data[0], np.arange(41) != 5
    assert np.isnan(found[5]).all()
    # The mean of the background is left, over the exposure.
    expected = truth + gradient[rest].mean() * 2e4 / np.where(exposure > 0, exposure, 1)
    np.testing.assert_allclose(found[rest], expected[rest], rtol=1e-5)
    flat = read_xray_images({"a": NDData(truth, wcs=wcs)}, clusters, GRID, background=2.0)
    np.testing.assert_allclose(flat.data[0], truth, rtol=1e-5)


def test_what_is_refused(clusters, tmp_path):
    counts, wcs = image_of((61, 61), 10)
    for images, options, text in (
        ({"c": NDData(counts, wcs=wcs)}, {}, "'c', which is no cluster"),
        ({"a": NDData(counts - 50, wcs=wcs)}, {}, "negative values"),
        ([counts], {}, "'images' must be a dict"),
        ({"a": NDData(counts, wcs=wcs)}, {"exposure": {"a": counts[:5]}}, "shape of the images"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            read_xray_images(images, clusters, GRID, **options)
    fits.writeto(tmp_path / "a.fits", counts)
    with pytest.raises(InvalidInputError, match="pixel_scale|celestial WCS"):
        read_xray_images({"a": tmp_path / "a.fits"}, clusters, GRID)
    (tmp_path / "bad.fits").write_bytes(b"nothing")
    with pytest.raises(FileFormatError):
        read_xray_images({"a": tmp_path / "bad.fits"}, clusters, GRID)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, training):
    """A y-map of one cluster, its noise, X-ray images in two folders, and a catalogue of two."""
    place = tmp_path_factory.mktemp("xray")
    mocks = training.resolved_mocks(2, 12, exposure=30.0, depth=1.0)
    mocks.table["msz"] = mocks.table["mass_true"]
    mocks.table["name"] = ["Abell 1", "Abell 2"]
    mocks.table["name", "coord", "redshift", "msz"].write(place / "catalog.ecsv")
    header = mocks.cutouts[0].wcs.to_header()
    fits.writeto(place / "y.fits", mocks.cutouts.data[0], header)
    training.white_noise(training.RMS, training.BEAM).write(place / "noise.ecsv")
    counts = mocks.fields["xray"].data[0]
    for name in ("images", "exposures"):
        (place / name).mkdir()
    fits.writeto(place / "images" / "A1.fits", counts, header)
    fits.writeto(place / "images" / "A77.fits", counts, header)
    fits.writeto(place / "exposures" / "Abell 1_exp.fits", np.full(counts.shape, 3e4), header)
    return place, mocks


def run(place, output, *more, learned="morphology.fits=resolved"):
    tag = learned.partition(".")[0]
    given = ["--catalog", place / "catalog.ecsv", "--map", place / "y.fits"]
    given += ["--beam", "20 arcsec", "--map-unit", "", "--noise", place / "noise.ecsv"]
    given += ["--estimator", tag, "--set", learned, "--set", f"{tag}.one_minus_b=1.0"]
    given += ["-o", output, "--overwrite", *more]
    return CliRunner().invoke(main, ["state", *map(str, given)])


def test_shell(folder, tmp_path):
    place, mocks = folder
    exposures = ("--xray-exposure", place / "exposures" / "{name}_exp.fits")
    output = tmp_path / "states.ecsv"
    result = run(place, output, "--xray", place / "images", *exposures, "--xray-background", 0)
    assert result.exit_code == 0, result.output
    table = read_table(output)
    flags = np.asarray(table["flag"])
    assert not np.any(flags & StateFlag.NO_XRAY)
    assert flags[1] & StateFlag.NO_IMAGE
    assert flags[1] & StateFlag.PRIOR
    options = {"mass": "msz", "one_minus_b": 1.0}
    expected = MorphologyState(fits="resolved", **options).predict(mocks[:1])
    assert table["log_chi"][0] == pytest.approx(expected["log_chi"][0], abs=0.02)
    # One file, named as the cluster is.
    result = run(place, output, "--xray", place / "images" / "A1.fits")
    assert result.exit_code == 0, result.output
    assert read_table(output)["log_chi"][0] == pytest.approx(table["log_chi"][0], abs=1e-3)
    result = run(place, output, "--xray", place / "images", learned="cnn.networks=resolved")
    assert result.exit_code == 0, result.output
    expected = CNNState(networks="resolved", **options).predict(mocks[:1])
    assert read_table(output)["log_chi"][0] == pytest.approx(expected["log_chi"][0], abs=0.02)
    result = run(place, output)
    assert np.asarray(read_table(output)["flag"])[0] & StateFlag.NO_XRAY


def test_shell_refuses(folder, tmp_path):
    place, _ = folder
    for more, text in (
        (("--xray", place / "images" / "A77.fits"), "no FITS image there is named"),
        (("--xray", place / "none_{name}.fits"), "no FITS image there is named"),
        (("--xray-background", 0), "need --xray"),
        (("--xray", place / "images", "--set", "morphology.definition=x"), "x"),
    ):
        result = run(place, tmp_path / "x.ecsv", *more)
        assert result.exit_code != 0
        assert text in result.output, result.output
    result = run(
        place, tmp_path / "x.ecsv", "--xray", place / "images", learned="morphology.fits=planck"
    )
    assert result.exit_code != 0
    assert "knows y-maps alone" in result.output
