"""NoiseModel: what its spectrum implies, draws, estimates from maps, files, bad input."""

import pickle
from itertools import pairwise

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.maps import ComptonMap, CutoutGeometry, CutoutStack
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap, LogNormalDepth, TabulatedDepth
from szmass.maps.noise.mmf import MMFNoiseTable
from szmass.physics.halos import theta500
from szmass.physics.pressure import PRESSURE_PROFILES

GRID = CutoutGeometry()
PIXEL = GRID.pixel_scale.to_value(u.rad)


@pytest.fixture(scope="module")
def total():
    return NoiseModel.planck("total")


def band_powers(fields, pixel, edges):
    """Periodogram of the middle of fields under a window, in bands: an independent estimate."""
    taper = np.multiply.outer(*(np.hanning(n + 2)[1:-1] for n in fields.shape[1:]))
    power = np.abs(np.fft.fft2(fields * taper)) ** 2 * pixel**2 / np.sum(taper**2)
    ly, lx = (2 * np.pi * np.fft.fftfreq(n, pixel) for n in fields.shape[1:])
    ell = np.hypot(ly[:, None], lx)
    return [power[:, (ell >= low) & (ell < high)].mean() for low, high in pairwise(edges)]


# The spectrum


def test_spectrum_is_a_power_law_between_nodes_and_ends_at_the_last():
    model = NoiseModel([100, 1000], [1e-16, 1e-18] * u.sr)
    np.testing.assert_allclose(
        model.spectrum([0, 50, 100, 316.22776601, 1000, 1001]).to_value(u.sr),
        [1e-16, 1e-16, 1e-16, 1e-17, 1e-18, 0],
        rtol=1e-9,
    )
    assert model.spectrum(100).shape == ()
    np.testing.assert_array_equal(model.ell, [100, 1000])


def test_deconvolved_spectrum_is_divided_by_the_beam(total):
    sigma = (10 * u.arcmin).to_value(u.rad) / np.sqrt(8 * np.log(2))
    ratio = total.spectrum(1000, deconvolved=True) / total.spectrum(1000)
    assert float(ratio) == pytest.approx(np.exp(1000 * 1001 * sigma**2), rel=1e-12)
    assert total.spectrum(10000, deconvolved=True).value == np.inf


def test_analytic_spectrum_does_not_diverge(total):
    assert total.spectrum(0) == total.spectrum(30) > total.spectrum(31)
    assert np.isfinite(total.rms())


