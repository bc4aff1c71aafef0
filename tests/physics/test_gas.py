"""Density, emission and mass of the gas of clusters."""

import astropy.units as u
import numpy as np
import pytest
from scipy.special import gammainc

from szmass.exceptions import InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.physics import (
    GAS_DENSITY_PROFILES,
    CoolingFunction,
    TabulatedCooling,
    get_cosmology,
    get_gas_density_profile,
)
from szmass.physics.cosmology import critical_density
from szmass.physics.gas import electrons

RATE = u.erg * u.cm**3 / u.s


@pytest.mark.parametrize(
    ("name", "fraction"),
    # Eckert et al. (2019) have 0.141 +- 0.006 for X-COP, the sample of Ghirardini et al. (2019).
    [("ghirardini2019", 0.1437), ("pratt2022", 0.1254)],
)
def test_gas_fraction_of_published_densities(name, fraction):
    profile = get_gas_density_profile(name)
    x = np.geomspace(1e-4, 1, 4000)
    density = profile.electron_density(x, 5e14 * u.solMass, 0.1, cosmology="PSZ2")
    even = electrons(500 * critical_density(0.1, get_cosmology("PSZ2")))
    assert np.trapezoid(3 * x**2 * density, x) / even == pytest.approx(fraction, abs=3e-4)
    assert profile.references


def test_densities_scale_as_published():
    profile = get_gas_density_profile("pratt2022")
    at = {"cosmology": "PSZ2"}
    one, two, far = (
        profile.electron_density(0.5, mass * u.solMass, z, **at)
        for mass, z in ((5e14, 0.1), (1e15, 0.1), (5e14, 1.0))
    )
    efunc = get_cosmology("PSZ2").efunc
    assert two / one == pytest.approx(2**0.22)
    assert far / one == pytest.approx((efunc(1.0) / efunc(0.1)) ** 2.09)
    core = [
        GAS_DENSITY_PROFILES[f"ghirardini2019{which}"].electron_density(
            0.02, 5e14 * u.solMass, 0.1, **at
        )
        for which in ("-cc", "", "-ncc")
    ]
    assert core[0] > core[1] > core[2]


def test_densities_refuse_what_cannot_be():
    profile = get_gas_density_profile("pratt2022")
    with pytest.raises(InvalidUnitError):
        profile.electron_density(1, 5e14, 0.1, cosmology="PSZ2")
    with pytest.raises(InvalidInputError, match="'x' must be positive"):
        profile.electron_density(0, 5e14 * u.solMass, 0.1, cosmology="PSZ2")
    with pytest.raises(UnknownNameError, match="pratt2022"):
        get_gas_density_profile("nobody")


def test_cooling_in_a_band_that_holds_everything_is_bolometric():
    kt = np.array([1.0, 3.0, 10.0])
    everything = CoolingFunction(band=(1e-5, 500) * u.keV).emission(kt, 0.0)
    expected = 1e-22 * (8.6e-3 * kt**-1.7 + 5.8e-2 * kt**0.5 + 6.3e-2)
    np.testing.assert_allclose(everything, expected, rtol=2e-3)


def test_cooling_in_the_soft_band():
    kt, z = np.array([2.0, 5.0]), 0.3
    band = gammainc(0.6, 2 * 1.3 / kt) - gammainc(0.6, 0.5 * 1.3 / kt)
    whole = CoolingFunction(band=(1e-5, 500) * u.keV).emission(kt, 0.0)
    np.testing.assert_allclose(CoolingFunction().emission(kt, z) / whole, band, rtol=3e-3)
    energy = CoolingFunction().photon_energy(kt, z)
    assert np.all((energy > 0.5) & (energy < 2))
    assert energy[1] > energy[0]


def test_cooling_of_a_table():
    kt = np.array([1.0, 4.0, 16.0])
    table = TabulatedCooling(temperature=kt * u.keV, rate=np.array([1, 2, 4]) * 1e-23 * RATE)
    np.testing.assert_allclose(
        table.emission(np.array([2.0, 8.0, 100.0, 0.1]), 0.3),
        np.array([np.sqrt(2), 2 * np.sqrt(2), 4, 1]) * 1e-23,
    )
    rates = np.array([[1, 1, 1], [3, 3, 3]]) * 1e-23 * RATE
    table = TabulatedCooling(temperature=kt * u.keV, rate=rates, redshift=[0, 1])
    z = np.array([[0.0], [0.5], [2.0]])
    found = table.emission(np.full((3, 2), 5.0), z)
    expected = np.array([1, np.sqrt(3), 3])[:, np.newaxis] * 1e-23
    np.testing.assert_allclose(found, np.broadcast_to(expected, (3, 2)))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"rate": [1e-23] * RATE}, InvalidInputError),
        ({"rate": [1e-23, 0] * RATE}, InvalidInputError),
        ({"rate": [1e-23, 1e-23]}, InvalidUnitError),
        ({"temperature": [2, 1] * u.keV}, InvalidInputError),
        ({"temperature": [2, 3] * u.m}, InvalidUnitError),
        ({"redshift": [0.1, 0.2]}, InvalidInputError),
        ({"band": (2, 1) * u.keV}, InvalidInputError),
        ({"band": (0.5, 2)}, InvalidUnitError),
    ],
)
def test_cooling_refuses_what_cannot_be(options, error):
    fine = {"temperature": [1, 2] * u.keV, "rate": [1e-23, 2e-23] * RATE}
    with pytest.raises(error):
        TabulatedCooling(**(fine | options))
