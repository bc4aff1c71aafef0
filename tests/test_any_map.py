"""From a survey's map in plate carree projection to masses, in one line of the shell."""

import shlex

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from click.testing import CliRunner
from scipy.interpolate import CubicSpline
from scipy.special import j0

from szmass import ClusterSample
from szmass.cli.core import main
from szmass.estimators import LikelihoodMass, MatchedFilterMass
from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry, NoiseModel
from szmass.physics.halos import theta500
from szmass.physics.pressure import get_pressure_profile
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.results import read_masses

BEAM, PIXEL, SIDE = 1.6, 0.5, 4.0  # FWHM and side of pixels [arcmin], of the map [deg]
ARCMIN = np.pi / 10800


def profile_of(y500, size):
    """y by angle [arcmin] of the profile of Arnaud et al. (2010) behind the beam."""
    p = get_pressure_profile("arnaud2010")

    def pressure(x):
        c = p.c500 * x
        return c**-p.gamma * (1 + c**p.alpha) ** ((p.gamma - p.beta) / p.alpha)

    # The transform of a ball of pressure that ends at 5 R500.
    x = np.geomspace(1e-3, 5, 500)
    weight = 4 * np.pi * x**2 * pressure(x)
    total = np.trapezoid(np.where(x <= 1, weight, 0), x)
    ell = np.linspace(1, 24000, 1600)
    sine = np.sinc(np.multiply.outer(ell * size * ARCMIN, x) / np.pi)
    transform = y500 * np.trapezoid(weight * sine, x, axis=1) / total
    sigma = BEAM * ARCMIN / np.sqrt(8 * np.log(2))
    transform *= np.exp(-0.5 * (ell * sigma) ** 2) * ell / (2 * np.pi) * ARCMIN**2
    radius = np.concatenate([np.linspace(0, 8, 160), np.linspace(8.5, 40, 64)])
    y = [np.trapezoid(transform * j0(ell * r * ARCMIN), ell) for r in radius]
    return CubicSpline(radius, y)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A map with clusters between its pixels, pixels that are means, and its catalogue."""
    folder = tmp_path_factory.mktemp("survey")
    rng = np.random.default_rng(5)
    n = int(SIDE * 60 / PIXEL)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cunit = ["RA---CAR", "DEC--CAR"], [40, 0], ["deg", "deg"]
    wcs.wcs.crpix, wcs.wcs.cdelt = [n / 2, n / 2], [-PIXEL / 60, PIXEL / 60]
    x, y = (a.ravel() for a in np.meshgrid(np.arange(4), np.arange(4)))
    x, y = (n * (a + 0.5) / 4 + rng.uniform(-3, 3, 16) for a in (x, y))
    redshift = rng.uniform(0.15, 0.6, 16)
    mass = rng.uniform(4e14, 9e14, 16) * u.solMass
    relation = get_scaling_relation("planck2015")
    y500 = y_to_arcmin2(
        relation.y500(mass, redshift, one_minus_b=1.0, cosmology="PSZ2"), redshift, cosmology="PSZ2"
    )
    size = theta500(mass, redshift, cosmology="PSZ2").to_value(u.arcmin)
    ell = np.geomspace(100, 25000, 400)
    smoothed = np.exp(-(ell**2) * (BEAM * ARCMIN) ** 2 / (8 * np.log(2)))
    spectrum = 1.2e-18 * (1 + (3000 / ell) ** 1.5) * smoothed
    noise = NoiseModel(ell, np.maximum(spectrum, 1e-26) * u.sr, beam=BEAM * u.arcmin)
    grid = CutoutGeometry((n, n), PIXEL * u.arcmin)
    data = noise.draw(grid, 1, 3, padding=1.2)[0].astype(float)
    part = (np.arange(5) - 2) / 5
    for i in range(16):
        seen = profile_of(y500[i].value, size[i])
        row, column = int(y[i]), int(x[i])
        at = np.arange(-55, 56)
        dy = (at + row - y[i])[:, None] + part
        dx = (at + column - x[i])[:, None] + part
        distance = PIXEL * np.hypot(dy[:, :, None, None], dx[None, None])
        data[row - 55 : row + 56, column - 55 : column + 56] += seen(distance).mean(axis=(1, 3))
    fits.PrimaryHDU(data.astype(np.float32), wcs.to_header()).writeto(folder / "car.fits")
    coord = wcs.pixel_to_world(x, y)
    table = QTable({"name": [f"cluster {i}" for i in range(16)]})
    table["ra"], table["dec"] = coord.ra.to(u.deg), coord.dec.to(u.deg)
    table["redshift"], table["mass_true"] = redshift, mass
    table.write(folder / "cat.ecsv")
    return folder, table, noise


def test_masses_in_one_line(survey):
    folder, truth, _ = survey
    line = (
        f"estimate --catalog {folder}/cat.ecsv --map {folder}/car.fits --beam '1.6 arcmin' "
        f"--noise empty-fields --estimators matched_filter,likelihood -o {folder}/out.ecsv"
    )
    result = CliRunner().invoke(main, shlex.split(line))
    assert result.exit_code == 0, result.output
    table = read_masses(folder / "out.ecsv")
    for method in ("matched_filter", "likelihood"):
        ratio = (table[f"mass_{method}"] / truth["mass_true"]).to_value(u.one)
        assert np.isfinite(ratio).all()
        assert ratio.mean() == pytest.approx(1, abs=0.03)
        about = table.meta["methods"][method]
        assert about["noise"] == "empty fields"
        assert about["sampling"].startswith("bilinear, of pixels (unknown) of 0.49")


def test_clusters_are_bright(survey):
    """What the other test says is about clusters with S/N > 10."""
    folder, _, noise = survey
    ymap = ComptonMap.read(folder / "car.fits", beam="1.6 arcmin", noise=noise)
    sample = ClusterSample.read(folder / "cat.ecsv")[:3]
    assert sample.attach_cutouts(ymap).cutouts.geometry == CutoutGeometry((100, 100), "0.32 arcmin")
    found = MatchedFilterMass().scan(sample)
    assert found.snr.max(axis=1).min() > 10


def test_noise_of_parts_of_a_map(survey):
    folder, truth, noise = survey
    ymap = ComptonMap.read(folder / "car.fits", beam="1.6 arcmin")
    coord = SkyCoord(truth["ra"], truth["dec"])
    found = NoiseModel.from_empty_fields(ymap, exclude=coord, radius="10 arcmin", fields=4)
    ell = np.array([2000, 4000, 8000, 12000])
    np.testing.assert_allclose(found.spectrum(ell) / noise.spectrum(ell), 1, atol=0.12)
    with pytest.raises(InvalidInputError, match="'fields' must be a whole number"):
        NoiseModel.from_empty_fields(ymap, fields=0)
    with pytest.raises(InvalidInputError, match="'fields' is for images"):
        NoiseModel.from_empty_fields(ymap.cutouts(coord[:2]), fields=2)


def test_unknown_noise_is_an_error_that_says_what_to_do(survey):
    folder, _, _ = survey
    ymap = ComptonMap.read(folder / "car.fits", beam="10 arcmin")
    sample = ClusterSample.read(folder / "cat.ecsv")[:2].attach_cutouts(ymap)
    for estimator in (MatchedFilterMass(), LikelihoodMass()):
        with pytest.raises(InvalidInputError, match="map is not known.*noise=..., to the"):
            estimator.predict(sample)
