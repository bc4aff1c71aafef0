"""The density networks that ship, on real clusters."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass.catalogs import PSZ2Catalog
from szmass.clusters import ClusterSample
from szmass.estimators import CNNMass, LikelihoodMass
from szmass.maps import ComptonMap, Cutout, CutoutStack
from szmass.results import MassFlag

pytestmark = pytest.mark.real_data

# What the networks learned, and Planck's masses do not have.
ONE_MINUS_B = 0.8


@pytest.fixture(scope="module")
def coma(real_data):
    catalog = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    ymap = ComptonMap.read(
        real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits"),
        beam=10 * u.arcmin,
        noise="planck",
    )
    sample = catalog.sample(redshift=(0, 1))
    sample.attach_cutouts(ymap)
    return sample[sample.cutouts.complete]


def outside_coma(sample):
    return sample.coord.separation(sample["PSZ2 G057.80+88.00"].coord) > 1 * u.deg


def test_nine_clusters_of_the_coma_field_have_the_masses_of_planck(coma):
    some = coma[outside_coma(coma)]
    assert len(some) == 9
    ratio = np.log(CNNMass().predict(some)["mass"] * ONE_MINUS_B / some.quantity("msz"))
    assert abs(np.median(ratio)) < 0.10
    assert np.std(ratio) < 0.15


def test_a_cluster_beside_coma_is_strange_and_coma_is_not(coma):
    # PSZ2 G061.75+88.11 is so near to the middle of Coma that it looks like it.
    table = CNNMass().predict(coma[~outside_coma(coma)])
    flags = dict(zip(table["name"], table["flag"], strict=True))
    assert flags["PSZ2 G056.62+88.42"] & MassFlag.OUT_OF_DOMAIN
    assert not flags["PSZ2 G057.80+88.00"] & MassFlag.OUT_OF_DOMAIN


def test_turned_cutouts_have_the_same_masses(coma):
    masses = []
    for turn in range(8):
        turned = coma[:]
        maps = turned.cutouts.data
        maps = maps.swapaxes(1, 2) if turn & 4 else maps
        turned.cutouts.data[:] = maps[:, :: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1].copy()
        masses.append(np.log10(CNNMass().predict(turned)["mass"].value))
    assert np.std(masses, axis=0).max() < 0.005


def test_a_cluster_near_the_threshold_keeps_its_mass_under_the_mass_function(coma):
    # S/N 4.9 at z = 0.888: with all haloes from 1e13 the prior takes 97 % of its mass away.
    one = coma[[list(coma.names).index("PSZ2 G160.83+81.66")]]
    for estimator in (CNNMass, LikelihoodMass):
        options = {} if estimator is CNNMass else {"one_minus_b": ONE_MINUS_B}
        flat, steep = (
            estimator(prior=prior, **options).predict(one)["mass"].to_value(u.solMass)[0]
            for prior in ("flat", "tinker08")
        )
        assert 5e14 < flat < 1.1e15
        assert 0.5 * flat < steep < 0.95 * flat


def test_published_cutout_agrees_with_the_posterior(real_data):
    cutout = Cutout.read(real_data("deepplanck/PSZ2G359.07-32.12.fits"))
    table = QTable({"name": ["PSZ2 G359.07-32.12"], "coord": cutout.coord.reshape(1)})
    table["redshift"] = [0.1496]
    sample = ClusterSample(table, cutouts=CutoutStack.from_cutouts([cutout]))
    found = CNNMass().predict(sample)[0]
    exact = LikelihoodMass(one_minus_b=ONE_MINUS_B).predict(sample)[0]
    assert found["flag"] == 0
    assert abs(found["mass"] - exact["mass"]) < 0.5 * exact["mass_errp"]
