"""The matched filter on real maps against the PSZ2 catalogue, and on twins of the catalogue.

Nothing here is fitted to the catalogue: noise, profile and relation are the defaults.
"""

import itertools

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass import ClusterSample
from szmass.catalogs import PSZ2Catalog
from szmass.estimators import MatchedFilterMass
from szmass.maps import ComptonMap, Cutout, CutoutStack
from szmass.maps.noise import NoiseModel
from szmass.results import MassFlag
from szmass.simulations import simulate, twin

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def psz2(real_data):
    catalogue = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    return catalogue.sample(redshift=(0, 1))


def _open(path):
    """A part of Planck's map, which its file does not say."""
    return ComptonMap.read(path, beam=10 * u.arcmin, noise="planck", sampling="window")


@pytest.fixture(scope="module")
def coma_field(real_data, psz2):
    path = real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits")
    coma = psz2["PSZ2 G057.80+88.00"].coord
    sample = psz2[psz2.coord.separation(coma) < 20 * u.deg]
    sample.attach_cutouts(_open(path), interpolation="bilinear")
    sample = sample[sample.cutouts.complete]
    assert len(sample) == 12
    return sample, sample.coord.separation(coma)


@pytest.fixture(scope="module")
def nine(coma_field):
    """The clusters outside Coma."""
    sample, separation = coma_field
    sample = sample[separation > 1 * u.deg]
    assert len(sample) == 9
    return sample


def test_snr_of_the_catalogue(nine):
    found = MatchedFilterMass().scan(nine).best()["snr"]
    catalogue = nine.quantity("snr").value
    # 0.956 and 0.902.
    assert np.corrcoef(found, catalogue)[0, 1] > 0.85
    assert 0.85 < np.median(found / catalogue) < 1.05


def test_masses_of_the_catalogue(nine):
    table = MatchedFilterMass().predict(nine)
    msz = nine.quantity("msz")
    ratio = np.log10((table["mass"] / msz).value)
    # -0.004 and 0.025.
    assert abs(ratio.mean()) < 0.03
    assert np.sqrt(np.mean(ratio**2)) < 0.045
    error = np.where(ratio > 0, nine.quantity("msz_errp"), nine.quantity("msz_errn"))
    # At most 1.25.
    assert np.all(np.abs((table["mass"] - msz) / error).value < 1.5)
    assert np.all(table["flag"] == 0)


def test_errors_of_the_catalogue(nine):
    table = MatchedFilterMass().predict(nine)
    ours = table["mass_errn"] + table["mass_errp"]
    theirs = nine.quantity("msz_errn") + nine.quantity("msz_errp")
    assert np.median(ours / theirs).value == pytest.approx(1.15, abs=0.2)


def test_entries_inside_coma_are_blended(coma_field):
    sample, separation = coma_field
    table = MatchedFilterMass().predict(sample)
    blended = table["flag"] & MassFlag.BLENDED > 0
    inside = (separation > 0 * u.deg) & (separation < 1 * u.deg)
    inside &= sample.names != "PSZ2 G057.80+88.00"
    assert np.count_nonzero(inside) == 2
    np.testing.assert_array_equal(blended, inside)
    coma = sample.names == "PSZ2 G057.80+88.00"
    assert table["flag"][coma][0] == MassFlag.CUTOUT_TOO_SMALL


def test_published_cutout(real_data, psz2):
    cutout = Cutout.read(real_data("deepplanck/PSZ2G359.07-32.12.fits"))
    cluster = psz2["PSZ2 G359.07-32.12"]
    table = QTable({"name": [cluster.name], "coord": cutout.coord.reshape(1)})
    table["redshift"] = [cluster.redshift]
    sample = ClusterSample(table, cutouts=CutoutStack.from_cutouts([cutout]))
    mass = MatchedFilterMass().predict(sample)["mass"][0]
    assert abs((mass - cluster.msz) / cluster.msz_errn).value < 2


@pytest.mark.parametrize("relation", ["planck2015", "arnaud2010"])
def test_twin_of_the_catalogue(psz2, relation):
    """Clusters with scatter, of all shapes; planck2015 has 4 % more Y than the model painted."""
    sample = simulate(twin(psz2), "planck-like", model="a10", cosmology="PSZ2", seed=1)
    estimator = MatchedFilterMass(noise=NoiseModel.planck("instrument"), relation=relation)
    ratio = (estimator.predict(sample)["mass"] / sample.quantity("msz")).value
    assert np.isfinite(ratio).all()
    # 0.982 and 1.006.
    assert np.median(ratio) == pytest.approx(1, abs=0.03)
    edges = [0, 0.1, 0.2, 0.4, 1]
    medians = [
        np.median(ratio[(sample.redshift > low) & (sample.redshift <= high)])
        for low, high in itertools.pairwise(edges)
    ]
    # 0.97 to 1.00.
    assert max(medians) - min(medians) < 0.05
