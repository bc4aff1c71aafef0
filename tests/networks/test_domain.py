"""The score of cutouts unlike those in training: in domain, and on what it was not fitted to."""

import io

import astropy.units as u
import numpy as np
import pytest
from scipy.stats import rankdata

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps.noise import NoiseModel
from szmass.networks import DomainScore
from szmass.networks._inputs import NetworkInputs, pooled, turned
from szmass.networks.domain._statistics import AnomalyScore, ConditionalGaussian, SmoothBasis
from szmass.simulations import Observation, from_masses, simulate

SIDE, PIXEL = 96, 1.7
NOISE = NoiseModel.planck("total")
INPUTS = NetworkInputs((SIDE, SIDE), PIXEL, NOISE)


class Mocks:
    """Cutouts, what a network would see of them, and what it would say."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.redshift = rng.uniform(0.02, 0.8, n)
        self.log10_mass = rng.uniform(14.0, 15.3, n)
        sample = from_masses(10**self.log10_mass * u.solMass, self.redshift, seed=seed)
        observation = Observation(name="clean", centring=1 * u.arcmin)
        sample = simulate(sample, observation, model="a10", cosmology="Planck18", seed=seed)
        self.clean = sample.cutouts.data
        self.depth = np.exp(rng.uniform(-0.3, 0.3, n))
        self.noise = NOISE.draw(sample.cutouts.geometry, n, rng, depth=self.depth)
        theta = sample.quantity("theta500_true")
        sigma = NOISE.sigma_y500(theta).value * self.depth
        self.snr = sample.quantity("y500_true").value / sigma
        self.estimate = self.log10_mass + 0.12 * rng.standard_normal(n)
        self.rng = rng

    def seen(self, maps=None, turn=0):
        blocks = pooled((self.clean + self.noise if maps is None else maps).astype(np.float32))
        planes = INPUTS.planes(turned(blocks, turn), self.depth)
        return planes, INPUTS.context(self.redshift, self.depth), self.estimate


@pytest.fixture(scope="module")
def score():
    return DomainScore.fit(*Mocks(3600, 1).seen())


@pytest.fixture(scope="module")
def mocks():
    return Mocks(600, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_arrays_that_are_no_numbers(score, value):
    """NaN in any array would make scores that are above no threshold."""
    arrays = score.to_arrays()
    for name, array in arrays.items():
        if array.size:
            broken = np.array(array, dtype=np.result_type(array, float))
            broken.flat[-1] = value
            with pytest.raises(FileFormatError, match=f"{name} must be finite"):
                DomainScore.from_arrays(arrays | {name: broken})
        with pytest.raises(FileFormatError, match="not those of a DomainScore"):
            DomainScore.from_arrays(arrays | {name: array.astype(str)})


def test_scores_are_the_same_to_the_bit_in_any_company(score, mocks):
    seen = mocks.seen()
    whole = score.score(*seen)
    for part in (slice(3, 4), slice(0, 70), slice(70, 600)):
        np.testing.assert_array_equal(score.score(*(a[part] for a in seen)), whole[part])


def auc(inside, outside):
    ranks = rankdata(np.concatenate([inside, outside]))
    n, m = len(inside), len(outside)
    return (ranks[n:].sum() - m * (m + 1) / 2) / (n * m)


def test_false_alarms_are_as_rare_as_stated(score, mocks):
    values = score.score(*mocks.seen())
    assert score.false_alarm == 0.01
    assert score.threshold == pytest.approx(2.0)
    # 6 are expected; with the error of a threshold from 1200 mocks, 18 are beyond all chance.
    assert np.count_nonzero(values > score.threshold) <= 18
    # The score is a share: half of them are above 0.3.
    assert np.median(values) == pytest.approx(np.log10(2), abs=0.06)
    np.testing.assert_array_equal(score.outside(*mocks.seen()), values > score.threshold)


@pytest.mark.parametrize("factor", [1.5, 1 / 1.5])
def test_noise_that_was_not_stated(score, mocks, factor):
    seen = mocks.seen(mocks.clean + factor * mocks.noise)
    assert auc(score.score(*mocks.seen()), score.score(*seen)) > 0.99
    parts = score.parts(*seen)
    assert np.mean(parts["noise"] > 2) > 0.9
    assert np.mean(parts["noise"] > parts["pair"]) > 0.9


def test_noise_of_another_spectrum(score, mocks):
    rms = mocks.noise.std(axis=(1, 2), keepdims=True)
    white = mocks.clean + rms * mocks.rng.standard_normal(mocks.clean.shape)
    assert auc(score.score(*mocks.seen()), score.score(*mocks.seen(white))) > 0.99


def test_masked_centre(score, mocks):
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    hole = np.hypot(x, y) * PIXEL < 7
    seen = mocks.seen(np.where(hole, 0.0, mocks.clean + mocks.noise))
    strong = mocks.snr > 6
    inside, outside = score.score(*mocks.seen()), score.score(*seen)
    assert auc(inside, outside) > 0.95
    assert auc(inside[strong], outside[strong]) > 0.99


def test_second_cluster(score, mocks):
    # Its light is that of the first moved by 9 arcmin, to a side.
    moved = np.roll(mocks.clean, round(9 / PIXEL), axis=2)
    seen = mocks.seen(mocks.clean + mocks.noise + moved)
    strong = mocks.snr > 8
    inside, outside = score.score(*mocks.seen()), score.score(*seen)
    assert auc(inside[strong], outside[strong]) > 0.9
    pair = score.parts(*seen)["pair"]
    assert auc(score.parts(*mocks.seen())["pair"][strong], pair[strong]) > 0.9


def test_a_point_source_makes_a_hole_where_it_changes_the_mass(score, mocks):
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2

    def seen(arcmin):
        square = (x - arcmin / PIXEL) ** 2 + (y + 2) ** 2
        source = 2e-5 * np.exp(-square / 2 / (10 / 2.3548 / PIXEL) ** 2)
        return mocks.seen(mocks.clean + mocks.noise - source)

    plain = score.parts(*mocks.seen())["holes"]
    assert auc(plain, score.parts(*seen(15))["holes"]) > 0.95
    np.testing.assert_allclose(score.parts(*seen(60))["holes"], plain, atol=0.3)
    assert np.mean(score.outside(*seen(60))) < np.mean(score.outside(*mocks.seen())) + 0.03


def test_garbage(score, mocks):
    for maps in (
        np.zeros_like(mocks.clean),
        np.full_like(mocks.clean, 3e-5),
        1e6 * (mocks.clean + mocks.noise),
        np.full_like(mocks.clean, 1e30),
    ):
        assert score.outside(*mocks.seen(maps)).all()


def test_what_is_not_finite_is_infinitely_anomalous(score, mocks):
    planes, context, log10_mass = (part[:4].copy() for part in mocks.seen())
    planes[1, 3, 3, 2], context[2, 0], log10_mass[3] = np.nan, np.nan, np.inf
    values = score.score(planes, context, log10_mass)
    assert np.isfinite(values).tolist() == [True, False, False, False]
    assert np.isinf(score.parts(planes, context, log10_mass)["pair"]).tolist()[1:] == [True] * 3
    assert score.score(planes[1:], context[1:], log10_mass[1:]).tolist() == [np.inf] * 3


def test_it_does_not_matter_how_a_cutout_is_turned(score, mocks):
    expected = score.score(*mocks.seen())
    for turn in (1, 4, 7):
        np.testing.assert_allclose(score.score(*mocks.seen(turn=turn)), expected, atol=2e-3)


def test_each_is_scored_alone(score, mocks):
    seen = mocks.seen()
    alone = [score.score(*(part[i : i + 1] for part in seen))[0] for i in (0, 7)]
    np.testing.assert_allclose(alone, score.score(*seen)[[0, 7]], rtol=1e-4)
    assert len(score.score(*(part[:0] for part in seen))) == 0


def test_plain_arrays_keep_it(score, mocks):
    file = io.BytesIO()
    np.savez(file, **score.to_arrays(), other=np.ones(3))
    assert len(file.getvalue()) < 1e6
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = DomainScore.from_arrays(arrays)
    np.testing.assert_array_equal(again.score(*mocks.seen()), score.score(*mocks.seen()))
    assert again.threshold == score.threshold


@pytest.mark.parametrize("name", ["evened", "quantiles", "m1_slopes", "pair_rings_0"])
def test_arrays_that_are_missing_or_cut(score, name):
    arrays = score.to_arrays()
    with pytest.raises(FileFormatError, match="not those of a DomainScore"):
        DomainScore.from_arrays({key: value for key, value in arrays.items() if key != name})
    with pytest.raises(FileFormatError, match="not those of a DomainScore"):
        DomainScore.from_arrays(arrays | {name: arrays[name][:-1]})


def test_input_is_checked(score, mocks):
    planes, context, log10_mass = mocks.seen()
    with pytest.raises(InvalidInputError, match=r"must have the shapes \(N, n, n, 4\)"):
        score.score(planes[:, :, :, 0], context, log10_mass)
    with pytest.raises(InvalidInputError, match="'log10_mass'"):
        score.score(planes, context, log10_mass[1:])
    with pytest.raises(InvalidInputError, match="must have 24 blocks along a side"):
        score.score(planes[:, :16, :16], context, log10_mass)
    with pytest.raises(InvalidInputError, match="at least 1000 maps"):
        DomainScore.fit(planes, context, log10_mass)
    many = [np.concatenate([part, part]) for part in (planes, context, log10_mass)]
    with pytest.raises(InvalidInputError, match="'false_alarm' must be between"):
        DomainScore.fit(*many, false_alarm=1.0)


def test_conditional_densities_whiten():
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (20000, 2))
    basis, few = (SmoothBasis([-1, -1], [1, 1], degree, 2) for degree in (3, 1))
    white = rng.standard_normal((len(x), 3))
    values = white * np.exp(np.stack([x[:, 0], x[:, 1] ** 2, np.ones(len(x))], axis=1))
    values[:, 1] += x[:, 0] * values[:, 0]
    values[:, 2] += values[:, 0] - 2 * x[:, 1] * values[:, 1]
    values += np.stack([x[:, 0] ** 3, x[:, 1], 3 - x[:, 0]], axis=1)
    density = ConditionalGaussian.fit(values, basis(x), few(x))
    found = density.whiten(values, basis(x), few(x))
    low = x[:, 0] < -0.5
    for where in (low, ~low):
        np.testing.assert_allclose(np.cov(found[where].T), np.eye(3), atol=0.08)
        np.testing.assert_allclose(found[where].mean(axis=0), 0, atol=0.06)
    difference = density.whiten(values - values[::-1], basis(x), few(x), difference=True)
    np.testing.assert_allclose(
        density.whiten(values, basis(x), few(x)) - difference,
        density.whiten(values[::-1], basis(x), few(x)),
        atol=1e-9,
    )


def test_conditional_densities_of_multipoles():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 1, (20000, 1))
    basis, few = SmoothBasis([0], [1], 3, 1), SmoothBasis([0], [1], 1, 1)
    values = (rng.standard_normal((len(x), 2)) + 1j * rng.standard_normal((len(x), 2))) * (1 + x)
    values[:, 1] += 0.5 * values[:, 0]
    density = ConditionalGaussian.fit(values, basis(x), few(x))
    found = density.whiten(values, basis(x), few(x))
    np.testing.assert_allclose(found.conj().T @ found / len(x), np.eye(2), atol=0.05)


def test_an_anomaly_score_is_a_share():
    reference = np.random.default_rng(6).exponential(size=20000)
    values = np.array([0.5, 1.0, 3.0, 7.0, 20.0])
    expected = values / np.log(10)
    np.testing.assert_allclose(AnomalyScore.fit(reference)(values), expected, rtol=0.05, atol=0.01)
