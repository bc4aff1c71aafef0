"""Which clusters are drawn."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from scipy.stats import kstest

from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics import get_cosmology
from szmass.physics.mass_function import SkyAbundance
from szmass.simulations import draw_flat, draw_mass_function, from_masses, twin


def test_flat_in_log_mass_and_redshift():
    sample = draw_flat(4000, mass=(2e14, 1e15) * u.solMass, redshift=(0.1, 0.4), seed=6)
    log_mass = np.log(sample.quantity("mass_true").to_value("solMass"))
    low, high = np.log([2e14, 1e15])
    assert kstest((log_mass - low) / (high - low), "uniform").pvalue > 0.01
    assert kstest((sample.redshift - 0.1) / 0.3, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(log_mass, sample.redshift)[0, 1]) < 0.05
    assert len(set(sample.names)) == 4000
    assert kstest((np.sin(sample.coord.b.rad) + 1) / 2, "uniform").pvalue > 0.01


def test_redshifts_of_a_catalogue():
    redshifts = np.array([0.1, 0.2, 0.2, 0.9])
    drawn = draw_flat(400, redshift=redshifts, seed=2).redshift
    assert set(drawn) == {0.1, 0.2, 0.9}
    assert 150 < np.count_nonzero(drawn == 0.2) < 250


def test_seed_decides():
    first, second = (draw_flat(10, seed=seed).quantity("mass_true") for seed in (3, 3))
    assert np.array_equal(first, second)
    assert not np.any(first == draw_flat(10, seed=4).quantity("mass_true"))


def test_mass_function_counts_and_shape():
    limits = (3e14, 3e15)
    sample = draw_mass_function(
        mass=limits * u.solMass, redshift=(0.05, 0.5), cosmology="TheThreeHundred", seed=1
    )
    cosmology = get_cosmology("TheThreeHundred")
    parts = [(3e14, 5e14), (5e14, 3e15)]
    for low, high in parts:
        for z in ((0.05, 0.3), (0.3, 0.5)):
            expected = SkyAbundance((low, high), z, cosmology).total
            mass = sample.quantity("mass_true").value
            inside = (mass > low) & (mass < high) & (sample.redshift > z[0])
            inside &= sample.redshift < z[1]
            assert abs(np.count_nonzero(inside) - expected) < 4 * np.sqrt(expected)


def test_area_scales_the_number():
    options = {"mass": (3e14, 3e15) * u.solMass, "redshift": (0.05, 0.5), "cosmology": "Planck18"}
    whole = len(draw_mass_function(seed=1, **options))
    part = len(draw_mass_function(area=5000 * u.deg**2, seed=1, **options))
    assert abs(part / whole * 41253 / 5000 - 1) < 5 / np.sqrt(part)
    assert len(draw_mass_function(17, seed=1, **options)) == 17


def test_colossus_keeps_its_own_cosmology():
    from colossus.cosmology import cosmology

    before = cosmology.current_cosmo
    draw_mass_function(3, cosmology="Planck18", seed=1)
    assert cosmology.current_cosmo is before


def catalogue():
    table = QTable()
    table["name"] = ["a", "b", "c"]
    table["coord"] = SkyCoord([1, 2, 3], [4, 5, 6], unit="deg", frame="galactic")
    table["redshift"] = [0.1, np.nan, 0.3]
    table["msz"] = [4e14, 5e14, 6e14] * u.solMass
    table["pos_err"] = [2.0, 2.0, 5.0] * u.arcmin
    return ClusterSample(table)


def test_twin_keeps_what_is_known():
    sample = catalogue()
    copy = twin(sample, one_minus_b=0.8)
    assert list(copy.names) == ["a", "c"]
    np.testing.assert_allclose(copy.quantity("mass_true").value, [5e14, 7.5e14])
    assert list(copy.table["cluster_id"]) == [0, 2]
    assert list(copy.quantity("pos_err").value) == [2, 5]
    assert "mass_true" not in sample.table.colnames


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: draw_flat(0, seed=1), InvalidInputError, "'n' must be an integer of at least 1"),
        (lambda: draw_flat(3, seed=-1), InvalidInputError, "'seed' must be an integer"),
        (lambda: draw_flat(3, mass=(1, 2), seed=1), InvalidUnitError, "'mass'"),
        (
            lambda: draw_flat(3, mass=(2e14, 1e14) * u.solMass, seed=1),
            InvalidInputError,
            "'mass' must be a lower and a higher limit",
        ),
        (lambda: draw_flat(3, redshift=(0, 1), seed=1), InvalidInputError, "greater than 0"),
        (
            lambda: draw_flat(3, redshift=[0.1, np.nan, 0.2], seed=1),
            InvalidInputError,
            "1 unknown",
        ),
        (
            lambda: draw_mass_function(3, area=1 * u.deg**2, cosmology="Planck18", seed=1),
            InvalidInputError,
            "not both",
        ),
        (lambda: from_masses(14.5 * u.solMass, 0.1), InvalidInputError, "linear mass"),
        (lambda: from_masses(np.nan * u.solMass, 0.1), InvalidInputError, "1 not finite"),
        (
            lambda: from_masses([1e14, 2e14] * u.solMass, [0.1, 0.2, 0.3]),
            InvalidInputError,
            "do not broadcast",
        ),
        (lambda: twin(catalogue(), one_minus_b=0), InvalidInputError, "one_minus_b"),
        (lambda: twin(catalogue()[1:2]), InvalidInputError, "No cluster"),
        (lambda: twin(catalogue(), mass="m500"), InvalidInputError, "no column 'm500'"),
    ],
)
def test_bad_input(call, error, text):
    with pytest.raises(error, match=text):
        call()
