"""Mocks against numbers published elsewhere, and weighed by networks that others trained.

The networks of de Andres et al. (2022) learned on hydrodynamic simulations. Their Table 1 gives
mean and standard deviation of (M_CNN - M) / M_CNN. No parameter of the mocks was chosen by these
numbers.
"""

import dataclasses
import functools

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from szmass.catalogs import PSZ2Catalog
from szmass.maps import CutoutGeometry
from szmass.physics import get_cosmology
from szmass.physics.mass_function import sky_density
from szmass.simulations import (
    CLUSTER_MODELS,
    OBSERVATIONS,
    ClusterPainter,
    Observation,
    SZSelection,
    draw_clusters,
    from_masses,
    simulate,
    twin,
)

# Planck 2018 VI, base LCDM from CMB and lensing, without BAO.
PLANCK2018 = FlatLambdaCDM(
    H0=67.36, Om0=0.3153, Ob0=0.0493, Tcmb0=2.7255, meta={"sigma8": 0.8111, "n": 0.9649}
)
BINS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1.0))


def test_mass_function_of_the_three_hundred_cosmology():
    """Tinker et al. (2008) at z = 0.2 with sigma8 = 0.823, n = 0.96, in h^3 Mpc^-3."""
    h = 0.678
    cosmology = get_cosmology("TheThreeHundred").clone(
        meta={"sigma8": 0.823, "n": 0.96}, to_nonflat=False
    )
    mass = np.array([3e14, 5e14, 1e15]) / h
    volume = cosmology.differential_comoving_volume(0.2).to_value("Mpc3 / sr")
    density = sky_density(np.log(mass), np.array([0.2]), cosmology)[0] / (4 * np.pi * volume * h**3)
    np.testing.assert_allclose(density, [1.754e-6, 4.37e-7, 3.42e-8], rtol=2e-3)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("one_minus_b", "published"), [(0.58, 363), (0.62, 454), (0.70, 679), (0.80, 1045)]
)
def test_counts_of_the_planck_selection(real_data, one_minus_b, published):
    """Clusters with q > 6 over the patches of Planck's matched filter, to 3 %."""
    table = real_data("planck_mmf_noise/SZ_thetas.txt").parent
    number = SZSelection(table, q_cut=6).expected_counts(
        cosmology=PLANCK2018, one_minus_b=one_minus_b
    )
    assert number == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(
    ("mass", "redshift", "peak"),
    [
        (2e14, 0.05, 1.03e-5),
        (4e14, 0.1, 1.55e-5),
        (5e14, 0.2, 1.12e-5),
        (6e14, 0.3, 1.03e-5),
        (8e14, 0.5, 1.12e-5),
        (1e15, 0.7, 1.39e-5),
    ],
)
def test_peak_of_the_universal_profile_behind_the_beam(mass, redshift, peak):
    model = dataclasses.replace(CLUSTER_MODELS["a10"].smooth(), one_minus_b=1.0)
    sample = from_masses(mass * u.solMass, redshift)
    clusters = draw_clusters(sample, model, cosmology="PSZ2", seed=1)
    painter = ClusterPainter(model, geometry=CutoutGeometry(shape=(97, 97)))
    image = painter.paint(clusters)[0][0, 0]
    assert image[48, 48] == image.max()
    # Three digits are given; a brute-force convolution agrees with the map to 3e-4.
    assert image.max() == pytest.approx(peak, rel=7e-3)
    total = image.sum(dtype=float) * 1.7**2
    if clusters["theta500_true"][0] < 10 * u.arcmin:
        assert total == pytest.approx(clusters["y5r500_true"][0].value, rel=1e-3)