@given(
    slope=st.floats(-1.5, 1.5),
    low=st.floats(20, 200),
    cut=st.floats(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_rms_of_a_power_law(slope, low, cut):
    model = NoiseModel([low, 3000], np.array([low, 3000.0]) ** slope * u.sr)
    low_l = max(cut, low)
    expected = (3000 ** (slope + 2) - low_l ** (slope + 2)) / (slope + 2)
    if cut < low:
        expected += low**slope * (low**2 - cut**2) / 2
    assert model.rms(ell_min=cut) ** 2 == pytest.approx(expected / (2 * np.pi), rel=2e-3)


def test_correlation_is_the_covariance_of_drawn_pixels(total):
    fields = total.draw(GRID, 800, 5, depth=1, dtype=np.float64)
    for dy, dx in ((0, 0), (3, 4), (10, 0), (30, 20)):
        product = fields[:, dy:, dx:] * fields[:, : 96 - dy, : 96 - dx]
        separation = np.hypot(dy, dx) * GRID.pixel_scale
        expected = total.correlation(separation)
        error = product.mean(axis=(1, 2)).std() / np.sqrt(800)
        assert product.mean() == pytest.approx(expected, abs=4 * error)
    assert total.correlation(0 * u.deg) == pytest.approx(total.rms() ** 2, rel=1e-6)


def test_rms_in_a_field_and_of_large_pixels(total):
    fields = total.draw(GRID, 600, 6, depth=1, dtype=np.float64)
    measured = np.sqrt(fields.var(axis=(1, 2)).mean())
    assert measured == pytest.approx(total.rms(GRID), rel=0.01)
    assert total.rms(GRID) < total.rms()
    blocks = fields.reshape(600, 16, 6, 16, 6).mean(axis=(2, 4))
    assert blocks.std() == pytest.approx(total.rms(pixel_scale=6 * GRID.pixel_scale), rel=0.01)


def test_matched_filter_noise_of_white_noise_is_that_of_least_squares():
    # White noise N and a beam far below the cluster: sigma^-2 = int y^2 / (N Y500^2), here from
    # the projected profile instead of its transform.
    profile, halo = PRESSURE_PROFILES["arnaud2010"], (6e14 * u.solMass, 0.2)
    size = theta500(*halo, cosmology="PSZ2")
    theta = np.linspace(0, 5 * size.value, 20001)[1:]
    y = profile.compton_y(theta * size.unit, *halo, cosmology="PSZ2")
    part = profile.y_spherical(*halo, cosmology="PSZ2") / profile.y_spherical(
        *halo, cosmology="PSZ2", x_max=5
    )
    y500 = np.trapezoid(2 * np.pi * theta * y, theta) * float(part)
    noise = (1e-17 * u.sr).to_value(size.unit**2)
    expected = y500 * np.sqrt(noise / np.trapezoid(2 * np.pi * theta * y**2, theta))
    white = NoiseModel([1, 60000], [1e-17, 1e-17] * u.sr, beam="0.001 arcmin")
    found = white.sigma_y500(size, ell_min=1).to_value(size.unit**2)
    assert found == pytest.approx(expected, rel=2e-3)


def test_matched_filter_noise_scales_and_falls_with_information(total):
    sizes = [[1, 5], [20, np.nan]] * u.arcmin
    sigma = total.sigma_y500(sizes)
    assert sigma.shape == (2, 2)
    assert np.isnan(sigma[1, 1])
    np.testing.assert_allclose(total.scaled(1.5).sigma_y500(sizes), 1.5 * sigma, rtol=1e-12)
    assert np.all(total.sigma_y500(sizes, ell_min=300)[0] > sigma[0])
    other = total.sigma_y500(5 * u.arcmin, profile="planck2013")
    assert other != sigma[0, 1]


def test_fourier_power_has_the_order_of_rfft2(total):
    geometry = CutoutGeometry((64, 96))
    power = total.fourier_power(geometry).to_value(u.sr)
    assert power.shape == (64, 49)
    fundamental = 2 * np.pi / (64 * PIXEL)
    ell = 20 * fundamental
    assert power[20, 0] == pytest.approx(total.spectrum(ell).to_value(u.sr), rel=1e-9)
    np.testing.assert_allclose(power[1:32], power[:-32:-1], rtol=1e-9)
    # The cell of the mean holds the large scales.
    assert (
        total.spectrum(fundamental).to_value(u.sr) < power[0, 0] < total.spectrum(0).to_value(u.sr)
    )


# Draws


@pytest.mark.parametrize("kind", ["total", "instrument"])
def test_draws_have_the_spectrum_they_were_drawn_from(kind):
    model = NoiseModel.planck(kind)
    fields = model.draw(CutoutGeometry((128, 128)), 400, 1, depth=1, dtype=np.float64)
    edges = np.array([300, 500, 800, 1200, 1600, 2000])
    measured = band_powers(fields, PIXEL, edges)
    for low, high, value in zip(edges[:-1], edges[1:], measured, strict=True):
        ell = np.linspace(low, high, 200)
        expected = np.average(model.spectrum(ell).to_value(u.sr), weights=ell)
        # The window mixes neighbouring multipoles; it is 1.5 fundamentals wide.
        assert value == pytest.approx(expected, rel=0.05)


def test_draws_of_white_noise_use_all_modes():
    model = NoiseModel([1, 12000], [1e-17, 1e-17] * u.sr)
    fields = model.draw(CutoutGeometry((60, 40)), 300, 2)
    assert fields.std() == pytest.approx(np.sqrt(1e-17) / PIXEL, rel=0.01)
    neighbours = np.mean(fields[:, 1:] * fields[:, :-1]) / fields.var()
    assert abs(neighbours) < 0.01


def test_draws_keep_large_scales_and_are_not_periodic(total):
    fields = total.draw(GRID, 1500, 3, depth=1)
    offset = fields.mean(axis=(1, 2)).std()
    expected = np.sqrt(total.rms() ** 2 - total.rms(GRID) ** 2)
    assert offset == pytest.approx(expected, rel=0.06)
    # Opposite edges are 2.7 deg apart, not one pixel.
    edges = np.mean(fields[:, :, 0] * fields[:, :, -1]) / total.rms() ** 2
    assert abs(edges) < 0.05
    assert total.correlation(GRID.pixel_scale) / total.rms() ** 2 > 0.9


def test_draws_are_independent_of_each_other(total):
    fields = total.draw(GRID, 40, 4, depth=1).reshape(40, -1)
    correlation = np.corrcoef(fields)[~np.eye(40, dtype=bool)]
    assert np.abs(correlation).max() < 0.5
    assert abs(correlation.mean()) < 0.03


def test_draws_are_reproducible_and_have_shape_and_dtype(total):
    geometry = CutoutGeometry((50, 70), "2 arcmin")
    for dtype in (np.float32, np.float64):
        fields = total.draw(geometry, 19, 11, dtype=dtype)
        assert fields.shape == (19, 50, 70)
        assert fields.dtype == dtype
        assert fields.flags.c_contiguous
        again = total.draw(geometry, 19, np.random.default_rng(11), dtype=dtype)
        np.testing.assert_array_equal(fields, again)
    assert not np.array_equal(total.draw(geometry, 19, 12), again)
    assert total.draw(geometry, 0, 1).shape == (0, 50, 70)
    copy = pickle.loads(pickle.dumps(total))  # noqa: S301
    np.testing.assert_array_equal(copy.draw(geometry, 3, 1), total.draw(geometry, 3, 1))


def test_a_field_with_its_own_generator_does_not_depend_on_the_others(total):
    seeds = [[5, i] for i in range(21)]
    together = total.draw(GRID, 21, seeds)
    apart = [total.draw(GRID, 1, [seed])[0] for seed in seeds[9:11]]
    np.testing.assert_array_equal(together[9:11], apart)
    shuffled = total.draw(GRID, 21, [np.random.default_rng(seed) for seed in seeds[::-1]])
    np.testing.assert_array_equal(shuffled[::-1], together)
    with pytest.raises(InvalidInputError, match=r"one per field \(3\). Received: 2"):
        total.draw(GRID, 3, [1, 2])


def test_depth_of_draws(total):
    ones = total.draw(GRID, 3, 1, depth=1)
    np.testing.assert_allclose(total.draw(GRID, 3, 1, depth=2), 2 * ones, rtol=1e-6)
    factors = [0.5, 1, 3]
    each = total.draw(GRID, 3, 1, depth=factors)
    np.testing.assert_allclose(each, np.array(factors)[:, None, None] * ones, rtol=1e-6)
    drawn = total.draw(CutoutGeometry((32, 32)), 4000, 2)
    uniform = NoiseModel.planck(depth=None).draw(CutoutGeometry((32, 32)), 4000, 2)
    spread = [np.log(np.mean(f**2, axis=(1, 2))).std() / 2 for f in (drawn, uniform)]
    assert np.sqrt(spread[0] ** 2 - spread[1] ** 2) == pytest.approx(0.18, abs=0.03)


def test_depth_map_is_looked_up_at_positions():
    values = np.ones(12 * 8**2)
    lon, lat = healpy.pix2ang(8, np.arange(len(values)), lonlat=True)
    values[lat > 0] = 2.0
    values[0] = np.nan
    model = NoiseModel.planck(depth=DepthMap(values))
    coord = SkyCoord([10, 200], [40, -40], unit="deg", frame="galactic")
    fields = model.draw(GRID, 2, 1, coord=coord.icrs)
    plain = model.draw(GRID, 2, 1, depth=1)
    np.testing.assert_allclose(fields, plain * np.array([2, 1])[:, None, None], rtol=1e-6)
    pole = SkyCoord([lon[0]], [lat[0]], unit="deg", frame="galactic")
    with pytest.raises(InvalidInputError, match="not known at 1 of the 1"):
        model.draw(GRID, 1, 1, coord=pole)
    with pytest.raises(InvalidInputError, match="'coord' must hold 3 positions"):
        model.draw(GRID, 3, 1, coord=coord)
    assert np.isin(model.depth.sample(100, 0), [1, 2]).all()


def test_healpix_draws_have_spectrum_and_depth(total):
    model = NoiseModel(
        [2, 400], np.array([1e-15, 1e-17]) * u.sr, depth=LogNormalDepth(0.2), beam="60 arcmin"
    )
    sky = model.draw_healpix(128, 3, depth=1)
    assert sky.dtype == np.float32
    spectrum = healpy.anafast(sky.astype(float), lmax=250)
    ell = np.arange(251)
    ratio = spectrum[2:] / model.spectrum(ell[2:]).to_value(u.sr)
    weights = 2 * ell[2:] + 1
    for low, high in ((0, 50), (50, 120), (120, 249)):
        mean = np.average(ratio[low:high], weights=weights[low:high])
        assert mean == pytest.approx(1, abs=4 * np.sqrt(2 / weights[low:high].sum()) + 0.005)
    np.testing.assert_array_equal(sky, model.draw_healpix(128, np.random.default_rng(3), depth=1))
    factors = model.draw_healpix(128, 3) / sky
    assert np.log(factors).std() == pytest.approx(0.2, abs=0.06)
    # It varies over degrees, not from pixel to pixel.
    neighbours = np.log(factors)[healpy.get_all_neighbours(128, np.arange(len(sky)))[0]]
    assert np.std(np.log(factors) - neighbours) < 0.03
    known = np.where(np.arange(12 * 8**2) < 84, np.nan, 2.0)
    deep = NoiseModel([2, 400], [1e-15, 1e-17] * u.sr, depth=DepthMap(known))
    masked = deep.draw_healpix(32, 3)
    assert np.isnan(masked).mean() == pytest.approx(84 / 768, abs=0.01)
    icrs = deep.draw_healpix(32, 3, frame="icrs")
    assert np.isnan(icrs).sum() == pytest.approx(np.isnan(masked).sum(), rel=0.2)
    assert not np.array_equal(np.isnan(icrs), np.isnan(masked))


# Estimates from maps


def splits(model, geometry, n, seed):
    """Cutouts of two halves: the same sky, noise of model x sqrt(2) in each."""
    rng = np.random.default_rng(seed)
    sky = rng.normal(0, 3e-6, (n, *geometry.shape))
    coord = SkyCoord(np.linspace(0, 300, n), np.zeros(n), unit="deg")
    options = {"geometry": geometry, "beam": model.beam}
    half = model.scaled(np.sqrt(2))
    return [
        CutoutStack(sky + half.draw(geometry, n, rng, depth=1), None, coord, **options)
        for _ in range(2)
    ]


def masked(stack, footprint):
    data = np.where(footprint, stack.data, np.nan)
    return CutoutStack(data, None, stack.coord, geometry=stack.geometry, beam=stack.beam)


def disc_and_corner(shape):
    y, x = np.indices(shape)
    footprint = np.hypot(y - 0.3 * shape[0], x - 0.6 * shape[1]) > 0.1 * shape[0]
    footprint[3 * shape[0] // 4 :, 3 * shape[1] // 4 :] = False
    return footprint


@pytest.mark.parametrize("kind", ["total", "instrument"])
def test_half_difference_recovers_the_spectrum_through_a_mask(kind):
    model = NoiseModel.planck(kind, depth=None)
    first, second = splits(model, GRID, 1500, 8)
    footprint = disc_and_corner(GRID.shape)
    found = NoiseModel.from_half_difference(masked(first, footprint), second)
    bands = found.meta["bands"]
    edges = np.array(bands["edges"])
    truth = []
    for low, high in pairwise(edges):
        ell = np.linspace(low, high, 400)
        truth.append(np.average(model.spectrum(ell).to_value(u.sr), weights=ell))
    ratio = np.array(bands["spectrum"]) / truth
    # One field has errors of 10 to 90 %; the mean of these has a fortieth of that.
    error = np.array(bands["relative_error"])
    assert error.max() < 0.025
    middle = (edges[1:] < 2500) & (edges[:-1] > 150)
    assert np.all(np.abs(ratio - 1)[middle] < 0.02 + 2 * error[middle])
    assert np.mean(ratio[middle]) == pytest.approx(1, abs=0.01)
    assert found.rms(GRID) == pytest.approx(model.rms(GRID), rel=0.01)
    assert found.beam == 10 * u.arcmin
    assert found.depth is None


def test_ignoring_the_mask_would_be_seen():
    # What the test above holds is not true without the coupling: the raw spectrum is off.
    model = NoiseModel.planck("total", depth=None)
    fields = model.draw(GRID, 600, 8, depth=1, dtype=np.float64)
    footprint = disc_and_corner(GRID.shape)
    ly = 2 * np.pi * np.fft.fftfreq(96, PIXEL)
    ell = np.hypot(ly[:, None], ly)
    band = (ell > 1800) & (ell < 2200)
    raw = np.abs(np.fft.fft2(fields * footprint)) ** 2 * PIXEL**2 / footprint.sum()
    truth = model.spectrum(ell[band]).to_value(u.sr).mean()
    assert raw[:, band].mean() / truth > 1.2


def test_relative_error_is_the_scatter_of_estimates():
    model = NoiseModel.planck("instrument", depth=None)
    found = []
    for seed in range(60):
        first, second = splits(model, GRID, 4, seed)
        bands = NoiseModel.from_half_difference(first, second).meta["bands"]
        found.append(bands["spectrum"])
    scatter = np.std(found, axis=0) / np.mean(found, axis=0)
    np.testing.assert_allclose(scatter, bands["relative_error"], rtol=0.5)


def image_splits(model, shape, seed, ctype="TAN"):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"GLON-{ctype}", f"GLAT-{ctype}"]
    wcs.wcs.crval, wcs.wcs.crpix = [120, 30], [shape[1] / 2, shape[0] / 2]
    wcs.wcs.cdelt = [-1.7 / 60, 1.7 / 60]
    geometry = CutoutGeometry(shape)
    rng = np.random.default_rng(seed)
    noise = model.scaled(np.sqrt(2)).draw(geometry, 2, rng, depth=1)
    return [ComptonMap.from_image(n, wcs, beam=model.beam) for n in noise]


def test_half_difference_of_images():
    model = NoiseModel.planck("total", depth=None)
    first, second = image_splits(model, (400, 300), 3)
    mask = ~disc_and_corner((400, 300))
    found = NoiseModel.from_half_difference(first, second, mask=mask)
    assert found.rms(ell_min=200) == pytest.approx(model.rms(ell_min=200), rel=0.05)
    assert "half difference" in repr(found)


def test_empty_fields_leave_clusters_out():
    model = NoiseModel.planck("total", depth=None)
    ymap = image_splits(model, (400, 400), 4)[0]
    noise = ymap._pixels.data.copy()
    clusters = SkyCoord([119, 121.5, 122], [29, 31.5, 27], unit="deg", frame="galactic")
    x, y = ymap.wcs.world_to_pixel(clusters)
    rows, columns = np.indices(noise.shape)
    for i in range(3):
        noise += 2e-4 * np.exp(-((rows - y[i]) ** 2 + (columns - x[i]) ** 2) / (2 * 4**2))
    bright = ComptonMap.from_image(noise + 1e-5, ymap.wcs, beam=ymap.beam)
    twice = model.scaled(np.sqrt(2))
    found = NoiseModel.from_empty_fields(bright, exclude=clusters.icrs, radius=45 * u.arcmin)
    assert found.rms(ell_min=200) == pytest.approx(twice.rms(ell_min=200), rel=0.05)
    spoilt = NoiseModel.from_empty_fields(bright)
    assert spoilt.rms(ell_min=200) > 2 * twice.rms(ell_min=200)
    stack = bright.cutouts(clusters, geometry=CutoutGeometry((80, 80)))
    part = NoiseModel.from_empty_fields(stack, exclude=clusters, radius=[45, 45, 45] * u.arcmin)
    assert part.rms(ell_min=400) == pytest.approx(twice.rms(ell_min=400), rel=0.15)


def sky_splits(model, nside, seed, **options):
    rng = np.random.default_rng(seed)
    noise = [model.scaled(np.sqrt(2)).draw_healpix(nside, rng) for _ in range(2)]
    sky = rng.normal(0, 1e-6, noise[0].shape).astype(np.float32)
    options = {"ordering": "ring", "frame": "galactic", "beam": model.beam} | options
    return [ComptonMap.from_healpix(sky + n, **options) for n in noise]


@pytest.fixture(scope="module")
def sky_model():
    ell = np.geomspace(5, 380, 300)
    sigma = np.radians(1) / np.sqrt(8 * np.log(2))
    power = (
        1e-16 * (ell / 50) ** -0.4 * (1 + (ell / 115) ** 4) * np.exp(-ell * (ell + 1) * sigma**2)
    )
    return NoiseModel(ell, power * u.sr, beam="60 arcmin")


def test_half_difference_of_whole_skies(sky_model):
    mask = np.abs(healpy.pix2ang(128, np.arange(12 * 128**2), lonlat=True)[1]) < 15
    mask[healpy.query_disc(128, healpy.ang2vec(0.5, 1.0), 0.3)] = True
    found = []
    for seed in range(12):
        first, second = sky_splits(sky_model, 128, seed)
        estimate = NoiseModel.from_half_difference(first, second, mask=mask, apodisation="1 deg")
        found.append(estimate.meta["bands"]["spectrum"])
    bands = estimate.meta["bands"]
    edges, ell = np.array(bands["edges"]), np.arange(400)
    power = sky_model.spectrum(ell).to_value(u.sr)
    truth = []
    for low, high in pairwise(edges):
        inside = (ell >= low) & (ell < high)
        truth.append(np.average(power[inside], weights=2 * ell[inside] + 1))
    error = np.array(bands["relative_error"]) / np.sqrt(12)
    ratio = np.mean(found, axis=0) / truth
    assert np.all(np.abs(ratio - 1) < 0.01 + 3.5 * error)
    np.testing.assert_allclose(np.mean(ratio[5:]), 1, atol=0.01)


def test_nested_maps_give_the_same_and_depth_is_found(sky_model):
    factors = np.where(np.arange(12 * 4**2) < 96, 0.8, 1.25)
    deep = NoiseModel(
        sky_model.ell, sky_model.spectrum(sky_model.ell), beam="60 arcmin", depth=DepthMap(factors)
    )
    first, second = sky_splits(deep, 64, 1)
    found = NoiseModel.from_half_difference(first, second, depth_nside=4)
    np.testing.assert_allclose(
        np.median(found.depth.values[:80]) / np.median(found.depth.values[112:]), 0.64, rtol=0.08
    )
    mask = np.arange(12 * 64**2) < 2000
    rings = NoiseModel.from_half_difference(first, second, mask=mask, apodisation="2 deg")
    nested = [
        ComptonMap.from_healpix(
            healpy.reorder(m._pixels.take(np.arange(12 * 64**2)), r2n=True),
            ordering="nested",
            frame="galactic",
            beam="60 arcmin",
        )
        for m in (first, second)
    ]
    own = healpy.reorder(mask.astype(int), r2n=True).astype(bool)
    other = NoiseModel.from_half_difference(*nested, mask=own, apodisation="2 deg")
    np.testing.assert_allclose(other.spectrum(other.ell), rings.spectrum(rings.ell), rtol=1e-6)


def test_empty_fields_of_a_whole_sky(sky_model):
    ymap = sky_splits(sky_model, 64, 5)[0]
    values = ymap._pixels.take(np.arange(12 * 64**2))
    positions = SkyCoord([20, 200], [40, -60], unit="deg", frame="galactic")
    vectors = healpy.ang2vec(positions.l.deg, positions.b.deg, lonlat=True)
    for vector in vectors:
        values[healpy.query_disc(64, vector, np.radians(3))] += 1e-3
    bright = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam=ymap.beam)
    found = NoiseModel.from_empty_fields(bright, exclude=positions.icrs, radius="5 deg")
    clean = NoiseModel.from_empty_fields(ymap)
    assert found.rms(ell_min=20) == pytest.approx(clean.rms(ell_min=20), rel=0.05)


# The noise table of the matched filters


def test_mmf_table_is_read_and_fitted(tmp_path, total):
    sizes = np.geomspace(0.95, 60, 25)
    sigma = total.sigma_y500(sizes * u.arcmin).to_value(u.arcmin**2)
    factors = np.array([0.8, 1.0, 1.3])
    np.savetxt(tmp_path / "SZ_thetas.txt", sizes)
    np.savetxt(tmp_path / "SZ_skyfracs.txt", [0.1, 0.2, 0.1])
    np.savetxt(tmp_path / "SZ_ylims.txt", np.multiply.outer(sigma, factors).ravel())
    table = MMFNoiseTable.read(tmp_path)
    np.testing.assert_allclose(table.theta500.value, sizes)
    assert (
        repr(table) == "<MMFNoiseTable: 25 sizes 0.95-60.0 arcmin x 3 patches, sky fraction 0.400>"
    )
    at = table.sigma_y500([sizes[3], sizes[7]] * u.arcmin, patch=[2, 0])
    np.testing.assert_allclose(at.value, [1.3 * sigma[3], 0.8 * sigma[7]], rtol=1e-9)
    every = table.sigma_y500(sizes[[3]] * u.arcmin, patch="all")
    np.testing.assert_allclose(every.value, [sigma[3] * factors], rtol=1e-9)
    model = NoiseModel.from_mmf_table(tmp_path)
    # The formula's own noise is given back.
    assert model.meta["misfit_max"] < 1e-4
    assert model.meta["amplitude"] == pytest.approx(4.54e-17, rel=1e-3)
    assert model.meta["slope"] == pytest.approx(-0.361, abs=2e-3)
    np.testing.assert_allclose(model.depth.factors, factors, rtol=1e-9)
    np.testing.assert_allclose(model.depth.weights, [0.25, 0.5, 0.25])
    one = NoiseModel.from_mmf_table(table, patch=2)
    assert one.meta["amplitude"] == pytest.approx(1.3**2 * 4.54e-17, rel=1e-3)
    assert one.depth is None
    with pytest.raises(InvalidInputError, match="whole numbers from 0 to 2"):
        NoiseModel.from_mmf_table(table, patch=3)


def test_mmf_table_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be the folder that holds"):
        MMFNoiseTable.read(tmp_path)
    np.savetxt(tmp_path / "SZ_thetas.txt", [1.0, 2.0])
    np.savetxt(tmp_path / "SZ_skyfracs.txt", [0.1, 0.1])
    np.savetxt(tmp_path / "SZ_ylims.txt", [1e-4, 1e-4, 2e-4])
    with pytest.raises(FileFormatError, match="must have 2 x 2 = 4 numbers.*truncated"):
        MMFNoiseTable.read(tmp_path)
    (tmp_path / "SZ_ylims.txt").write_text("1e-4\n<html>\n")
    with pytest.raises(FileFormatError, match="must hold numbers only"):
        MMFNoiseTable.read(tmp_path)
    np.savetxt(tmp_path / "SZ_ylims.txt", [1e-4, -1e-4, 2e-4, 3e-4])
    with pytest.raises(FileFormatError, match="not the noise table.*positive"):
        MMFNoiseTable.read(tmp_path)
    with pytest.raises(InvalidInputError, match="must be an MMFNoiseTable"):
        NoiseModel.from_mmf_table(3)


# Depth


def test_tabulated_depth_keeps_the_distribution():
    depth = TabulatedDepth([1.2, 0.8, 1.0], [1, 1, 2])
    drawn = depth.sample(4000, 1)
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, [0.8, 1.0, 1.2])
    np.testing.assert_allclose(counts / 4000, [0.25, 0.5, 0.25], atol=0.03)
    assert set(np.unique(depth.on_sky(16, 1))) <= {0.8, 1.0, 1.2}
    assert "5-50-95 % 0.80-1.00-1.20" in repr(depth)


