"""Whole skies, against the flat-sky painter that has tests of its own."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry, DepthMap, NoiseModel
from szmass.simulations import (
    Observation,
    draw_clusters,
    from_masses,
    simulate,
    simulate_sky,
    write_sky,
)

# Poles, the equator, the border between HEALPix's caps and its belt, the seam at longitude 0.
POSITIONS = SkyCoord(
    [0, 120, 33, 359.9, 310, 77] * u.deg, [90, -90, 41.81, -30, 0.5, 85] * u.deg, frame="galactic"
)
MASSES = [6e14, 4e14, 1e15, 3e14, 8e14, 7e14] * u.solMass
REDSHIFTS = [0.3, 0.1, 0.05, 0.5, 0.8, 0.03]


@pytest.fixture(scope="module")
def sample():
    return from_masses(MASSES, REDSHIFTS, coord=POSITIONS)


def total_y(ymap):
    """Integral of y over the sky [arcmin2]."""
    pixel = healpy.nside2pixarea(ymap.nside) * u.sr.to(u.arcmin**2)
    return np.sum(ymap._pixels.take(np.arange(12 * ymap.nside**2))) * pixel


@pytest.mark.parametrize("frame", ["galactic", "icrs"])
@pytest.mark.parametrize("nside", [512, 1024])
def test_cutouts_are_those_of_the_flat_painter(sample, nside, frame):
    geometry = CutoutGeometry(shape=(64, 64), frame=frame)
    ymap, mocks = simulate_sky(sample, nside=nside, frame=frame, cosmology="PSZ2", seed=3)
    mocks.attach_cutouts(ymap, interpolation="nearest", geometry=geometry)
    flat = Observation(name="flat", sampling="nearest", nside=nside, geometry=geometry)
    expected = simulate(sample, flat, cosmology="PSZ2", seed=3).cutouts.data
    difference = np.abs(mocks.cutouts.data - expected).max(axis=(1, 2))
    assert np.all(difference < 1e-3 * expected.max(axis=(1, 2)))


def test_truth_and_total_y(sample):
    ymap, mocks = simulate_sky(sample, nside=512, cosmology="PSZ2", seed=3)
    truth = draw_clusters(sample, cosmology="PSZ2", seed=3)
    np.testing.assert_array_equal(mocks.quantity("y500_true"), truth["y500_true"])
    assert mocks.cutouts is None
    assert "y500_true" not in sample.table.colnames
    assert total_y(ymap) == pytest.approx(truth["y5r500_true"].value.sum(), rel=0.005)


def test_a_cluster_that_is_degrees_wide_keeps_its_y():
    near = from_masses(8e14 * u.solMass, 0.01, coord=POSITIONS[3:4])
    ymap, mocks = simulate_sky(near, nside=256, cosmology="PSZ2", seed=1)
    assert mocks.quantity("theta500_true")[0] > 1.4 * u.deg
    assert total_y(ymap) == pytest.approx(mocks.quantity("y5r500_true")[0].value, rel=0.005)
    with pytest.raises(InvalidInputError, match=r"reaches .* deg from its centre"):
        simulate_sky(from_masses(2e15 * u.solMass, 0.001), nside=64, cosmology="PSZ2", seed=1)


def test_given_y500_takes_the_place_of_the_drawn():
    many = from_masses(np.geomspace(1e14, 1e15, 700) * u.solMass, 0.3, seed=2)
    y500 = np.geomspace(1e-4, 5e-3, 700) * u.arcmin**2
    options = {"nside": 256, "model": "a10-spheres", "cosmology": "PSZ2", "seed": 3}
    ymap, mocks = simulate_sky(many, y500=y500, **options)
    np.testing.assert_allclose(mocks.quantity("y500_true"), y500, rtol=1e-12)
    drawn = draw_clusters(many, "a10-spheres", cosmology="PSZ2", seed=3)
    ratio = mocks.quantity("y5r500_true") / drawn["y5r500_true"]
    np.testing.assert_allclose(ratio, y500 / drawn["y500_true"], rtol=1e-12)
    np.testing.assert_allclose(
        np.asarray(mocks.table["ln_y"]) - drawn["ln_y"], np.log(ratio), atol=1e-12
    )
    assert total_y(ymap) == pytest.approx(mocks.quantity("y5r500_true").value.sum(), rel=0.005)
    with pytest.raises(InvalidInputError, match="'y500' must have one value per cluster"):
        simulate_sky(many, y500=y500[1:], **options)
    pixels = np.arange(12 * 256**2)
    shared, plain = simulate_sky(many, y500=y500, truth=False, workers=2, **options)
    np.testing.assert_array_equal(shared._pixels.take(pixels), ymap._pixels.take(pixels))
    assert "y500_true" not in plain.table.colnames


def test_neighbours_add_up(sample):
    both = from_masses(MASSES[:2], REDSHIFTS[:2], coord=POSITIONS[[2, 2]])
    together, _ = simulate_sky(both, nside=256, cosmology="PSZ2", seed=5)
    alone = [simulate_sky(both[i : i + 1], nside=256, cosmology="PSZ2", seed=5)[0] for i in (0, 1)]
    pixels = np.arange(12 * 256**2)
    expected = sum(ymap._pixels.take(pixels) for ymap in alone)
    np.testing.assert_allclose(together._pixels.take(pixels), expected, atol=1e-11)


def test_noise_is_added_with_its_depth(sample):
    depth = DepthMap(np.where(np.arange(12) < 6, 2.0, np.nan))
    noise = NoiseModel.planck("total", depth=depth)
    ymap, mocks = simulate_sky(sample, nside=256, noise=noise, cosmology="PSZ2", seed=2)
    clean, _ = simulate_sky(sample, nside=256, cosmology="PSZ2", seed=2)
    pixels = np.arange(12 * 256**2)
    field = ymap._pixels.take(pixels) - clean._pixels.take(pixels)
    known = np.isfinite(field)
    np.testing.assert_array_equal(known, np.isfinite(depth.on_sky(256)))
    ell = np.arange(3 * 256)
    variance = np.sum((2 * ell + 1) * noise.spectrum(np.maximum(ell, 1)).to_value(u.sr))
    assert np.std(field[known]) == pytest.approx(2 * np.sqrt(variance / (4 * np.pi)), rel=0.03)
    np.testing.assert_array_equal(mocks.table["depth"], depth.at(sample.coord))
    again, _ = simulate_sky(sample, nside=256, noise=noise, cosmology="PSZ2", seed=2)
    np.testing.assert_array_equal(again._pixels.take(pixels), ymap._pixels.take(pixels))


@pytest.mark.parametrize("name", ["sky.fits", "sky.fits.gz"])
def test_file_is_read_back_without_being_told_anything(sample, tmp_path, name):
    ymap, _ = simulate_sky(sample, nside=64, frame="icrs", cosmology="PSZ2", seed=2)
    write_sky(ymap, tmp_path / name)
    back = ComptonMap.read(tmp_path / name)
    assert (back.nside, back.ordering, back.frame) == (64, "ring", "icrs")
    assert back.beam == 10 * u.arcmin
    pixels = np.arange(12 * 64**2)
    np.testing.assert_array_equal(back._pixels.take(pixels), ymap._pixels.take(pixels))
    np.testing.assert_array_equal(healpy.read_map(tmp_path / name), ymap._pixels.take(pixels))
    header = fits.getheader(tmp_path / name, 1)
    assert (header["MODEL"], header["SEED"], header["COSMO"]) == ("a10", 2, "PSZ2")
    with pytest.raises(InvalidInputError, match="exists"):
        write_sky(ymap, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_smallest_maps_and_invalid_pixels_are_written(tmp_path):
    values = np.arange(12, dtype=float)
    values[3] = np.nan
    ymap = ComptonMap.from_healpix(values, ordering="nested", frame="galactic")
    write_sky(ymap, tmp_path / "tiny.fits")
    back = ComptonMap.read(tmp_path / "tiny.fits")
    assert (back.ordering, back.beam) == ("nested", None)
    np.testing.assert_array_equal(back._pixels.take(np.arange(12)), values)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nside": 100}, "power of two"),
        ({"nside": True}, "power of two"),
        ({"beam": None}, "'beam' must be given"),
        ({"beam": "5 arcmin", "noise": NoiseModel.planck()}, "noise of a map with this beam"),
        ({"noise": 1e-6}, "must be a NoiseModel"),
        ({"frame": "fk4"}, "'frame' must be"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_bad_arguments(sample, changed, message):
    with pytest.raises(InvalidInputError, match=message):
        simulate_sky(sample, **({"nside": 32, "cosmology": "PSZ2", "seed": 1} | changed))


def test_bad_samples_and_maps(sample, tmp_path):
    lost = sample[:]
    lost.table["coord"] = SkyCoord(
        [np.nan, *POSITIONS.l.deg[1:]] * u.deg, POSITIONS.b, frame="galactic"
    )
    with pytest.raises(InvalidInputError, match="1 of 6 clusters have no position"):
        simulate_sky(lost, nside=32, cosmology="PSZ2", seed=1)
    wcs = CutoutGeometry(shape=(8, 8)).wcs(POSITIONS[3])
    image = ComptonMap.from_image(np.zeros((8, 8)), wcs)
    with pytest.raises(InvalidInputError, match="must be a HEALPix map"):
        write_sky(image, tmp_path / "image.fits")
