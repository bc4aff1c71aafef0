"""M_SZ of mocks, measured blind: from which map, how, and what it does to light near clusters."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import MatchedFilterMass
from szmass.maps import NoiseModel
from szmass.physics.scaling import get_scaling_relation
from szmass.reproduce import reproduce
from szmass.simulations import draw_flat, get_observation, simulate

FILTER = {"filter": MatchedFilterMass(noise="planck", one_minus_b=0.8)}


def rows_of(result, method, data):
    table = result.table1
    return table[(table["method"] == method) & (table["data"] == data)]


@pytest.fixture(scope="module")
def sample():
    clusters = draw_flat(40, mass=[4e14, 1.5e15] * u.solMass, redshift=(0.05, 0.6), seed=4)
    return simulate(clusters, "planck-like", cosmology="PSZ2", seed=4)


def test_given_mocks_are_measured_where_they_are_brightest(sample):
    result = reproduce(FILTER, n=100, planck_like=sample)
    table = result.table("planck_like_blind")
    noise = get_observation("planck-like").noise
    found = MatchedFilterMass(
        noise=noise, search="5 arcmin", map_pixel=0.01 * u.arcmin, depth="depth", cosmology="PSZ2"
    ).scan(sample)
    y500 = found.y500[np.arange(40), np.argmax(found.snr, axis=1)]
    expected = get_scaling_relation("planck2015").mass(
        y500, sample.redshift, one_minus_b=1, cosmology="PSZ2"
    )
    np.testing.assert_allclose(table["mass_sz_blind"], expected, rtol=1e-6)
    text = result.about["planck_like_blind"]["filter"]
    assert text.endswith("of the position (within 5 arcmin) and size of highest S/N")
    assert "are known" in result.about["planck_like_sz"]["filter"]
    assert "search=" in table.meta["methods"]["sz_blind"]["y500"]


def test_simulated_mocks_have_the_noise_of_planck():
    """The ideal M_SZ is that of the mocks as they are; the blind one of their twins."""
    result = reproduce(FILTER, n=30, seed=5)
    table = result.table("planck_like_blind")
    assert "in mocks of the noise 'planck total'" in result.about["planck_like_blind"]["filter"]
    again = reproduce(
        FILTER,
        n=30,
        seed=5,
        observation=replace(get_observation("planck-like"), noise=NoiseModel.planck()),
    ).table("planck_like_blind")
    # As many clusters are detected in it, or fewer; whatever is in both has one blind mass.
    _, ours, theirs = np.intersect1d(table["name"], again["name"], return_indices=True)
    assert len(ours) > 15
    np.testing.assert_allclose(table["mass_sz_blind"][ours], again["mass_sz_blind"][theirs])
    assert not np.allclose(table["mass_sz"][ours], again["mass_sz"][theirs], rtol=0.01)


def test_a_map_of_another_beam_keeps_its_noise():
    noise = NoiseModel([30, 6000], [2e-17, 2e-17] * u.sr, beam=5 * u.arcmin)
    observation = replace(get_observation("planck-like"), beam=5 * u.arcmin, noise=noise)
    result = reproduce({"filter": MatchedFilterMass(noise=None)}, n=4, observation=observation)
    assert np.isfinite(result.table("planck_like_blind")["mass_sz_blind"]).all()
    assert "in mocks of the noise 'user'" in result.about["planck_like_blind"]["filter"]


def test_the_columns_stand_side_by_side():
    pytest.importorskip("matplotlib")
    result = reproduce(FILTER, n=60, seed=2)
    blind, ideal = (
        rows_of(result, "filter", f"planck_like_{which}")[-1] for which in ("blind", "sz")
    )
    # The filter is told all, as the ideal M_SZ: what differs is 1-b.
    assert ideal["mean"] == pytest.approx(0.2, abs=0.01)
    assert ideal["std"] < 0.02
    assert blind["mean"] == pytest.approx(0.2, abs=0.08)
    assert 0.1 < blind["std"] < 0.4
    assert blind["published_std"] == ideal["published_std"] == 0.30
    published, ours = result.summary().split("### ")[1:3]
    # The paper has one M_SZ.
    heads = [part.splitlines()[2] for part in (published, ours)]
    assert [head.count("M_SZ") for head in heads] == [1, 3]
    panel = result.figures()["sz_masses"].axes[0]
    assert panel.get_title() == "filter, Planck-like mocks"
    masses = result.table("planck_like_blind")["mass_sz_blind"].to_value("1e14 solMass")
    points = next(part for part in panel.collections if len(part.get_offsets()) == 60)
    np.testing.assert_allclose(np.sort(points.get_offsets()[:, 1]), np.sort(masses))


def test_light_near_clusters_are_not_overestimated():
    """The beam does not raise Y500 of light clusters, whether looked for blind or not."""
    noise = NoiseModel.planck()
    observation = replace(get_observation("planck-like"), noise=noise)
    clusters = draw_flat(400, mass=[1.2e14, 1e15] * u.solMass, redshift=(0.02, 0.1), seed=1)
    noisy, clean = (
        simulate(clusters, each, cosmology="PSZ2", seed=1) for each in (observation, "clean")
    )
    blind = MatchedFilterMass(noise=noise, depth="depth", search="5 arcmin")
    light = clusters.quantity("mass_true") < 3e14 * u.solMass
    truth = clean.quantity("y500_true")
    ratio = (blind.scan(clean).best()["y500"] / truth).to_value(u.one)
    assert np.median(ratio[light]) == pytest.approx(1.03, abs=0.03)
    assert np.median(ratio[light]) == pytest.approx(np.median(ratio[~light]), abs=0.03)
    found = blind.measure(noisy, noisy.quantity("theta500_true"))["snr"] > 4.5
    ratio = (blind.scan(noisy).best()["y500"] / noisy.quantity("y500_true")).to_value(u.one)
    assert found[light].sum() > 50
    assert np.median(ratio[light & found]) == pytest.approx(1.03, abs=0.08)
    assert np.median(ratio[~light & found]) == pytest.approx(1.03, abs=0.04)
