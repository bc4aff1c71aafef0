"""Coma and its neighbours in the real MILCA maps: integrated Y, and a stack."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.measure.photometry import aperture_photometry, radial_profile
from szmass.maps.measure.stacking import stack
from szmass.maps.noise import NoiseModel

pytestmark = pytest.mark.real_data

PARTS = ("G", "first", "last")
RING = [30, 60] * u.arcmin
COMA = "PSZ2 G057.80+88.00"


@pytest.fixture(scope="module")
def maps(real_data):
    folder = "milca_coma/map2048_MILCA_Coma_20deg_"
    return {
        part: ComptonMap.read(real_data(f"{folder}{part}.fits"), beam=10 * u.arcmin)
        for part in PARTS
    }


@pytest.fixture(scope="module")
def psz2(real_data):
    rows = fits.getdata(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    return rows, SkyCoord(rows["GLON"], rows["GLAT"], unit="deg", frame="galactic")


@pytest.fixture(scope="module")
def coma(psz2):
    rows, coord = psz2
    return coord[list(rows["NAME"]).index(COMA)]


@pytest.fixture(scope="module")
def large(maps, coma):
    """Coma out to 400 arcmin in each map."""
    geometry = CutoutGeometry((481, 481))
    return {part: ymap.cutout(coma, geometry=geometry) for part, ymap in maps.items()}


def test_y_of_coma(large):
    """Y(<48') = 0.115 and Y(<240') = 0.173 arcmin2, less the mean of 300'-400'.

    That mean is -2.3e-7, which does not matter within 48' and is a quarter of Y within 240'.
    """
    noise = NoiseModel.planck(depth=None)
    radii = [48, 240] * u.arcmin
    table = aperture_photometry(large["G"], radii, background=[300, 400] * u.arcmin, noise=noise)
    assert table["complete"].all()
    assert table["y"][0, 0].value == pytest.approx(0.115, abs=0.001)
    assert table["y"][0, 1].value == pytest.approx(0.173, abs=0.001)
    assert table["background"][0] == pytest.approx(-2.27e-7, abs=0.02e-7)
    np.testing.assert_allclose(table["y_err"][0].value, [0.0026, 0.0200], rtol=0.03)
    plain = aperture_photometry(large["G"], radii)
    np.testing.assert_allclose(plain["y"][0].value, [0.1142, 0.1322], rtol=2e-3)


def test_halves_agree_within_the_noise_of_their_difference(maps, large):
    """The noise of a half map is that of half the difference times sqrt 2."""
    noise = NoiseModel.from_half_difference(maps["first"], maps["last"]).scaled(2**0.5)
    options = {"background": [300, 400] * u.arcmin, "noise": noise}
    radii = [20, 48, 100, 240] * u.arcmin
    first, last = (aperture_photometry(large[part], radii, **options) for part in PARTS[1:])
    difference = (first["y"] - last["y"])[0].value
    chi2 = difference @ np.linalg.solve(2 * first["y_cov"][0].value, difference)
    assert chi2 < 18.5  # 0.1 % for four apertures
    full = aperture_photometry(large["G"], radii, background=options["background"])["y"][0]
    mean = (first["y"] + last["y"])[0] / 2
    assert u.allclose(full, mean, rtol=0.02)


def test_profile_of_coma(large):
    """It falls from 6.5e-5 in the middle monotonically to nothing at 100 arcmin."""
    edges = np.arange(0, 101, 10) * u.arcmin
    table = radial_profile(large["G"], edges, noise=NoiseModel.planck(depth=None))
    y = table["y"][0]
    assert 5e-5 < y[0] < 7.5e-5
    assert np.all(np.diff(y) < 0)
    assert abs(y[-1]) < 2e-6


@pytest.fixture(scope="module")
def neighbours(maps, psz2, coma):
    """PSZ2 entries with SNR > 6 more than 1 deg from Coma, in each map that shows any of them."""
    rows, coord = psz2
    away = coord.separation(coma)
    chosen = (rows["SNR"] > 6) & (away > 1 * u.deg) & (away < 20 * u.deg)
    stacks = {
        part: ymap.cutouts(coord[chosen], names=rows["NAME"][chosen]) for part, ymap in maps.items()
    }
    return stacks, rows["REDSHIFT"][chosen], rows["Q_NEURAL"][chosen]


def test_stack_of_the_neighbours(neighbours):
    """Mean y within 10' less that of 30'-60'.

    The noise of single clusters is that of `NoiseModel.planck`; the bootstrap holds
    how different clusters are, and three of the entries show nothing at their positions.
    """
    stacks = neighbours[0]
    expected = {"G": (17, 16.8, 4.4), "first": (15, 13.0, 6.5), "last": (15, 13.9, 6.8)}
    for part, (n, noise_significance, significance) in expected.items():
        result = stack(stacks[part], background=RING, noise=NoiseModel.planck(depth=None), rng=1)
        assert result.n_clusters == n
        assert result.noise_significance == pytest.approx(noise_significance, rel=0.03)
        assert result.significance == pytest.approx(significance, rel=0.1)


def test_stacks_of_the_same_entries_are_alike(neighbours):
    """The six entries that are wholly in all three maps; three of them are clusters.

    The other three lie on one cloud, of which the full map shows less than the halves.
    """
    stacks, redshift, _ = neighbours
    common = np.all([part.complete for part in stacks.values()], axis=0)
    known = common & (redshift > 0)
    assert (common.sum(), known.sum()) == (6, 3)
    noise = NoiseModel.planck(depth=None)
    for chosen, expected in ((common, [6.5, 8.2, 7.9]), (known, [8.4, 8.8, 8.1])):
        results = [
            stack(stacks[part][chosen], background=RING, noise=noise, bootstrap=0) for part in PARTS
        ]
        values = [result.noise_significance for result in results]
        np.testing.assert_allclose(values, expected, rtol=0.03)
    full, first, last = results
    assert full.amplitude == pytest.approx((first.amplitude + last.amplitude) / 2, rel=0.05)
    for result in results:
        peak = np.unravel_index(result.image.argmax(), (96, 96))
        assert np.hypot(*(np.array(peak) - 47.5)) < 3


def test_entries_without_redshift_show_nothing(neighbours):
    """Three entries of low neural quality have SNR > 7 in PSZ2 and no peak in the map."""
    stacks, redshift, quality = neighbours
    unknown = redshift < 0
    assert unknown.sum() == 3
    assert (quality[unknown] < 0.4).all()
    table = aperture_photometry(
        stacks["G"], 10 * u.arcmin, background=RING, noise=NoiseModel.planck(depth=None)
    )
    ratio = (table["y"] / table["y_err"]).value
    assert (np.abs(ratio[unknown]) < 2.5).all()
    complete = np.asarray(table["complete"]) & ~unknown
    assert np.median(ratio[complete]) > 4.5


def test_noise_model_against_random_positions(maps, psz2, coma):
    """The scatter of Y at 300 empty positions is that of the model, which is 8 % higher here."""
    coord = psz2[1]
    rng = np.random.default_rng(0)
    radius, angle = 8.3 * np.sqrt(rng.random(1500)), 360 * rng.random(1500)
    centres = coma.directional_offset_by(angle * u.deg, radius * u.deg)
    near = coord[coord.separation(coma) < 20 * u.deg]
    empty = centres.separation(coma) > 2.5 * u.deg
    empty &= centres[:, np.newaxis].separation(near).min(axis=1) > 0.5 * u.deg
    stack_ = maps["G"].cutouts(centres[empty][:300], geometry=CutoutGeometry((72, 72)))
    table = aperture_photometry(
        stack_, 10 * u.arcmin, background=RING, noise=NoiseModel.planck(depth=None)
    )
    whole = np.asarray(table["complete"])
    assert whole.sum() > 250
    ratio = np.std(table["y"][whole].value) / table["y_err"][whole][0].value
    assert 0.7 < ratio < 1.1