@pytest.fixture(scope="module")
def weighed(real_data, tmp_path_factory):
    """Give what the published networks make of a twin of PSZ2, by name of the observation."""
    from szmass.networks import load_published

    weights = real_data("deepplanck/weights")
    catalogue = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    sample = twin(catalogue.sample(redshift=(0, 1)), one_minus_b=0.8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SZMASS_CACHE", str(tmp_path_factory.mktemp("cache")))
        networks = load_published(weights)

    @functools.cache
    def weigh(observation):
        mocks = simulate(sample, observation, cosmology="PSZ2", seed=1)
        return mocks, 10 ** networks.log10_mass(mocks.cutouts.data, mocks.redshift)

    return weigh


def statistics(weighed, observation, column, redshifts, heavy=False):
    mocks, mass = weighed(observation)
    difference = (mass - mocks.quantity(column).value) / mass
    low, high = BINS[redshifts]
    inside = (mocks.redshift > low) & (mocks.redshift <= high)
    if heavy:
        inside &= np.log10(mass) > 14.7
    return difference[inside].mean(), difference[inside].std()


def short(*values, reason):
    """Mark a row that falls short; all seeds are fixed, so that one which comes in is news."""
    return pytest.param(*values, marks=pytest.mark.xfail(strict=True, reason=reason))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("observation", "heavy", "redshifts", "mean", "std", "tolerance"),
    [
        ("clean", False, 0, -0.03, 0.14, 0.05),
        ("clean", False, 1, -0.01, 0.12, 0.05),
        ("clean", False, 2, -0.01, 0.08, 0.05),
        short("clean", False, 3, -0.02, 0.08, 0.05, reason="the mean is +0.035"),
        ("clean", True, 0, -0.02, 0.13, 0.05),
        ("clean", True, 1, -0.02, 0.13, 0.05),
        ("clean", True, 2, -0.01, 0.08, 0.05),
        short("clean", True, 3, -0.02, 0.08, 0.05, reason="the mean is +0.035"),
        short("planck-like", False, 0, -0.02, 0.21, 0.10, reason="the mean is -0.12: see below"),
        ("planck-like", False, 1, 0.01, 0.15, 0.05),
        ("planck-like", False, 2, -0.01, 0.13, 0.05),
        ("planck-like", False, 3, -0.02, 0.15, 0.05),
        ("planck-like", True, 0, -0.01, 0.16, 0.10),
        ("planck-like", True, 1, 0.01, 0.16, 0.05),
        ("planck-like", True, 2, -0.01, 0.13, 0.05),
        ("planck-like", True, 3, -0.02, 0.15, 0.05),
    ],
)
def test_networks_on_mocks_as_on_their_own(
    weighed, observation, heavy, redshifts, mean, std, tolerance
):
    """Against the true mass, within the tolerance of Table 1."""
    result = statistics(weighed, observation, "mass_true", redshifts, heavy)
    assert result == pytest.approx((mean, std), abs=tolerance)


@pytest.mark.real_data
def test_noise_of_pixels_is_not_noise_of_points(weighed):
    """The network of the highest redshifts expects noise cut from a HEALPix map."""
    points = Observation(name="points", noise=OBSERVATIONS["planck-like"].noise)
    means = [statistics(weighed, name, "mass_true", 3)[0] for name in ("planck-like", points)]
    assert means[0] - means[1] > 0.04


@pytest.mark.real_data
def test_lowest_redshifts_are_taken_for_one(weighed):
    """What limits z < 0.1: that network was trained on nearer clusters, and is not told z.

    Its stored mean of y is six times that of PSZ2 there.
    """
    mocks, mass = weighed("planck-like")
    difference = (mass - mocks.quantity("mass_true").value) / mass
    assert difference[mocks.redshift < 0.03].mean() > 0.1
    assert difference[(mocks.redshift > 0.08) & (mocks.redshift < 0.1)].mean() < -0.15


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("redshifts", "mean"),
    [
        (0, 0.029),
        (1, 0.149),
        (2, 0.127),
        short(3, 0.142, reason="the released network gives the talk's -0.09"),
    ],
)
def test_networks_on_a_twin_of_the_real_sky(weighed, redshifts, mean):
    """Against MSZ, within 0.05 of the released catalogue of masses."""
    result = statistics(weighed, "planck-total", "msz", redshifts)[0]
    assert result == pytest.approx(mean, abs=0.05)


@pytest.mark.real_data
def test_highest_redshifts_are_those_of_the_talk(weighed):
    """-0.09 +- 0.22, before the network was trained anew."""
    mean, std = statistics(weighed, "planck-total", "msz", 3)
    assert mean == pytest.approx(-0.09, abs=0.06)
    assert std == pytest.approx(0.22, abs=0.05)
    # The released catalogue has no mass below 10^14.74 there, the talk has 12 of 178 below 10^14.7.
    mocks, mass = weighed("planck-total")
    light = np.mean(np.log10(mass[mocks.redshift > 0.4]) < 14.7)
    assert light == pytest.approx(12 / 178, abs=0.1)
    assert light > 0.03
