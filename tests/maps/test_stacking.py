"""Stacks of cutouts: means, footprints, scales, and errors against draws."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps import ComptonMap, CutoutGeometry, CutoutStack
from szmass.maps.measure.photometry import aperture_photometry, radial_profile
from szmass.maps.measure.stacking import stack
from szmass.maps.noise import NoiseModel

NOISE = NoiseModel.planck(depth=None)
SMALL = CutoutGeometry((48, 48), 3.4 * u.arcmin)
BEAM = 10 * u.arcmin
RING = [35, 60] * u.arcmin


def angles(geometry):
    offsets = [np.arange(n) - (n - 1) / 2 for n in geometry.shape]
    return np.hypot(offsets[0][:, np.newaxis], offsets[1]) * geometry.pixel_scale.value


def make(data, footprint=None, geometry=SMALL, beam=BEAM, **options):
    coord = SkyCoord(np.linspace(0, 300, len(data)), 20, unit="deg", frame="galactic")
    return CutoutStack(data, footprint, coord, geometry=geometry, beam=beam, **options)


@pytest.fixture(scope="module")
def noise_fields():
    return NOISE.draw(SMALL, 1200, 11, padding=4)


@pytest.fixture(scope="module")
def holes():
    footprint = np.ones((6, *SMALL.shape), bool)
    footprint[1, 22:26, 20:30] = False
    footprint[2, :, 30:] = False
    footprint[4] = False
    return footprint


def test_mean_map_profile_and_amplitude():
    rng = np.random.default_rng(0)
    cutouts = make(rng.normal(1e-6, 1e-6, (5, 48, 48)))
    result = stack(cutouts, edges=[0, 10, 30, 60] * u.arcmin, background=RING, rng=1)
    np.testing.assert_allclose(result.image, cutouts.data.mean(axis=0), rtol=1e-5, atol=1e-12)
    each = radial_profile(cutouts, [0, 10, 30, 60] * u.arcmin)
    np.testing.assert_allclose(result.profile["y"][0], each["y"].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(result.profile["radius"], each["radius"][:1])
    y = aperture_photometry(cutouts, BEAM, background=RING)["y"]
    area = 2 * np.pi * (1 - np.cos(BEAM)) * u.sr
    assert result.amplitude == pytest.approx((y.mean() / area).to_value(u.one), rel=1e-5)
    assert result.radius == BEAM
    assert result.n_clusters == 5
    assert (result.coverage == 1).all()
    assert result.profile["complete"].all()
    assert result.significance == result.amplitude / result.amplitude_err
    assert np.isnan(result.noise_significance)
    assert "StackResult of 5" in repr(result)


def test_weights():
    cutouts = make(np.random.default_rng(0).normal(size=(3, 48, 48)))
    weighted = stack(cutouts, weights=[2, 1, 0], rng=1)
    twice = stack(cutouts[[0, 0, 1]], rng=1)
    np.testing.assert_allclose(weighted.image, twice.image, rtol=1e-5, atol=1e-7)
    assert weighted.n_clusters == 2
    assert weighted.meta["left_out"] == 1


def test_each_pixel_is_the_mean_of_those_that_cover_it(holes):
    level = np.array([1.0, 2, 4, 8, 16, 32])[:, np.newaxis, np.newaxis]
    cutouts = make(np.where(holes, level, np.nan))
    weights = np.array([1.0, 1, 2, 1, 1, 1])
    result = stack(cutouts, weights=weights, noise=NOISE, rng=1)
    used = weights[:, np.newaxis, np.newaxis] * holes
    np.testing.assert_allclose(
        result.image, (used * level).sum(axis=0) / used.sum(axis=0), rtol=1e-6
    )
    np.testing.assert_allclose(result.coverage, used.sum(axis=0) / 6, rtol=1e-12)
    assert result.n_clusters == 5
    assert not result.profile["complete"].all()
    assert np.isfinite(result.image_err).all()


def test_what_nobody_covers_is_nan_and_nothing_else_is():
    data = np.ones((4, 48, 48))
    data[:, 36:] = np.nan
    data[:3, 34:] = np.nan
    edges = [0, 20, 50, 116, 130] * u.arcmin
    result = stack(make(data), edges=edges, noise=NOISE, rng=1, bootstrap=50)
    assert np.isnan(result.image[36:]).all()
    assert np.isfinite(result.image[:36]).all()
    assert np.isnan(result.image_err[36:]).all()
    y = result.profile["y"][0]
    assert np.isnan(y).tolist() == [False, False, False, True]
    for name in ("y_cov", "y_noise_cov"):
        matrix = result.profile[name][0]
        assert np.isnan(matrix[3]).all()
        assert np.isnan(matrix[:, 3]).all()
        assert np.isfinite(matrix[:3, :3]).all()
    assert result.amplitude == pytest.approx(1)


def test_bootstrap_and_noise_errors_agree_where_clusters_are_noise(noise_fields):
    result = stack(make(noise_fields), background=RING, noise=NOISE, rng=1, bootstrap=600)
    # 600 samples and 1200 fields: 3 % and 2 %.
    assert result.amplitude_err / result.amplitude_noise_err == pytest.approx(1, abs=0.16)
    ratio = result.profile["y_err"] / result.profile["y_noise_err"]
    np.testing.assert_allclose(ratio, 1, atol=0.16)
    rms = NOISE.rms() / np.sqrt(1200)
    assert np.median(result.image_err) == pytest.approx(rms, rel=0.05)
    assert abs(result.noise_significance) < 4.5


@pytest.mark.parametrize("with_holes", [False, True])
def test_noise_errors_are_those_of_many_stacks(noise_fields, holes, with_holes):
    footprint = holes if with_holes else None
    weights, depth = [1, 1, 2, 1, 3, 0.5], [1, 2, 1, 1, 1, 0.7]
    scaled = noise_fields.reshape(200, 6, 48, 48) * np.array(depth)[:, np.newaxis, np.newaxis]
    options = {"weights": weights, "background": RING, "bootstrap": 0}
    options["edges"] = [0, 10, 25, 50] * u.arcmin
    results = [stack(make(fields, footprint), **options) for fields in scaled]
    errors = stack(make(scaled[0], footprint), noise=NOISE, depth=depth, **options)
    amplitudes = np.array([result.amplitude for result in results])
    assert amplitudes.std() / errors.amplitude_noise_err == pytest.approx(1, abs=0.2)
    profiles = np.concatenate([result.profile["y"] for result in results])
    inverse = np.linalg.inv(errors.profile["y_noise_cov"][0])
    chi2 = np.einsum("ni,ij,nj->n", profiles, inverse, profiles)
    assert chi2.mean() == pytest.approx(3, abs=4.5 * np.sqrt(6 / 200))
    assert np.isnan(results[0].amplitude_err)
    assert results[0].image_err is None
    assert "y_err" not in results[0].profile.colnames


def test_sources_in_noise_come_out(noise_fields):
    """The amplitude of 200 sources, each below the noise, is right and significant."""
    source = 1e-6 * np.exp(-(angles(SMALL) ** 2) / 2 / 36)
    cutouts = make(noise_fields[:200] + source)
    result = stack(cutouts, background=RING, noise=NOISE, rng=1)
    true = stack(make([source]), background=RING, bootstrap=0).amplitude
    assert result.amplitude == pytest.approx(true, abs=4 * result.amplitude_noise_err)
    assert result.noise_significance > 5
    assert result.significance == pytest.approx(result.noise_significance, rel=0.3)


def test_seed_decides():
    cutouts = make(np.random.default_rng(0).normal(size=(6, 48, 48)))
    one, same, other = (stack(cutouts, rng=seed, bootstrap=50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image_err, same.image_err)
    assert one.amplitude_err == same.amplitude_err != other.amplitude_err
    assert one.amplitude == other.amplitude


def clusters(theta, geometry=None):
    """Clusters of one shape in units of theta500."""
    geometry = CutoutGeometry() if geometry is None else geometry
    return np.array([1e-5 * (1 + (angles(geometry) / t) ** 2) ** -2 for t in theta])


def test_in_units_of_r500_sizes_do_not_matter():
    theta = np.array([8.0, 12, 17, 24])
    cutouts = make(clusters(theta), geometry=CutoutGeometry())
    result = stack(
        cutouts, scale="r500", angular_scale=theta * u.arcmin, edges=[0, 0.5, 1, 2, 3], rng=1
    )
    assert result.geometry.relative
    assert result.radius == 1
    x = angles(result.geometry)
    inner = x < 3
    np.testing.assert_allclose(result.image[inner], 1e-5 * (1 + x[inner] ** 2) ** -2, rtol=0.02)
    # They are the same in these units, and differ in angle.
    assert result.amplitude_err < 0.005 * result.amplitude
    assert stack(cutouts, rng=1).amplitude_err > 0.05 * result.amplitude
    x = np.linspace(0, 0.5, 100)
    mean = np.trapezoid(x * (1 + x**2) ** -2, x) / np.trapezoid(x, x) * 1e-5
    # Bilinear resampling flattens the smallest, of 5 pixels per theta500.
    assert result.profile["y"][0, 0] == pytest.approx(mean, rel=0.015)
    assert result.profile["radius"].unit == u.one


def test_resampled_and_cut_out_in_units_of_r500():
    fine = CutoutGeometry((700, 700), 0.5 * u.arcmin)
    coord = SkyCoord([40] * 2, [35] * 2, unit="deg", frame="galactic")
    ymap = ComptonMap.from_image(clusters([14.0], fine)[0], fine.wcs(coord[0]), beam=BEAM)
    theta = [14, 20] * u.arcmin
    relative = CutoutGeometry((41, 41), 0.15)
    direct = stack(ymap.cutouts(coord, geometry=relative, angular_scale=theta), scale="r500", rng=1)
    again = stack(ymap.cutouts(coord), scale="r500", angular_scale=theta, geometry=relative, rng=1)
    np.testing.assert_allclose(again.image, direct.image, rtol=0.015)
    assert again.amplitude == pytest.approx(direct.amplitude, rel=0.003)
    assert again.geometry == direct.geometry


def test_clusters_of_unknown_size_and_fields_that_end_are_left_out():
    theta = [8, np.nan, 24] * u.arcmin
    wide = CutoutGeometry((101, 101), 0.1)  # 5 x 24 arcmin are not in a cutout
    cutouts = make(np.ones((3, 96, 96)), geometry=CutoutGeometry())
    result = stack(cutouts, scale="r500", angular_scale=theta, geometry=wide, rng=1, noise=NOISE)
    assert result.n_clusters == 2
    assert result.coverage[50, 50] == 1
    assert result.coverage[0, 0] == 0.5
    np.testing.assert_allclose(result.image, 1, rtol=1e-6)
    assert result.amplitude_noise_err > 0


def test_noise_errors_in_units_of_r500(noise_fields):
    theta = [14, 20, 30] * u.arcmin
    options = {"scale": "r500", "angular_scale": theta, "bootstrap": 0, "edges": [0, 1, 2]}
    # Pixels of 3.4 arcmin sample the noise of a 10 arcmin beam too coarsely to interpolate.
    geometry = CutoutGeometry((64, 64), 1.2 * u.arcmin)
    fields = NOISE.draw(geometry, 600, 5, padding=6).reshape(200, 3, 64, 64)
    results = [stack(make(f, geometry=geometry), **options) for f in fields]
    errors = stack(make(fields[0], geometry=geometry), noise=NOISE, **options)
    amplitudes = np.array([result.amplitude for result in results])
    assert amplitudes.std() / errors.amplitude_noise_err == pytest.approx(1, abs=0.2)


def test_sample_and_single_cutout():
    cutouts = make(np.random.default_rng(0).normal(size=(3, 48, 48)))
    table = QTable({"name": ["A", "B", "C"], "coord": cutouts.coord})
    result = stack(ClusterSample(table, cutouts=cutouts), rng=1)
    np.testing.assert_array_equal(result.image, stack(cutouts, rng=1).image)
    one = stack(cutouts[1], bootstrap=0, noise=NOISE)
    np.testing.assert_allclose(one.image, cutouts.data[1])
    assert np.isfinite(one.noise_significance)


RELATIVE = CutoutGeometry((48, 48), 0.1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cutouts": make(np.ones((2, 48, 48)))[:0]}, InvalidInputError, "none of the 0 cutouts"),
        ({"cutouts": make(np.full((2, 48, 48), np.nan))}, InvalidInputError, "nothing to stack"),
        ({"weights": [0, 0, 0]}, InvalidInputError, "nothing to stack"),
        ({"weights": [1, 2]}, InvalidInputError, "one number >= 0 per cutout"),
        ({"weights": [1, -2, 1]}, InvalidInputError, "one number >= 0 per cutout"),
        ({"weights": [1, np.nan, 1]}, InvalidInputError, "'weights' must be finite"),
        ({"scale": "r200"}, InvalidInputError, "'scale' must be 'angle' or 'r500'"),
        ({"scale": "r500"}, InvalidInputError, "needs 'angular_scale'"),
        ({"angular_scale": [1] * 3 * u.arcmin}, InvalidInputError, "leave them out"),
        ({"geometry": RELATIVE}, InvalidInputError, "leave them out"),
        (
            {"scale": "r500", "angular_scale": 9 * u.arcmin, "geometry": SMALL},
            InvalidInputError,
            "pixel_scale without unit",
        ),
        (
            {"scale": "r500", "angular_scale": 9 * u.arcmin, "radius": 5 * u.arcmin},
            InvalidInputError,
            "'radius' must be numbers",
        ),
        ({"radius": 5}, InvalidInputError, "'radius' must be in arcmin"),
        ({"radius": [5, 6] * u.arcmin}, InvalidInputError, "'radius' must be one radius"),
        ({"radius": -5 * u.arcmin}, InvalidInputError, "'radius' must be positive"),
        ({"radius": 5 * u.kpc}, InvalidUnitError, "'radius' must have a unit"),
        ({"edges": [5, 1] * u.arcmin}, InvalidInputError, "'edges' must be at least two"),
        ({"edges": [0, 100] * u.deg}, InvalidInputError, "below 90 deg"),
        ({"bootstrap": -1}, InvalidInputError, "'bootstrap' must be a whole number"),
        ({"bootstrap": 10.0}, InvalidInputError, "'bootstrap' must be a whole number"),
        ({"noise": 3}, InvalidInputError, "'noise' must be a NoiseModel"),
        ({"cutouts": 3}, InvalidInputError, "'cutouts' must be a Cutout"),
    ],
)
def test_bad_input(options, error, message):
    arguments = {"cutouts": make(np.ones((3, 48, 48)))} | options
    with pytest.raises(error, match=message):
        stack(**arguments)


def test_more_bad_input():
    ones = np.ones((2, 48, 48))
    with pytest.raises(InvalidInputError, match="no beam to take 'radius' from"):
        stack(make(ones, beam=None))
    with pytest.raises(InvalidInputError, match="pass bootstrap=0"):
        stack(make(ones)[:1])
    relative = make(ones, geometry=RELATIVE, angular_scale=[5, 6] * u.arcmin)
    with pytest.raises(InvalidInputError, match="stack them with scale='r500'"):
        stack(relative)
    with pytest.raises(InvalidInputError, match="leave them out"):
        stack(relative, scale="r500", angular_scale=[5, 6] * u.arcmin)
    other = NoiseModel([2, 3000], [1e-17, 1e-17] * u.sr, beam=1.6 * u.arcmin)
    with pytest.raises(InvalidInputError, match="beam of 1.6 arcmin"):
        stack(make(ones), noise=other)
