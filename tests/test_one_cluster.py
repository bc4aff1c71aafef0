"""One cluster, a few of them, and samples that are joined and sorted."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.wcs import WCS

from szmass import Cluster, ClusterSample, ComptonMap, estimate_masses
from szmass.estimators import ESTIMATORS, estimate_in_pieces
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import (
    DuplicateNameError,
    InvalidInputError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.maps import CutoutGeometry

A2142 = SkyCoord(239.586, 27.227, unit="deg")


@pytest.fixture(scope="module")
def ymap():
    """A map with a bump at A2142, in noise."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [A2142.ra.deg, A2142.dec.deg]
    wcs.wcs.cdelt, wcs.wcs.crpix = [-1 / 60, 1 / 60], [90.5, 90.5]
    y, x = np.mgrid[:180, :180] - 89.5
    bump = 1e-4 * np.exp(-(x**2 + y**2) / 2 / 5**2)
    noise = np.random.default_rng(1).normal(0, 1e-6, (180, 180))
    return ComptonMap.from_image(bump + noise, wcs, beam="10 arcmin", noise="planck")


@pytest.fixture
def check():
    return make_check_sample(4)


def test_one_cluster_has_the_masses_of_its_sample(check):
    whole = estimate_masses(check, ["scaling", "matched_filter"])
    for given, rows in ((check[1], [1]), ([check[2], check[0]], [2, 0]), ((check[3],), [3])):
        table = estimate_masses(given, ["scaling", "matched_filter"])
        assert table["name"].tolist() == whole["name"][rows].tolist()
        for name in ("mass_scaling", "mass_matched_filter", "mass_errp_matched_filter"):
            np.testing.assert_array_equal(table[name].value, whole[name].value[rows])
    single = ESTIMATORS["scaling"]().predict(check[1])
    assert single["mass"][0] == whole["mass_scaling"][1]
    assert len(ESTIMATORS["likelihood"]().predict_posterior(check[1])) == 1
    assert len(estimate_in_pieces(check[1], "scaling")) == 1


def test_maps_take_clusters_and_samples(ymap):
    cluster = Cluster("A2142", A2142.galactic, 0.0894)
    grid = CutoutGeometry((33, 33), "1 arcmin")
    assert cluster.attach_cutouts(ymap, geometry=grid) is cluster
    assert cluster.cutout.name == "A2142"
    by_position = ymap.cutout(A2142, geometry=grid)
    assert by_position.name == ""
    np.testing.assert_allclose(by_position.data, cluster.cutout.data, rtol=1e-5)
    other = Cluster("b", SkyCoord(239.9, 27.0, unit="deg"))
    for clusters in (
        [cluster, other],
        ClusterSample.from_clusters([Cluster("A2142", A2142), other]),
    ):
        stack = ymap.cutouts(clusters, geometry=grid)
        assert stack.names.tolist() == ["A2142", "b"]
        np.testing.assert_allclose(stack[0].data, by_position.data, rtol=1e-5)
        (chunk,) = ymap.iter_cutouts(clusters, geometry=grid)
        assert chunk.names.tolist() == ["A2142", "b"]
    assert ymap.cutouts([cluster, other], names=["x", "y"], geometry=grid).names.tolist() == [
        "x",
        "y",
    ]
    assert ymap.cutout(cluster, name="mine", geometry=grid).name == "mine"
    with pytest.raises(InvalidInputError, match="'ymap' must be a ComptonMap"):
        cluster.attach_cutouts("map.fits")


