"""Aperture photometry and radial profiles against sources and noise that are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.special import j1

from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps import ComptonMap, CutoutGeometry, CutoutStack
from szmass.maps.measure.photometry import aperture_photometry, radial_profile
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap
from szmass.physics import get_pressure_profile, theta500, y_to_arcmin2

ARCMIN = u.arcmin.to(u.rad)
NOISE = NoiseModel.planck(depth=None)
BEAM = 10 * u.arcmin


def distance(geometry):
    """Distance of the pixels from the middle on the tangent plane [pixel]."""
    offsets = [np.arange(n) - (n - 1) / 2 for n in geometry.shape]
    return np.hypot(offsets[0][:, np.newaxis], offsets[1])


def positions(n):
    return SkyCoord(np.linspace(0, 300, n), np.linspace(-60, 60, n), unit="deg", frame="galactic")


def make(data, footprint=None, geometry=None, **options):
    data = np.asarray(data)
    options = {"beam": BEAM, "coord": positions(len(data))} | options
    return CutoutStack(data, footprint, geometry=geometry, **options)


def gaussian(geometry, sigma, peak=1e-5):
    """Gaussian source; sigma in arcmin."""
    angle = np.arctan(distance(geometry) * geometry.pixel_scale.to_value(u.rad)) / ARCMIN
    return peak * np.exp(-(angle**2) / (2 * sigma**2))


@pytest.fixture(scope="module")
def noise_cutouts():
    geometry = CutoutGeometry((48, 48), 3.4 * u.arcmin)
    fields = NOISE.draw(geometry, 1500, 7, padding=4)
    footprint = np.ones(fields.shape, bool)
    footprint[750:, 20:24, 22:30] = False
    footprint[750:, :, 36:] = False
    return make(fields, footprint, geometry)


def test_gaussian_source_within_circles():
    geometry = CutoutGeometry()
    radii = [2.0, 5.0, 12.0, 40.0] * u.arcmin
    table = aperture_photometry(make([gaussian(geometry, 6.0)]), radii)
    expected = 2 * np.pi * 36 * 1e-5 * (1 - np.exp(-(radii.value**2) / 72)) * u.arcmin**2
    # Pixels count as constant: a Gaussian of 3.5 pixels differs by that little at the edge.
    assert u.allclose(table["y"][0], expected, rtol=5e-3)
    assert u.allclose(table["y"][0, 3], expected[3], rtol=1e-4)
    assert u.allclose(table["radius"][0], radii)
    assert table["complete"].all()
    assert (table["coverage"] == 1).all()
    assert "y_err" not in table.colnames


def test_a10_cluster_keeps_its_y():
    """Y within the truncation of the profile is Y5R500, to 0.5 %."""
    mass, z, cosmology = 6e14 * u.solMass, 0.2, "PSZ2"
    profile = get_pressure_profile("arnaud2010")
    fine = CutoutGeometry((96 * 5, 96 * 5), 1.7 / 5 * u.arcmin)
    angle = distance(fine) * fine.pixel_scale
    y = np.asarray(profile.compton_y(angle, mass, z, cosmology=cosmology))
    y = gaussian_filter(y, 10 / 2.3548 / (1.7 / 5))[2::5, 2::5]
    table = aperture_photometry(make([y]), 50 * u.arcmin, background=[60, 80] * u.arcmin)
    y5 = profile.y_spherical(mass, z, cosmology=cosmology, x_max=5).to_value(u.Mpc**2)
    theta = theta500(mass, z, cosmology=cosmology)
    y500 = profile.y_spherical(mass, z, cosmology=cosmology, x_max=1).to_value(u.Mpc**2)
    assert theta.to_value(u.arcmin) == pytest.approx(6.06, abs=0.01)
    to_arcmin2 = y_to_arcmin2(1 * u.Mpc**2, z, cosmology=cosmology).to_value(u.arcmin**2)
    assert table["y"][0].value == pytest.approx(y5 * to_arcmin2, rel=5e-3)
    assert y5 / y500 == pytest.approx(1.7964, rel=1e-3)


@pytest.mark.parametrize("radius", [10.0, 80.0, 240.0])
def test_solid_angle_is_that_on_the_sphere(radius):
    geometry = CutoutGeometry((301, 301))
    table = aperture_photometry(make([np.ones(geometry.shape)]), radius * u.arcmin)
    cap = 2 * np.pi * (1 - np.cos(radius * ARCMIN)) * u.sr
    assert u.allclose(table["y"][0], cap, rtol=2e-6)
    # What pixels of one size would add: 0.75 radius^2.
    excess = np.pi * np.tan(radius * ARCMIN) ** 2 / cap.value - 1
    assert excess == pytest.approx(0.75 * (radius * ARCMIN) ** 2, rel=0.01)


def test_background_annulus_takes_an_offset_away():
    geometry = CutoutGeometry()
    source = gaussian(geometry, 4.0)
    stack = make(np.stack([source, source + 3e-6]))
    ring = (40 * u.arcmin, 1 * u.deg)
    table = aperture_photometry(stack, "15 arcmin", background=ring)
    assert u.allclose(table["y"][0], table["y"][1], rtol=1e-5)
    np.testing.assert_allclose(np.diff(table["background"]), 3e-6, rtol=1e-5)
    assert (table["background_coverage"] == 1).all()
    plain = aperture_photometry(stack, 15 * u.arcmin)
    added = (plain["y"][1] - plain["y"][0]).to_value(u.arcmin**2)
    assert added == pytest.approx(3e-6 * np.pi * 225, rel=1e-4)


def test_radii_in_units_of_theta500():
    geometry = CutoutGeometry()
    stack = make([gaussian(geometry, s) for s in (3.0, 5.0, 8.0)])
    theta = [6.0, 10.0, np.nan] * u.arcmin
    table = aperture_photometry(stack, [1, 2], angular_scale=theta, background=(4, 6), noise=NOISE)
    for row, angle in ((0, 6), (1, 10)):
        alone = aperture_photometry(
            stack[row],
            [angle, 2 * angle] * u.arcmin,
            noise=NOISE,
            background=[4 * angle, 6 * angle] * u.arcmin,
        )
        for name in ("y", "y_err", "radius", "background"):
            np.testing.assert_allclose(table[name][row], alone[name][0], rtol=1e-9)
    for name in ("y", "y_err", "y_cov"):
        assert np.isnan(table[name][2]).all()
    assert (table["coverage"][2] == 0).all()
    assert not table["complete"][2].any()


def test_cutouts_of_a_relative_geometry_bring_their_angles():
    plane = CutoutGeometry((400, 400), 0.5 * u.arcmin)
    wcs = plane.wcs(positions(3)[1])
    ymap = ComptonMap.from_image(gaussian(plane, 8.0), wcs, beam=BEAM)
    relative = ymap.cutouts(
        positions(3)[[1]], geometry=CutoutGeometry((80, 80), 0.1), angular_scale=[9] * u.arcmin
    )
    absolute = ymap.cutouts(positions(3)[[1]], geometry=CutoutGeometry((80, 80), 0.9 * u.arcmin))
    one = aperture_photometry(relative, [1, 2], noise=NOISE)
    other = aperture_photometry(absolute, [9, 18] * u.arcmin, noise=NOISE)
    for name in ("radius", "y", "y_err"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
    assert u.allclose(aperture_photometry(relative[0], 9 * u.arcmin)["y"], one["y"][:, 0])


def test_rotation_of_the_grid_does_not_matter():
    plane = CutoutGeometry((300, 300), 1 * u.arcmin)
    up, right = (np.arange(n) - (n - 1) / 2 for n in plane.shape)
    data = 1e-5 * np.exp(-(up[:, np.newaxis] ** 2) / 200 - (right - 6) ** 2 / 800)
    ymap = ComptonMap.from_image(data, plane.wcs(positions(3)[2]))
    values = [
        aperture_photometry(
            ymap.cutout(positions(3)[2], geometry=CutoutGeometry(rotation=angle * u.deg)),
            [12, 30] * u.arcmin,
        )["y"][0].value
        for angle in (0, 17, 90, 45)
    ]
    for value in values[1:]:
        np.testing.assert_allclose(value, values[0], rtol=5e-4)


def test_turned_data_give_the_same():
    rng = np.random.default_rng(3)
    data = rng.normal(size=(96, 96)).astype(np.float32)
    footprint = rng.random((96, 96)) > 0.02
    turned = make(
        [np.rot90(data, k) for k in range(4)], np.array([np.rot90(footprint, k) for k in range(4)])
    )
    for result in (
        aperture_photometry(turned, [8, 20] * u.arcmin, noise=NOISE),
        radial_profile(turned, [0, 8, 20] * u.arcmin, noise=NOISE),
    ):
        for name in ("y", "y_err", "coverage"):
            values = u.Quantity(result[name]).value
            np.testing.assert_allclose(values, values[[0, 0, 0, 0]], rtol=1e-9)


def test_holes_are_left_out_and_told():
    geometry = CutoutGeometry()
    source = gaussian(geometry, 6.0)
    footprint = np.ones((3, 96, 96), bool)
    footprint[1, 46:50, 60:70] = False  # within 40 arcmin, outside 20
    footprint[2] = False
    stack = make([source] * 3, footprint)
    table = aperture_photometry(stack, [20, 40] * u.arcmin, noise=NOISE)
    assert table["complete"].tolist() == [[True, True], [True, False], [False, False]]
    lost = source[46:50, 60:70].sum() * 1.7**2
    assert (table["y"][0] - table["y"][1])[1].value == pytest.approx(lost, rel=1e-3)
    assert table["coverage"][1, 0] == 1
    assert table["coverage"][1, 1] == pytest.approx(1 - 40 * 1.7**2 / (np.pi * 40**2), rel=1e-3)
    assert np.isnan(table["y"][2]).all()
    assert np.isnan(table["y_err"][2]).all()
    assert (table["coverage"][2] == 0).all()
    assert table["y_err"][1, 1] != table["y_err"][0, 1]


def test_circle_beyond_the_cutout():
    geometry = CutoutGeometry((40, 60))
    stack = make([np.ones(geometry.shape)], geometry=geometry)
    radii = [30, 200, 3000] * u.arcmin
    table = aperture_photometry(stack, radii)
    assert table["complete"].tolist() == [[True, False, False]]
    inside = 40 * 60 * 1.7**2
    assert table["y"][0, 1].value == pytest.approx(inside, rel=1e-3)
    caps = 2 * np.pi * (1 - np.cos(radii.to_value(u.rad))) / ARCMIN**2
    np.testing.assert_allclose(table["coverage"][0, 1:], inside / caps[1:], rtol=1e-3)
    ring = aperture_photometry(stack, 10 * u.arcmin, background=[300, 400] * u.arcmin)
    assert np.isnan(ring["y"][0])
    assert ring["background_coverage"][0] == 0
    assert not ring["complete"][0]


def check_covariance(values, covariance):
    """Draws have this covariance: each error, and chi squared, within 4.5 of its own errors."""
    n, k = values.shape
    scatter = values.std(axis=0) / np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(scatter, 1, atol=4.5 / np.sqrt(2 * n))
    chi2 = np.einsum("ni,ij,nj->n", values, np.linalg.inv(covariance), values)
    assert chi2.mean() == pytest.approx(k, abs=4.5 * np.sqrt(2 * k / n))


@pytest.mark.parametrize("part", [slice(0, 750), slice(750, 1500)], ids=["complete", "holes"])
@pytest.mark.parametrize("background", [None, [35, 60] * u.arcmin])
def test_errors_are_those_of_draws(noise_cutouts, part, background):
    stack = noise_cutouts[part]
    table = aperture_photometry(stack, [8, 20, 34] * u.arcmin, background=background, noise=NOISE)
    assert u.allclose(table["y_err"][0], table["y_err"][-1])
    check_covariance(table["y"].value, table["y_cov"][0].value)
    np.testing.assert_allclose(
        table["y_err"][0].value, np.sqrt(np.diag(table["y_cov"][0].value)), rtol=1e-12
    )
    edges = [0, 10, 17, 25, 34] * u.arcmin
    profile = radial_profile(stack, edges, background=background, noise=NOISE)
    check_covariance(np.asarray(profile["y"]), np.asarray(profile["y_cov"][0]))


def test_errors_are_the_integral_over_the_window():
    """sigma^2 = int l dl / 2 pi N_l W_l^2, with the transform of a disc less an annulus."""
    ell = np.linspace(0.5, 6000, 40000)

    def disc(radius):
        x = ell * radius * ARCMIN
        return np.pi * radius**2 * 2 * j1(x) / x

    for radius, ring in ((8, None), (20, None), (12, (25, 60))):
        window = disc(radius)
        if ring:
            window -= (disc(ring[1]) - disc(ring[0])) * radius**2 / (ring[1] ** 2 - ring[0] ** 2)
        power = NOISE.spectrum(ell).to_value(u.sr)
        expected = np.sqrt(np.trapezoid(ell * power * window**2, ell) / (2 * np.pi))
        table = aperture_photometry(
            make(np.zeros((1, 96, 96))),
            radius * u.arcmin,
            noise=NOISE,
            background=None if ring is None else ring * u.arcmin,
        )
        assert table["y_err"][0].value == pytest.approx(expected, rel=0.01)


def test_errors_do_not_depend_on_the_pixels():
    errors = []
    for n, pixel in ((193, 0.85), (96, 1.7), (48, 3.4)):
        geometry = CutoutGeometry((n, n), pixel * u.arcmin)
        stack = make(np.zeros((1, n, n)), geometry=geometry)
        errors.append(aperture_photometry(stack, 20 * u.arcmin, noise=NOISE)["y_err"][0].value)
    np.testing.assert_allclose(errors, errors[0], rtol=0.01)


def test_depth_scales_the_errors():
    stack = make(np.zeros((3, 96, 96)))
    one = aperture_photometry(stack, 10 * u.arcmin, noise=NOISE)["y_err"]
    two = aperture_photometry(stack, 10 * u.arcmin, noise=NOISE, depth=[1, 2, 3])["y_err"]
    np.testing.assert_allclose(two / one, [1, 2, 3])
    values = np.where(np.arange(12 * 64**2) < 6 * 64**2, 1.5, 0.5)  # North and South
    values[-4 * 64 :] = np.nan
    sky = NoiseModel(NOISE.ell, NOISE.spectrum(NOISE.ell), beam=BEAM, depth=DepthMap(values))
    north_south = SkyCoord([10, 10, 0], [40, -40, -89.9], unit="deg", frame="galactic")
    depth = aperture_photometry(make(stack.data, coord=north_south), 10 * u.arcmin, noise=sky)
    np.testing.assert_allclose(depth["y_err"][:2] / one[:2], [1.5, 0.5])
    assert np.isnan(depth["y_err"][2])
    assert depth["y"][2] == 0


def test_profile_of_a_gaussian_source():
    geometry = CutoutGeometry((193, 193), 0.85 * u.arcmin)
    edges = np.array([0, 3, 6, 10, 15, 25, 40.0])
    table = radial_profile(make([gaussian(geometry, 6.0)], geometry=geometry), edges * u.arcmin)
    integral = -2 * np.pi * 36 * 1e-5 * np.diff(np.exp(-(edges**2) / 72))
    np.testing.assert_allclose(table["y"][0], integral / (np.pi * np.diff(edges**2)), 6e-3, 1e-11)
    assert table["radius"].unit == u.arcmin
    assert table["radius"][0, 0].value == pytest.approx(2)
    assert u.allclose(table.meta["edges"], edges * u.arcmin)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.5, 70), min_size=2, max_size=6, unique=True).filter(
        lambda edges: np.diff(sorted(edges)).min() > 0.1
    ),
    st.integers(0, 2**32),
)
def test_profile_adds_up_to_the_aperture(edges, seed):
    edges = np.array([0, *sorted(edges)])
    stack = make(np.random.default_rng(seed).normal(1, 1, (2, 96, 96)))
    profile = radial_profile(stack, edges * u.arcmin)
    whole = aperture_photometry(stack, edges[-1] * u.arcmin)["y"].value
    areas = -2 * np.pi * np.diff(np.cos(edges * ARCMIN)) / ARCMIN**2
    np.testing.assert_allclose(profile["y"] @ areas, whole, rtol=1e-4, atol=1e-6)


def test_annuli_that_are_not_covered_leave_the_others_alone():
    stack = make(np.ones((2, 40, 40)), geometry=CutoutGeometry((40, 40)))
    edges = [0, 10, 20, 60, 90] * u.arcmin
    table = radial_profile(stack, edges, noise=NOISE)
    np.testing.assert_allclose(table["y"][:, :3], 1, rtol=1e-6)
    assert np.isnan(table["y"][:, 3]).all()
    assert np.isnan(table["y_cov"][0, 3]).all()
    assert np.isnan(table["y_cov"][0, :, 3]).all()
    assert np.isfinite(table["y_cov"][0, :3, :3]).all()
    assert table["complete"][0].tolist() == [True, True, False, False]


def test_profile_in_units_of_theta500():
    stack = make([gaussian(CutoutGeometry(), s) for s in (7.0, 14.0)])
    table = radial_profile(stack, [0.0, 1, 2, 3], angular_scale=[12, 24] * u.arcmin)
    assert table["radius"].unit == u.one
    np.testing.assert_allclose(table["y"][0], table["y"][1], 0.01, 1e-10)


def test_empty_stack_gives_an_empty_table():
    stack = make(np.zeros((3, 96, 96)))[:0]
    for table in (
        aperture_photometry(stack, [5, 10] * u.arcmin, noise=NOISE, background=[20, 30] * u.arcmin),
        radial_profile(stack, [0, 5, 10] * u.arcmin, noise=NOISE),
    ):
        assert len(table) == 0
        assert {"name", "radius", "y", "y_err", "y_cov", "coverage"} <= set(table.colnames)


def test_cutouts_samples_and_files(tmp_path):
    table = QTable({"name": ["A", "B"], "coord": positions(2)})
    stack = make([gaussian(CutoutGeometry(), s) for s in (4.0, 8.0)], names=["A", "B"])
    sample = ClusterSample(table, cutouts=stack)
    result = aperture_photometry(sample, [5, 10] * u.arcmin, noise=NOISE)
    assert result["name"].tolist() == ["A", "B"]
    one = aperture_photometry(stack[1], 10 * u.arcmin, noise=NOISE)
    assert one["y"].shape == one["y_err"].shape == (1,)
    assert one["name"].tolist() == ["B"]
    assert u.allclose(one["y"][0], result["y"][1, 1])
    result.write(tmp_path / "y.ecsv")
    again = QTable.read(tmp_path / "y.ecsv")
    assert u.allclose(again["y_cov"], result["y_cov"])
    assert "NoiseModel" in again.meta["noise"]


def test_position_that_is_not_known():
    coord = SkyCoord([10, np.nan], [20, 30], unit="deg", frame="galactic")
    ymap = ComptonMap.from_healpix(np.ones(12 * 16**2), ordering="ring", frame="galactic")
    table = aperture_photometry(ymap.cutouts(coord), 10 * u.arcmin, noise=NOISE)
    assert np.isnan(table["y"].value).tolist() == [False, True]
    assert table["complete"].tolist() == [True, False]


OTHER_BEAM = NoiseModel([2, 3000], [1e-17, 1e-17] * u.sr, beam=1.6 * u.arcmin)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"radius": 0 * u.arcmin}, InvalidInputError, "'radius' must be positive"),
        ({"radius": [5, -1] * u.arcmin}, InvalidInputError, "'radius' must be positive"),
        ({"radius": np.nan * u.arcmin}, InvalidInputError, "'radius' must be finite"),
        ({"radius": [] * u.arcmin}, InvalidInputError, "one radius or a list"),
        ({"radius": [[1, 2]] * u.arcmin}, InvalidInputError, "one radius or a list"),
        ({"radius": 5 * u.kpc}, InvalidUnitError, "'radius' must have a unit"),
        ({"radius": 5}, InvalidInputError, "give 'angular_scale'"),
        ({"radius": 95 * u.deg}, InvalidInputError, "below 90 deg"),
        ({"angular_scale": [5, 6] * u.arcmin}, InvalidInputError, "one entry per position"),
        ({"background": 5 * u.arcmin}, InvalidInputError, "'background' must be 2 increasing"),
        ({"background": [30, 20] * u.arcmin}, InvalidInputError, "'background' must be 2"),
        ({"background": (1, 2)}, InvalidInputError, "'background' has no unit"),
        ({"background": [3, 4] * u.kpc}, InvalidUnitError, "'background' must have a unit"),
        ({"noise": 1e-6}, InvalidInputError, "'noise' must be a NoiseModel"),
        ({"noise": OTHER_BEAM}, InvalidInputError, "beam of 1.6 arcmin"),
        ({"depth": 2}, InvalidInputError, "give 'noise' as well"),
        ({"noise": NOISE, "depth": [1, 2]}, InvalidInputError, "one per cutout"),
        ({"cutouts": np.zeros((96, 96))}, InvalidInputError, "'cutouts' must be a Cutout"),
    ],
)
def test_bad_input(options, error, message):
    arguments = {"cutouts": make(np.zeros((3, 96, 96))), "radius": 10 * u.arcmin} | options
    with pytest.raises(error, match=message):
        aperture_photometry(**arguments)


@pytest.mark.parametrize(
    ("edges", "error", "message"),
    [
        ([0, 5, 5] * u.arcmin, InvalidInputError, "'edges' must be at least two increasing"),
        ([-1, 5] * u.arcmin, InvalidInputError, "'edges' must be at least two increasing"),
        ([5] * u.arcmin, InvalidInputError, "'edges' must be at least two increasing"),
        ([0, np.inf] * u.arcmin, InvalidInputError, "'edges' must be finite"),
        ([0, 5] * u.Mpc, InvalidUnitError, "'edges' must have a unit"),
        ([0, 5], InvalidInputError, "'edges' has no unit"),
    ],
)
def test_bad_edges(edges, error, message):
    with pytest.raises(error, match=message):
        radial_profile(make(np.zeros((1, 96, 96))), edges)


def test_sample_without_cutouts_and_angles_given_twice():
    sample = ClusterSample(QTable({"name": ["A"], "coord": positions(1)}))
    with pytest.raises(InvalidInputError, match="attach_cutouts"):
        aperture_photometry(sample, 10 * u.arcmin)
    stack = make(
        np.zeros((1, 9, 9)), geometry=CutoutGeometry((9, 9), 0.3), angular_scale=[5] * u.arcmin
    )
    with pytest.raises(InvalidInputError, match="leave the argument out"):
        aperture_photometry(stack, 1, angular_scale=[5] * u.arcmin)
