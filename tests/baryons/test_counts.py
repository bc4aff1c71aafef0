"""Counts in light cones and their errors, against sums and integrals of other kinds."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import vstack

from szmass.baryons import (
    cumulative_counts,
    draw_halos,
    make_lightcone,
    redshift_counts,
)
from szmass.baryons.counts import _bias, _matter_covariance
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics import get_cosmology
from szmass.physics.concentration import colossus_for

PLANCK = get_cosmology("Planck18")
FLUX = u.erg / u.s / u.cm**2


@pytest.fixture(scope="module")
def cone():
    halos = draw_halos(area=3000 * u.deg**2, redshift=(0.01, 0.8), cosmology=PLANCK, seed=4)
    return make_lightcone("flamingo", halos, cosmology=PLANCK, seed=4)


def test_counts_are_sums(cone):
    flux = cone.table["flux"].to_value(FLUX)
    at = np.array([3e-13, 1e-12, 5e-12, 1.0])
    # In another unit, as thresholds may be.
    counts = cumulative_counts(cone, "flux", (at * FLUX).to("W / m2"))
    np.testing.assert_array_equal(counts["n"], [(flux > limit).sum() for limit in at])
    np.testing.assert_allclose(counts["n_err_poisson"], np.sqrt(counts["n"]))
    both = counts["n_err_poisson"] ** 2 + counts["n_err_sample"] ** 2
    np.testing.assert_allclose(counts["n_err"] ** 2, both)
    assert counts["n_err"][-1] == 0
    assert counts.meta["physics"] == "flamingo"
    assert "linear theory" in counts.meta["sample_variance"]
    snr = np.where(flux > 1e-12, np.nan, 7.0)
    by_value = cumulative_counts(cone, snr, [6, 8])
    np.testing.assert_array_equal(by_value["n"], [np.isfinite(snr).sum(), 0])


def test_bins_of_redshift(cone):
    edges = [0.1, 0.25, 0.4, 0.7]
    counts = redshift_counts(cone, edges)
    expected = np.histogram(cone.table["redshift"], edges)[0]
    np.testing.assert_array_equal(counts["n"], expected)
    np.testing.assert_array_equal(counts["z_low"], edges[:-1])
    assert counts.colnames[:3] == ["z_low", "z_high", "n"]
    wide = redshift_counts(cone, [0.1, 0.7])
    assert wide["n"][0] == expected.sum()
    assert len(redshift_counts(cone[:0], edges)) == 3
    heavy = cone.table["m500c"] > 3e14 * u.solMass
    some, part = redshift_counts(cone, edges, where=heavy), redshift_counts(cone[heavy], edges)
    for name in ("n", "n_err"):
        np.testing.assert_allclose(some[name], part[name], rtol=1e-4)


def test_lighter_haloes_that_are_missing_are_told(cone):
    mass = cone.table["m500c"].to_value("solMass")
    counts = cumulative_counts(cone, "m500c", [1e14] * u.solMass)
    expected = np.mean(mass < 1.5e14)
    assert counts.meta["near_lowest_mass"] == pytest.approx(expected, abs=1e-4)
    heavy = cumulative_counts(cone, "m500c", [4e14] * u.solMass)
    assert heavy.meta["near_lowest_mass"] == 0


def test_variance_of_the_whole_sky_is_that_of_a_sphere():
    found = np.sqrt(_matter_covariance(1, 41253.0, PLANCK)[0, 0])
    radius = PLANCK.comoving_distance(0.05).to_value("Mpc") * PLANCK.h
    with colossus_for(PLANCK):
        from colossus.cosmology.cosmology import getCurrent

        expected = getCurrent().sigma(radius) * getCurrent().growthFactor(0.038)
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("area", [8000.0, 600.0])
def test_variance_of_a_disc_is_the_mean_correlation_of_its_points(area):
    """Over pairs of random points of a cone, with a correlation function of colossus."""
    rng = np.random.default_rng(3)
    far, near = (PLANCK.comoving_distance(z).to_value("Mpc") for z in (0.1, 0.05))
    n = 400_000

    def points():
        cos = 1 - 2 * area / 41252.96 * rng.random(n)
        chi = np.cbrt(near**3 + (far**3 - near**3) * rng.random(n))
        angle, sin = 2 * np.pi * rng.random(n), np.sqrt(1 - cos**2)
        return chi * np.stack([sin * np.cos(angle), sin * np.sin(angle), cos])

    distance = np.linalg.norm(points() - points(), axis=0) * PLANCK.h
    with colossus_for(PLANCK):
        from colossus.cosmology.cosmology import getCurrent

        at = np.geomspace(0.1, 500, 400)
        correlation = getCurrent().correlationFunction(at)
        growth = getCurrent().growthFactor(0.08)
    expected = np.interp(distance, at, correlation) * growth**2
    covariance = _matter_covariance(2, area, PLANCK)
    error = 4 * expected.std() / np.sqrt(n)
    assert covariance[1, 1] == pytest.approx(expected.mean(), rel=0.04, abs=error)


def test_bias_multiplies_the_variance_of_matter(cone):
    some = cone[cone.table["redshift"] < 0.05]
    mass, z = some.table["m500c"].to_value("solMass"), np.asarray(some.table["redshift"])
    with colossus_for(PLANCK):
        from colossus.lss.bias import haloBias

        exact = [
            haloBias(m * PLANCK.h, at, mdef="500c", model="tinker10")
            for m, at in zip(mass, z, strict=True)
        ]
    np.testing.assert_allclose(_bias(mass, z, PLANCK), exact, rtol=0.003)
    matter = np.sqrt(_matter_covariance(1, 3000.0, PLANCK)[0, 0])
    counts = redshift_counts(some, [0, 0.05])
    assert counts["n_err_sample"][0] == pytest.approx(np.sum(exact) * matter, rel=0.01)


def test_jackknife_of_haloes_without_clustering_is_poisson(cone):
    counts = cumulative_counts(cone, "m500c", [1e14, 2e14] * u.solMass, variance="jackknife")
    # So many patches tell a variance to a few tenths; the edge of the disc adds none.
    assert np.all(counts["n_err"] < 1.3 * counts["n_err_poisson"])
    assert "jackknife over" in counts.meta["sample_variance"]


def test_jackknife_sees_clustering(cone):
    """Haloes in knots of ten have ten times the variance."""
    knots = cone.table.copy()
    middle = np.arange(len(knots)) // 10 * 10
    knots["coord"] = SkyCoord(knots["coord"].l[middle], knots["coord"].b[middle], frame="galactic")
    # Whether patches are full is told by all haloes: others, that count nowhere, fill them.
    rest = cone.table.copy()
    rest["m500c"] = 1e13 * u.solMass
    both = dataclasses.replace(cone, table=vstack([knots, rest]))
    counts = cumulative_counts(both, "m500c", [1e14] * u.solMass, variance="jackknife")
    ratio = (counts["n_err"] / counts["n_err_poisson"])[0]
    assert 2.5 < ratio < 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda cone: cumulative_counts(cone, "flux", [2, 1] * FLUX), "'thresholds' must be 1 or"),
        (lambda cone: cumulative_counts(cone, "flux", [] * FLUX), "'thresholds' must be 1 or more"),
        (lambda cone: cumulative_counts(cone, "flux", [1e-12]), "'thresholds'"),
        (lambda cone: cumulative_counts(cone, "lxx", [1]), "has no column 'lxx'"),
        (lambda cone: cumulative_counts(cone, np.ones(3), [1]), "one value per halo"),
        (lambda cone: redshift_counts(cone, [0.1, 0.2], where=[True]), "'where' must be a mask"),
        (lambda cone: redshift_counts(cone, [0.2]), "'edges' must be 2 or more rising"),
        (lambda cone: redshift_counts(cone, [0.2, 0.1]), "'edges' must be 2 or more rising"),
        (lambda cone: redshift_counts(cone.table, [0.1, 0.2]), "must be a LightCone"),
        (
            lambda cone: redshift_counts(cone[:50], [0.1, 0.2], variance="jackknife"),
            "A jackknife needs 24 patches",
        ),
    ],
)
def test_mistakes(cone, call, message):
    with pytest.raises(InvalidInputError, match=message):
        call(cone)


def test_unknown_variance(cone):
    with pytest.raises(UnknownNameError, match="Did you mean 'jackknife'"):
        redshift_counts(cone, [0.1, 0.2], variance="jacknife")
