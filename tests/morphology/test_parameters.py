"""Parameters of morphology on images that are known, against integrals that share no code."""

import astropy.units as u
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.ndimage import affine_transform
from scipy.special import erf

from szmass.morphology import get_morphology_preset, measure_morphology

RADII = np.arange(1, 11) / 10
ARCMIN = u.arcmin


def on_pixels(model, radius, center=(0.23, -0.31), width=1.25):
    """Values of a model (x, y in R500) at pixels, and the pixel (x, y) of its origin."""
    n = 2 * int(width * radius) + 1
    origin = n // 2 + np.array(center)
    y, x = np.mgrid[:n, :n]
    return model((x - origin[0]) / radius, (y - origin[1]) / radius), origin


def measure(model, radius, **options):
    image, origin = on_pixels(model, radius)
    scale = 1 * u.arcsec
    options = {"center": origin, "r500": radius * scale, "pixel_scale": scale} | options
    return measure_morphology(image, **options)[0]


def beta(x0=0.0, y0=0.0, core=0.15, q=1.0, angle=0.0, height=1.0):
    def model(x, y):
        u_ = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        v = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        return height * (1 + (u_**2 + (v / q) ** 2) / core**2) ** -1.5

    return model


def merger(x, y):
    return beta(0.05, -0.02)(x, y) + beta(0.3, 0.25, 0.1, height=0.3)(x, y)