def test_samples_of_clusters(check):
    clusters = list(check)
    back = ClusterSample.from_clusters(clusters)
    assert back.names.tolist() == check.names.tolist()
    np.testing.assert_array_equal(back.redshift, check.redshift)
    np.testing.assert_array_equal(back.cutouts.data, check.cutouts.data)
    for name in check.table.colnames[3:]:
        np.testing.assert_array_equal(back.quantity(name), check.quantity(name))
    a = Cluster("a", A2142, 0.1, msz=5e14 * u.solMass, measurements={"kt": 5 * u.keV, "n": 3})
    b = Cluster("b", A2142.galactic, measurements={"kt": 6e3 * u.eV, "note": "odd"})
    two = ClusterSample.from_clusters([a, b])
    assert two.coord.frame.name == "icrs"
    np.testing.assert_allclose(two.quantity("kt").to_value("keV"), [5, 6])
    assert two.table["note"].mask.tolist() == [True, False]
    assert two.table["n"].mask.tolist() == [False, True]
    assert two[1].msz is None
    assert two[1].redshift is None
    with pytest.raises(InvalidInputError, match="1 of 2 clusters have no cutout, 'b' for"):
        ClusterSample.from_clusters([clusters[0], b])
    with pytest.raises(InvalidInputError, match="'kt' must have units that convert"):
        ClusterSample.from_clusters([a, Cluster("c", A2142, measurements={"kt": 1 * u.m})])
    for bad in ([], [a, "b"], "a", None):
        with pytest.raises(InvalidInputError, match="'clusters' must be a Cluster, or a list"):
            ClusterSample.from_clusters(bad)
    with pytest.raises(DuplicateNameError):
        ClusterSample.from_clusters([a, a])


def test_samples_are_joined(check):
    parts = [check[:1], check[1:]]
    whole = ClusterSample.concatenate(parts)
    assert whole.names.tolist() == check.names.tolist()
    assert whole.meta == check.meta
    np.testing.assert_array_equal(whole.cutouts.data, check.cutouts.data)
    for name in ("msz", "y5r500"):
        np.testing.assert_array_equal(whole.quantity(name), check.quantity(name))
    assert (parts[0] + parts[1]).names.tolist() == check.names.tolist()
    other = ClusterSample.from_clusters(Cluster("A2142", A2142.galactic, 0.0894, snr=28.4))
    with pytest.warns(SzmassWarning, match="Sample 1 has no cutouts"):
        both = check + other
    assert both.cutouts is None
    assert both["Abell 2142"].coord.separation(A2142).arcsec < 1e-3
    assert both["Abell 2142"].snr == 28.4
    assert np.isnan(both.quantity("msz")[-1])
    with pytest.raises(DuplicateNameError, match="'A2142' in rows 0, 1"):
        _ = other + other
    again = ClusterSample.from_clusters(Cluster("Abell 2142", A2142))
    with pytest.warns(SzmassWarning, match="mean the same: 'A2142' .row 0. and 'Abell 2142'"):
        _ = other + again
    with pytest.raises(TypeError):
        _ = other + 1
    for bad in ([], [other, 7]):
        with pytest.raises(InvalidInputError, match="'samples' must"):
            ClusterSample.concatenate(bad)
    table = QTable({"name": ["c"], "coord": SkyCoord([1], [2], unit="deg"), "snr": [3.0]})
    text = table.copy()
    text["name"], text["kt"] = ["d"], ["hot"]
    table["kt"] = [5] * u.keV
    with pytest.raises(InvalidInputError, match="columns of the samples do not go together"):
        ClusterSample(table) + ClusterSample(text)


def test_samples_are_sorted(check):
    falling = check.sort_by("msz", descending=True)
    order = np.argsort(-check.quantity("msz").value, kind="stable")
    assert falling.names.tolist() == check.names[order].tolist()
    np.testing.assert_array_equal(falling.cutouts.data, check.cutouts.data[order])
    names = check[[2, 0, 3, 1]].sort_by("name").names
    assert names.tolist() == sorted(names)
    unknown = check[:]
    unknown.table["redshift"][0] = np.ma.masked
    for descending in (False, True):
        assert np.isnan(unknown.sort_by("redshift", descending=descending).redshift[-1])
    with pytest.raises(InvalidInputError, match="no column 'mass'"):
        check.sort_by("mass")
    with pytest.raises(InvalidInputError, match="does not hold numbers"):
        check.sort_by("coord")


def test_a_column_is_not_a_cluster(check):
    with pytest.raises(UnknownNameError, match=r"but a column: sample.table\['msz'\] is it"):
        _ = check["msz"]


def test_registries_say_what_they_hold():
    text = repr(ESTIMATORS)
    assert text.startswith("<Registry: ")
    assert "of kind 'estimator'" in text
    assert "matched_filter" in text