def test_depth_map_marks_what_is_not_known():
    values = np.full(12 * 4**2, 3e-6)
    values[:5] = [0, np.nan, healpy.UNSEEN, np.inf, -1]
    depth = DepthMap(values, normalise=True)
    assert np.isnan(depth.values[:5]).all()
    assert (depth.values[5:] == 1).all()
    assert "nside=4" in repr(depth)
    coarse = depth.on_sky(2)
    assert coarse.shape == (48,)
    assert np.nanmax(coarse) == 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LogNormalDepth(-0.1), "'sigma_ln' must be a number >= 0"),
        (lambda: TabulatedDepth([]), "not empty"),
        (lambda: TabulatedDepth([1, 0]), "'factors' must be positive"),
        (lambda: TabulatedDepth([1, 2], [1]), "of one length"),
        (lambda: TabulatedDepth([1, 2], [0, 0]), "not all 0"),
        (lambda: DepthMap(np.ones(11)), "12 nside"),
        (lambda: DepthMap(np.zeros(12)), "positive somewhere"),
        (lambda: DepthMap(np.ones(12), "nowhere"), "'frame' must be"),
    ],
)
def test_depth_refuses(make, match):
    with pytest.raises(InvalidInputError, match=match):
        make()


# Files


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
@pytest.mark.parametrize("depth", [None, LogNormalDepth(0.2), TabulatedDepth([0.9, 1.1], [1, 3])])
@pytest.mark.parametrize("beam", [None, 10 * u.arcmin])
def test_file_round_trip(tmp_path, total, suffix, depth, beam):
    path = tmp_path / f"noise{suffix}"
    meta = {"source": "test", "bands": {"edges": [1.0, 2.0]}}
    model = NoiseModel(total.ell, total.spectrum(total.ell), beam=beam, depth=depth, meta=meta)
    model.write(path)
    back = NoiseModel.read(path)
    np.testing.assert_array_equal(back.ell, model.ell)
    np.testing.assert_array_equal(back.spectrum(back.ell), model.spectrum(model.ell))
    assert (back.beam, back.meta, repr(back.depth)) == (beam, meta, repr(depth))
    with pytest.raises(InvalidInputError, match="exists"):
        model.write(path)