def integral(function, radius, n=400):
    """Integral of a function of (x, y) over a disc, by Gauss-Legendre times trapezium."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    r, w = (nodes + 1) / 2 * radius, weights / 2 * radius
    phi = np.arange(n) * 2 * np.pi / n
    r, phi = np.meshgrid(r, phi)
    return np.sum(function(r * np.cos(phi), r * np.sin(phi)) * r * w) * 2 * np.pi / n


def mean_place(model, radius):
    flux = integral(model, radius)
    return np.array(
        [
            integral(lambda x, y: x * model(x, y), radius) / flux,
            integral(lambda x, y: y * model(x, y), radius) / flux,
        ]
    )


def test_concentration_of_a_beta_model_is_its_closed_form():
    x = np.array([0.15, 1.0]) / 0.15
    inner, outer = 1 - 1 / np.sqrt(1 + x**2)
    row = measure(beta(), 60, parameters="concentration")
    assert row["concentration"] == pytest.approx(inner / outer, rel=1e-3)


@pytest.mark.parametrize("model", [beta(0.04, 0.03), merger], ids=["offset", "merger"])
def test_concentration_and_centroid_shift(model):
    places = np.array([mean_place(model, r) for r in RADII])
    expected = np.std(np.hypot(*places.T), ddof=1)
    light = [integral(model, r) for r in (0.15, 1)]
    row = measure(model, 40)
    assert row["centroid_shift"] == pytest.approx(expected, rel=1e-3)
    assert row["concentration"] == pytest.approx(light[0] / light[1], rel=1e-3)


def test_power_ratios_of_a_merger():
    row = measure(merger, 40, preset=get_morphology_preset("standard", power_center="center"))
    light = integral(merger, 1)
    for m in (2, 3, 4):
        real = integral(lambda x, y, m=m: merger(x, y) * ((x + 1j * y) ** m).real, 1)
        imaginary = integral(lambda x, y, m=m: merger(x, y) * ((x + 1j * y) ** m).imag, 1)
        expected = (real**2 + imaginary**2) / (2 * m**2 * light**2)
        assert row[f"p{m}_p0"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_power_ratio_of_a_pure_multipole_is_its_closed_form(m):
    def model(x, y):
        return 1 + 0.1 * ((x + 1j * y) ** m * np.exp(0.7j)).real

    row = measure(model, 120)
    assert row[f"p{m}_p0"] == pytest.approx((0.1 / (2 * m + 2)) ** 2 / (2 * m**2), rel=1e-3)
    for other in {2, 3, 4} - {m}:
        assert row[f"p{other}_p0"] < 1e-8
    log = measure(model, 120, preset=get_morphology_preset("standard", log_radius=1000))
    assert log[f"p{m}_p0"] == pytest.approx(row[f"p{m}_p0"] / np.log(1000) ** 2, rel=1e-9)


def test_zernike_sum_of_two_polynomials_is_its_closed_form():
    def model(x, y):
        r, z = np.hypot(x, y), x + 1j * y
        first = np.sqrt(10) * (4 * r**2 - 3) * (z**2 * np.exp(0.2j)).real  # n = 4, m = 2
        second = np.sqrt(8) * (z**3 * np.exp(1.2j)).real  # n = 3, m = 3
        round_ = np.sqrt(5) * (6 * r**4 - 6 * r**2 + 1)  # n = 4, m = 0 does not count
        return 1 + 0.04 * first + 0.01 * second + 0.2 * round_

    row = measure(model, 48)
    assert row["zernike"] == pytest.approx(0.2 + 0.1, abs=1e-3)


@pytest.mark.parametrize("angle", [0.0, 0.6, -1.2])
def test_shape_of_elliptical_light_whatever_its_profile(angle):
    for core in (0.1, 0.3):
        row = measure(beta(core=core, q=0.7, angle=angle), 50)
        assert row["ellipticity"] == pytest.approx(0.3, abs=1e-3)
        assert row["position_angle"].to_value("rad") == pytest.approx(angle, abs=2e-3)


def elliptical_gaussian(sigma, q, angle=0.0):
    def model(x, y):
        u_ = x * np.cos(angle) + y * np.sin(angle)
        v = y * np.cos(angle) - x * np.sin(angle)
        return np.exp(-(u_**2 + (v / q) ** 2) / (2 * sigma**2))

    return model


@pytest.mark.parametrize("angle", [0.0, 0.9])
@pytest.mark.parametrize("radius", [10, 60])
def test_fitted_gaussian_is_the_one_that_was_made(angle, radius):
    row = measure(elliptical_gaussian(0.35, 0.62, angle), radius)
    assert row["gaussian"] == pytest.approx(0.62, abs=1e-3)


def test_strips_of_an_elliptical_gaussian_are_their_closed_form():
    sigma, q = 0.3, 0.6
    along = sigma * erf(1 / sigma / np.sqrt(2))
    across = q * sigma * erf(1 / (q * sigma) / np.sqrt(2))
    row = measure(elliptical_gaussian(sigma, q), 60)
    assert row["strip"] == pytest.approx((along - across) / along, abs=1e-3)


def test_asymmetry_of_a_gradient_is_its_closed_form():
    # A half turn and a flip along the columns change 1 + g x into 1 - g x: 2 g <|x|> = 8 g / 3 pi.
    row = measure(lambda x, y: 1 + 0.3 * x + 0 * y, 60, center="middle", parameters="asymmetry")
    image, origin = on_pixels(lambda x, y: 1 + 0.3 * x + 0 * y, 60)
    middle = (image.shape[0] - 1) / 2
    mean = 1 + 0.3 * (middle - origin[0]) / 60
    assert row["asymmetry_180"] == pytest.approx(8 * 0.3 / (3 * np.pi) / mean, rel=1e-3)
    assert row["asymmetry_flip_x"] == pytest.approx(row["asymmetry_180"], rel=1e-9)
    assert row["asymmetry_flip_y"] == pytest.approx(0, abs=1e-12)
    # A quarter turn changes x into y: |x - y| is sqrt(2) |x|.
    assert row["asymmetry_90"] == pytest.approx(row["asymmetry_180"] / np.sqrt(2), rel=1e-3)


def test_asymmetry_of_an_offset_gaussian_is_its_integral():
    sigma, shift = 0.4, 0.1

    def model(x, y):
        return np.exp(-((x - shift) ** 2 + y**2) / (2 * sigma**2))

    def column(x):  # of y, within the circle
        half = np.sqrt(1 - x**2)
        return np.sqrt(2 * np.pi) * sigma * erf(half / sigma / np.sqrt(2))

    def line(x):
        return np.exp(-((x - shift) ** 2) / (2 * sigma**2))

    light = quad(lambda x: line(x) * column(x), -1, 1)[0]
    change = quad(lambda x: abs(line(x) - line(-x)) * column(x), -1, 1, points=[0])[0]
    row = measure(model, 60, parameters="asymmetry")
    assert row["asymmetry_180"] == pytest.approx(change / light, abs=1e-3)


SHAPELESS = (
    "concentration", "centroid_shift", "p2_p0", "p3_p0", "asymmetry_180", "zernike",
    "ellipticity", "strip", "gaussian", "offset",
)  # fmt: skip


def turned(model, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return lambda x, y: model(x * cos + y * sin, y * cos - x * sin)


@pytest.mark.parametrize("center", ["peak", "centroid"])
def test_nothing_depends_on_rotation_scale_or_pixels(center):
    reference = measure(merger, 60, center=center)
    rows = {
        "turned": measure(turned(merger, 0.4), 60, center=center),
        "brighter": measure(lambda x, y: 1e-5 * merger(x, y), 60, center=center),
        "larger": measure(
            merger, 60, center=center, pixel_scale=7 * u.arcmin, r500=7 * ARCMIN * 60
        ),
        "pixels": measure(merger, 30, center=center),
    }
    for kind, row in rows.items():
        for name in SHAPELESS:
            assert row[name] == pytest.approx(reference[name], rel=0.01, abs=2e-4), (kind, name)
    # The axes of the image are those of flips and quarter turns, which a quarter turn keeps.
    quarter = measure(turned(merger, np.pi / 2), 60, center=center)
    assert quarter["asymmetry"] == pytest.approx(reference["asymmetry"], rel=0.01)


def test_exact_quarter_turns_of_the_pixels_change_nothing():
    image, origin = on_pixels(merger, 20)
    n = len(image)
    options = {"r500": 20 * ARCMIN, "pixel_scale": 1 * ARCMIN}
    one = measure_morphology(image, center=origin, **options)[0]
    other = measure_morphology(np.rot90(image), center=(origin[1], n - 1 - origin[0]), **options)[0]
    for name in SHAPELESS:
        assert other[name] == pytest.approx(one[name], rel=2e-3, abs=1e-9), name


@pytest.mark.filterwarnings("ignore:The behavior of affine_transform")  # of scipy before 1.14
def test_asymmetry_is_that_of_statmorph():
    statmorph = pytest.importorskip("statmorph")
    rng = np.random.default_rng(5)
    image, _ = on_pixels(merger, 60, center=(0, 0))
    # Clumps that pixels resolve.
    clumps = affine_transform(
        0.4 * rng.standard_normal((9, 9)), [0.05, 0.05], output_shape=image.shape, order=3
    )
    image = image * np.exp(clumps)
    segments = np.ones(image.shape, int)
    mask = np.zeros(image.shape, bool)
    mask[90:96, 100:112] = True
    for center, bad in (((75.0, 75.0), None), ((77.3, 73.6), None), ((76.0, 74.5), mask)):
        theirs = statmorph_asymmetry(statmorph, image, segments, center, 50.0, bad)
        ours = measure_morphology(
            image,
            center=center,
            mask=bad,
            pixel_scale=1 * ARCMIN,
            r500=50 * ARCMIN,
            parameters="asymmetry",
        )
        assert ours["asymmetry_180"][0] == pytest.approx(theirs, abs=1e-3)


def statmorph_asymmetry(statmorph, image, segments, center, radius, mask):
    """Asymmetry by statmorph, with its centre, aperture and background given."""
    source = object.__new__(statmorph.SourceMorphology)
    source._mask_stamp = np.zeros(image.shape, bool) if mask is None else mask
    source._petro_extent_cas, source.flag = 1.0, 0
    for name, value in (("_rpetro_circ_centroid", radius), ("_sky_asymmetry", 0.0)):
        source.__dict__[name] = value
    return source._asymmetry_function(center, image, "cas")
