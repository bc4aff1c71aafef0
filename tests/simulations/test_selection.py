"""Selection by signal-to-noise ratio."""

import astropy.units as u
import numpy as np
import pytest
from scipy.special import ndtr

from szmass.exceptions import InvalidInputError
from szmass.maps.noise.mmf import MMFNoiseTable
from szmass.simulations import (
    SZSelection,
    draw_clusters,
    draw_flat,
    draw_mass_function,
    from_masses,
    simulate,
)


@pytest.fixture
def noise():
    theta = np.geomspace(1, 30, 12)
    sigma = 1e-4 * theta[:, np.newaxis] ** 0.7 * np.array([0.8, 1.0, 1.5])
    return MMFNoiseTable(theta * u.arcmin, [0.1, 0.3, 0.2], sigma * u.arcmin**2)


def test_completeness_without_scatter_is_the_average_over_patches(noise):
    selection = SZSelection(noise, q_cut=5)
    y500 = np.array([3e-4, 1e-3, 2e-3, 1e-2]) * u.arcmin**2
    sigma = noise.sigma_y500([4.0] * u.arcmin, patch="all").value
    expected = ndtr(y500.value[:, np.newaxis] / sigma - 5) @ (np.array([0.1, 0.3, 0.2]) / 0.6)
    result = selection.completeness(y500, 4 * u.arcmin)
    np.testing.assert_allclose(result, expected, atol=2e-3)


def test_scatter_is_a_convolution(noise):
    selection = SZSelection(noise, q_cut=5)
    y500 = np.array([5e-4, 1e-3, 2e-3])
    normal = np.random.default_rng(1).standard_normal(40000)
    many = y500[:, np.newaxis] * np.exp(0.3 * normal)
    expected = selection.completeness(many * u.arcmin**2, 4 * u.arcmin).mean(axis=1)
    result = selection.completeness(y500 * u.arcmin**2, 4 * u.arcmin, sigma_lny=0.3)
    np.testing.assert_allclose(result, expected, atol=6e-3)


def test_selected_and_missed_agree_with_the_counts(noise):
    selection = SZSelection(noise, q_cut=5)
    options = {"cosmology": "Planck18", "one_minus_b": 0.8}
    limits = {"mass": (2e14, 5e15) * u.solMass, "redshift": (0.02, 0.6)}
    sample = draw_mass_function(cosmology="Planck18", seed=4, **limits)
    selected, missed = selection.apply(sample, seed=5, **options)
    assert len(selected) + len(missed) == len(sample)
    assert selected.quantity("snr").min() > 5
    assert missed.quantity("snr").max() <= 5
    # The sample fills the sky, the survey 0.6 of it.
    expected = selection.expected_counts(**options, **limits) / selection.sky_fraction
    assert abs(len(selected) - expected) < 4 * np.sqrt(expected)
    assert "snr" not in sample.table.colnames


def test_given_signal_is_used(noise):
    sample = from_masses(np.full(500, 5e14) * u.solMass, 0.2)
    sample.table["y500_true"] = np.where(np.arange(500) < 250, 1e-2, 1e-6) * u.arcmin**2
    sample.table["theta500_true"] = np.full(500, 5.0) * u.arcmin
    selected, missed = SZSelection(noise).apply(sample, cosmology="PSZ2", seed=1)
    assert np.all(selected.table["cluster_id"] < 250)
    assert np.all(missed.table["cluster_id"] >= 250)
    depth = selected.quantity("depth").value
    np.testing.assert_allclose(np.unique(np.round(depth, 9)), [0.8, 1.0, 1.5])


def test_selected_clusters_are_painted_as_they_were_selected(noise):
    sample = draw_flat(60, seed=1)
    clusters = draw_clusters(sample, "a10", cosmology="PSZ2", seed=8)
    for name in ("y500_true", "theta500_true"):
        sample.table[name] = clusters[name]
    selected, _ = SZSelection(noise).apply(sample, cosmology="PSZ2", seed=2)
    mocks = simulate(selected, "planck-like", model="a10", cosmology="PSZ2", seed=8)
    for name in ("y500_true", "depth", "snr"):
        np.testing.assert_array_equal(mocks.quantity(name), selected.quantity(name))


def test_bad_input(noise, tmp_path):
    with pytest.raises(InvalidInputError, match="'q_cut' must be positive"):
        SZSelection(noise, q_cut=0)
    with pytest.raises(FileNotFoundError, match="SZ_thetas"):
        SZSelection(tmp_path)
    assert "q > 4.5" in repr(SZSelection(noise))


def test_signal_to_noise_of_arrays_is_that_of_samples(noise):
    selection = SZSelection(noise, q_cut=5)
    sample = draw_flat(300, mass=(3e14, 2e15) * u.solMass, redshift=(0.05, 0.6), seed=2)
    sample.table["y500_true"] = np.geomspace(1e-4, 5e-3, 300) * u.arcmin**2
    sample.table["theta500_true"] = np.geomspace(1.2, 20, 300) * u.arcmin
    y500, theta = sample.table["y500_true"], sample.table["theta500_true"]
    snr = selection.draw_snr(y500, theta, seed=6)
    selected, missed = selection.apply(sample, cosmology="PSZ2", seed=6)
    assert min(len(selected), len(missed)) > 0
    np.testing.assert_array_equal(selected.quantity("snr"), snr[snr > 5])
    np.testing.assert_array_equal(missed.quantity("snr"), snr[snr <= 5])
    lost = y500.unmasked.copy() if hasattr(y500, "unmasked") else y500.copy()
    lost[3] = np.nan
    again = selection.draw_snr(lost, theta, seed=6)
    assert np.isnan(again[3])
    np.testing.assert_array_equal(np.delete(again, 3), np.delete(snr, 3))