def test_depth_map_goes_to_fits_only(tmp_path):
    values = np.linspace(0.5, 2, 48)
    values[3] = np.nan
    model = NoiseModel.planck(depth=DepthMap(values, "icrs"))
    with pytest.raises(InvalidInputError, match="with a depth map is written as .fits"):
        model.write(tmp_path / "noise.ecsv")
    model.write(tmp_path / "noise.fits")
    back = NoiseModel.read(tmp_path / "noise.fits")
    np.testing.assert_array_equal(back.depth.values, values)
    assert back.depth.frame == "icrs"
    assert not list(tmp_path.glob(".*"))


def test_files_that_are_something_else(tmp_path, total):
    path = tmp_path / "noise.fits"
    total.write(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(FileFormatError, match="truncated"):
        NoiseModel.read(path)
    total.write(path, overwrite=True)
    with fits.open(path, mode="update") as hdus:
        hdus[1].header["NAXIS2"] -= 9
    with pytest.raises(FileFormatError, match=r"has \d+ rows of the \d+ that were written"):
        NoiseModel.read(path)
    with pytest.raises(FileNotFoundError):
        NoiseModel.read(tmp_path / "none.ecsv")
    QTable({"a": [1]}).write(tmp_path / "other.ecsv")
    with pytest.raises(FileFormatError, match="no noise model"):
        NoiseModel.read(tmp_path / "other.ecsv")
    with pytest.raises(InvalidInputError, match="written as .fits or .ecsv"):
        total.write(tmp_path / "noise.vot")


# Bad input


@pytest.mark.parametrize(
    ("ell", "spectrum", "error", "match"),
    [
        ([1, 2], [1, -1] * u.sr, InvalidInputError, "'spectrum' must be positive.*-1"),
        ([1, 2], [1, 0] * u.sr, InvalidInputError, "'spectrum' must be positive"),
        ([1, 2], [1, np.nan] * u.sr, InvalidInputError, "'spectrum' must be finite"),
        ([2, 1], [1, 1] * u.sr, InvalidInputError, "'ell' must increase.*2 before 1"),
        ([1, 1], [1, 1] * u.sr, InvalidInputError, "'ell' must increase"),
        ([0, 1], [1, 1] * u.sr, InvalidInputError, "'ell' must be positive"),
        ([1, 2, 3], [1, 1] * u.sr, InvalidInputError, "of one length"),
        ([], [] * u.sr, InvalidInputError, "at least 2 long"),
        ([1, 2], [1, 1], InvalidUnitError, "'spectrum' must be a Quantity"),
        ([1, 2], [1, 1] * u.deg, InvalidUnitError, "converts to sr"),
    ],
)
def test_model_refuses_spectra(ell, spectrum, error, match):
    with pytest.raises(error, match=match):
        NoiseModel(ell, spectrum)


def test_what_needs_a_beam_says_so():
    model = NoiseModel([1, 5000], [1e-17, 1e-17] * u.sr)
    for use in (
        lambda: model.sigma_y500(5 * u.arcmin),
        lambda: model.spectrum(5, deconvolved=True),
    ):
        with pytest.raises(InvalidInputError, match="has no beam"):
            use()
    assert model.spectrum(5).value == pytest.approx(1e-17)
    assert "beam=None" in repr(model)


@pytest.mark.parametrize(
    ("use", "match"),
    [
        (
            lambda m: NoiseModel([1, 2], [1, 1] * u.sr, depth=0.18),
            "'depth' must be a LogNormalDepth",
        ),
        (lambda m: m.spectrum(-1), "'ell' must be >= 0"),
        (lambda m: m.correlation(-1 * u.deg), "'separation' must be >= 0"),
        (lambda m: m.rms(GRID, ell_min=30), "either 'geometry' or 'ell_min'"),
        (lambda m: m.sigma_y500(-1 * u.arcmin), "'theta500' must be positive"),
        (lambda m: m.sigma_y500(1 * u.arcmin, ell_min=1e5), "below the last multipole"),
        (lambda m: m.sigma_y500(1 * u.arcmin, profile="battaglia2012-agn"), "one shape for all"),
        (lambda m: m.scaled(0), "'factor' must be positive"),
        (lambda m: m.draw(GRID, -1, 1), "'n' must be a whole number"),
        (lambda m: m.draw(GRID, 2.5, 1), "'n' must be a whole number"),
        (lambda m: m.draw(GRID, 2, 1, padding=0.5), "'padding' must be at least 1"),
        (lambda m: m.draw(GRID, 2, 1, dtype=np.int32), "'dtype' must be"),
        (lambda m: m.draw(GRID, 2, 1, depth=[1, 2, 3]), "one factor or one per field"),
        (lambda m: m.draw(GRID, 2, 1, depth=np.nan), "'depth' must be finite"),
        (lambda m: m.draw((96, 96), 2, 1), "'geometry' must be a CutoutGeometry"),
        (lambda m: m.draw(CutoutGeometry((9, 9), 0.1), 2, 1), "use geometry.scaled"),
        (
            lambda m: m.draw(GRID, 1, 1, coord=SkyCoord([1], [1], unit="deg")),
            "needs a depth that is known by position",
        ),
        (
            lambda m: m.draw(GRID, 1, 1, depth=1, coord=SkyCoord([1], [1], unit="deg")),
            "either 'depth' or 'coord'",
        ),
        (lambda m: m.draw_healpix(0, 1), "'nside' must be"),
        (lambda m: m.draw_healpix(8, 1, frame="nowhere"), "'frame' must be"),
    ],
)
def test_model_refuses(total, use, match):
    with pytest.raises(InvalidInputError, match=match):
        use(total)


def test_unknown_kind_lists_the_known():
    with pytest.raises(UnknownNameError, match="Known: 'total', 'instrument'"):
        NoiseModel.planck("optimistic")


def test_splits_on_different_grids_are_refused(sky_model, total):
    first, second = image_splits(total, (200, 200), 1)
    other = second.wcs.deepcopy()
    other.wcs.crval = [120.5, 30]
    shifted = ComptonMap.from_image(second._pixels.data, other, beam=second.beam)
    sine = image_splits(total, (200, 200), 1, ctype="SIN")[0]
    smaller = image_splits(total, (200, 50), 1)[0]
    beamless = ComptonMap.from_image(second._pixels.data, second.wcs)
    low, high = sky_splits(sky_model, 16, 1)[0], sky_splits(sky_model, 32, 1)[0]
    nested = sky_splits(sky_model, 16, 1, ordering="nested")[0]
    ecliptic = sky_splits(sky_model, 16, 1, frame="ecliptic")[0]
    stack = splits(total, CutoutGeometry((20, 20)), 3, 1)[0]
    cases = [
        (first, shifted, "the grid of 'first' is.*pixels away"),
        (first, sine, "the grid of 'first' is GLON-TAN/GLAT-TAN, that of 'second' is GLON-SIN"),
        (first, smaller, r"the shape of 'first' is \(200, 200\)"),
        (first, beamless, "the beam of 'first' is 10.0 arcmin, that of 'second' is None"),
        (low, high, "is nside 16 ring, that of 'second' is nside 32 ring"),
        (low, nested, "is nside 16 ring, that of 'second' is nside 16 nested"),
        (low, ecliptic, "the frame of 'first' is galactic"),
        (first, stack, "the type of 'first' is ComptonMap"),
        (stack, stack[:2], "the number of 'first' is 3"),
        (stack, stack[[1, 0, 2]], "a position of 'first'"),
    ]
    for one, two, match in cases:
        with pytest.raises(InvalidInputError, match=match):
            NoiseModel.from_half_difference(one, two)


def test_estimates_refuse_other_bad_input(sky_model, total):
    first, second = image_splits(total, (60, 60), 1)
    low = sky_splits(sky_model, 16, 1)
    stack = splits(total, CutoutGeometry((20, 20)), 3, 1)
    half = NoiseModel.from_half_difference
    coord = SkyCoord([1], [1], unit="deg")
    everything = np.ones((60, 60), bool)
    cases = [
        (
            lambda: half(first, second, mask=np.zeros((5, 5), bool)),
            "'mask' must be bool, of the shape",
        ),
        (lambda: half(*low, mask=np.zeros(12 * 32**2, bool)), r"\(3072,\) \(nside 16\)"),
        (lambda: half(first, second, mask=np.zeros((60, 60))), "'mask' must be bool.*float64"),
        (lambda: half(*stack, mask=everything), "use apply_mask"),
        (lambda: half(first, second, mask=everything), "No pixel is left"),
        (lambda: half(*low, mask=np.ones(12 * 16**2, bool)), "No pixel is left"),
        (lambda: half(first, first), "are they copies of one map"),
        (lambda: half(first, second, apodisation="-1 deg"), "'apodisation' must be one angle"),
        (lambda: half(first, second, bands=[100, 90, 200]), "3 or more increasing edges"),
        (lambda: half(first, second, bands=[100, 100.1, 200]), "must hold modes"),
        (lambda: half(*low, bands=[2, 20, 60]), "3 nside - 1 = 47"),
        (lambda: half(first, second, depth_nside=4), "'depth_nside' is for HEALPix"),
        (lambda: half(*low, depth_nside=16), "below the map's nside"),
        (lambda: half(first._pixels.data, second), "'first' must be a ComptonMap or"),
        (lambda: NoiseModel.from_empty_fields(3), "'ymap' must be a ComptonMap or"),
        (lambda: NoiseModel.from_empty_fields(first, exclude=coord), "go together"),
        (
            lambda: NoiseModel.from_empty_fields(first, exclude=coord, radius=[1, 2] * u.deg),
            "one angle or one per position",
        ),
        (
            lambda: NoiseModel.from_empty_fields(
                ComptonMap.from_image(np.ones((60, 60)), first.wcs, beam="10 arcmin")
            ),
            "show no noise",
        ),
    ]
    for use, match in cases:
        with pytest.raises(InvalidInputError, match=match):
            use()


def test_images_that_are_not_flat_are_refused():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---CAR", "DEC--CAR"], [0, 0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [90, 45], [-2, 2]
    rng = np.random.default_rng(0)
    maps = [ComptonMap.from_image(rng.normal(size=(90, 180)), wcs) for _ in range(2)]
    with pytest.raises(InvalidInputError, match="too large.*Take cutouts"):
        NoiseModel.from_half_difference(*maps)
    relative = CutoutGeometry((9, 9), 0.3)
    stack = maps[0].cutouts(
        SkyCoord([10], [5], unit="deg"), geometry=relative, angular_scale=10 * u.deg
    )
    with pytest.raises(InvalidInputError, match="differ in size"):
        NoiseModel.from_empty_fields(stack)


def test_gradient_variance_is_that_of_drawn_noise():
    noise = NoiseModel.planck(depth=None)
    maps = noise.draw(CutoutGeometry((128, 128), 0.8 * u.arcmin), 60, 3)
    slopes = np.gradient(maps, 0.8, axis=(1, 2))
    found = sum(slope[:, 1:-1, 1:-1].var() for slope in slopes)
    assert noise.gradient_variance() == pytest.approx(found, rel=0.03)
