"""Numbers of mass maps: the real Coma cluster beside weak lensing, and mocks beside their truth."""

import astropy.units as u
import numpy as np
import pytest

from szmass.catalogs import load_sample
from szmass.maps import open_map
from szmass.massmaps import NFWMaps
from szmass.physics import convert_mass

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def coma(real_data):
    sample = load_sample(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    sample = sample[["PSZ2 G057.80+88.00"]]
    path = real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits")
    ymap = open_map(path, beam=10 * u.arcmin)
    ymap.noise = "planck"
    return sample.attach_cutouts(ymap)


def test_coma_beside_weak_lensing(coma):
    # M200c by weak lensing, h = 0.7: Gavazzi et al. 2009 (A&A 498, L33, abstract) 5.1 +4.3 -2.1
    # and Kubo et al. 2007 (ApJ 671, 1466, abstract) 26.9 +9.3 -8.0, in 1e14 solMass.
    maps = NFWMaps(one_minus_b=0.8).predict(coma)
    assert maps.flag[0] == 0
    one = maps[0]
    mass, error = one.mass_within([1.0, 1.5] * one.r500)
    # A cylinder of R500 holds 1.2 to 1.35 of the mass in the sphere, that of 1.5 R500 1.6 to 1.9.
    m500 = NFWMaps(one_minus_b=0.8)._posterior(coma).median()[0]
    assert 1.15 < mass[0] / m500 < 1.4
    assert 1.5 < mass[1] / m500 < 2.0
    assert np.all((error / mass > 0.08) & (error / mass < 0.3))
    m200 = convert_mass(m500, 0.0231, "500c", "200c", cosmology="PSZ2").to_value("solMass")
    assert 5.1e14 - 2 * 2.1e14 < m200 < 5.1e14 + 2 * 4.3e14
    assert m200 > 26.9e14 - 3 * 8.0e14
    assert one.r500.to_value("arcmin") == pytest.approx(50, abs=4)
    place, _ = one.centroid()
    assert place.separation(one.coord) < 5 * u.arcmin
