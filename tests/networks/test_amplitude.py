"""Networks that give amplitudes: what they see, what they find of the truth, their training."""

import dataclasses
import tomllib

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from szmass.estimators import CNNMass
from szmass.exceptions import FileFormatError, InvalidInputError, UnweighedClustersWarning
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks import (
    ARCHITECTURES,
    AmplitudeNetworks,
    Recipe,
    amplitude_head,
    amplitude_inputs,
    check_amplitude_network,
    load_networks,
    make_training_data,
    shipped_card,
    train,
)
from szmass.networks._inputs import NetworkInputs, compressed, expanded, pooled, turned
from szmass.networks._responses import Response
from szmass.networks.training._fit import model_arrays
from szmass.networks.training._spectra import family_of
from szmass.networks.training._stream import MapStream, OwnSignals
from szmass.results import MassFlag
from szmass.simulations import Observation, draw_flat, from_masses, simulate

NOISE = NoiseModel.planck(depth=None)
INPUTS = NetworkInputs((96, 96), 1.7, NOISE)
FILTERS = [3, 4, 4]


@given(st.floats(-1e4, 1e4))
def test_amplitudes_are_compressed_and_expanded(amplitude):
    assert expanded(compressed(amplitude)) == pytest.approx(amplitude, rel=1e-9, abs=1e-9)


class TestInputs:
    def test_filters_in_the_middle_have_noise_of_one(self):
        depth = np.repeat([0.7, 1.4], 300)
        maps = pooled(NOISE.draw(CutoutGeometry(), 600, 4, depth=depth))
        snr = expanded(10 * INPUTS.seen(maps, depth)[1])
        np.testing.assert_allclose(snr.std(axis=0), 1, atol=0.12)
        np.testing.assert_allclose(snr.mean(axis=0), 0, atol=0.15)

    def test_the_right_filter_finds_a_cluster_at_its_amplitude(self):
        clusters = from_masses([9e14] * 40 * u.solMass, [0.3] * 40)
        seen = simulate(
            clusters, Observation(name="clean"), model="a10-spheres", cosmology="PSZ2", seed=1
        )
        truth = seen.quantity("y500_true").to_value(u.arcmin**2)
        theta = seen.quantity("theta500_true").to_value(u.arcmin)
        found = expanded(10 * INPUTS.seen(pooled(seen.cutouts.data), np.ones(40))[1]).max(axis=1)
        # Of six sizes the next one to that of the cluster loses little.
        ratio = found / (truth / INPUTS.error(theta))
        assert 0.93 < np.median(ratio) < 1.01

    def test_what_is_told_grows_with_depth_and_position_error(self):
        told = INPUTS.told([0.1, 0.1, 0.1], np.array([1.0, 2.0, 1.0]), [0.0, 0.0, 2.0])
        assert told.shape == (3, 11)
        np.testing.assert_array_equal(told[:, :6], INPUTS.context([0.1] * 3, [1.0, 2.0, 1.0]))
        np.testing.assert_allclose(told[1, 2:10] - told[0, 2:10], np.log(2), atol=1e-6)
        np.testing.assert_allclose(told[2] - told[0], [0] * 10 + [2], atol=1e-6)


class TestSpectra:
    def test_those_measured_come_first_and_all_are_about_as_deep(self):
        measured = [NoiseModel.planck(kind, depth=None) for kind in ("total", "instrument")]
        family = family_of(measured, 14, seed=3)
        assert family[:2] == measured
        assert len(family) == 14
        size = 5 * u.arcmin
        ratio = [m.sigma_y500(size) / measured[0].sigma_y500(size) for m in family[2:]]
        assert 0.77 < min(ratio) < 1 < max(ratio) < 1.29
        shapes = np.array([m.spectrum(np.array([150.0, 1500.0])).value for m in family])
        assert np.ptp(np.log(shapes[:, 0] / shapes[:, 1])) > 1.0
        assert family_of(measured, 14, seed=3) == family
        assert family_of(measured, 14, seed=4)[2:] != family[2:]

    def test_no_more_than_those_measured(self):
        assert family_of([NOISE], 0, seed=1) == [NOISE]
        assert len(family_of([NOISE], 3, seed=1)) == 3


class TestResponse:
    def test_all_that_is_fitted_is_found_in_spite_of_odd_ones(self):
        rng = np.random.default_rng(2)
        n = 40_000
        redshift, median = rng.uniform(0.02, 0.9, n), rng.uniform(-3, 60, n)
        deviation = rng.normal(0.0, 0.2, n)
        centring = rng.uniform(0, 2.5, n) * (rng.random(n) > 0.1)
        noise = 1.2 + 0.2 * centring
        expected = 0.95 * median * np.exp(0.9 * deviation)
        found = expected * (1 + 0.05 * rng.standard_normal(n)) + noise * rng.standard_normal(n)
        found[:400] += rng.normal(0, 15, 400)
        mocks = found, median * np.exp(deviation), deviation, redshift, centring
        response = Response.fit(*mocks)
        np.testing.assert_allclose(response.values[0], 0.95, atol=0.01)
        np.testing.assert_allclose(response.values[1], 1.2, atol=0.1)
        np.testing.assert_allclose(response.values[2], 0.05, atol=0.005)
        np.testing.assert_allclose(response.share, 0.9, atol=0.02)
        np.testing.assert_allclose(response.factors, [1, 1.4 / 1.2, 1.7 / 1.2], atol=0.06)
        pull, width = response.pull(*(values[400:] for values in mocks))
        assert np.mean(np.abs(pull) < 1) == pytest.approx(0.683, abs=0.015)
        np.testing.assert_allclose(width, np.hypot(noise, 0.05 * expected)[400:], rtol=0.12)

    def test_position_errors_raise_the_noise_alone(self):
        response = Response(factors=[1.0, 1.5, 3.0])
        centring = np.array([0.0, 0.5, 1.0, 1.75, 2.5, 9.0])
        slope, noise, shapes, share = response.at(np.full(6, 0.3), centring)
        np.testing.assert_allclose(noise / noise[0], [1, 1.25, 1.5, 2.25, 3, 3])
        assert np.ptp(slope) == np.ptp(shapes) == 0
        np.testing.assert_array_equal(share, 1)
        # Networks that were trained before factors and share were fitted.
        before = Response.from_arrays({"values": response.values})
        for found, expected in zip(
            before.at([0.3] * 6, centring), before.at([0.3] * 6, 0.0), strict=True
        ):
            np.testing.assert_array_equal(found, expected)

    def test_arrays_are_those_of_the_file(self):
        response = Response(2 * Response().values, [1.0, 1.1, 1.2], [0.9, 1.0, 1.1, 1.2])
        again = Response.from_arrays(response.to_arrays())
        for name, array in response.to_arrays().items():
            np.testing.assert_array_equal(getattr(again, name), array)

    @pytest.mark.parametrize(
        "arrays",
        [
            {"values": np.ones((3, 5))},
            {"values": np.zeros((3, 4))},
            {"factors": np.ones(2)},
            {"factors": np.array([1.0, -1.0, 1.0])},
            {"share": np.array([1.0, 1.0, 1.0, 0.0])},
            {"slope": 1.0},
        ],
    )
    def test_arrays_that_cannot_be(self, arrays):
        with pytest.raises(FileFormatError, match=r"must be positive 'values' .* and 'factors' of"):
            Response.from_arrays(arrays)


@pytest.fixture(scope="module")
def networks():
    keras = pytest.importorskip("keras")
    arrays = {}
    for member in range(2):
        keras.utils.set_random_seed(member)
        model = check_amplitude_network("amplitude_cnn", (96, 96), filters=FILTERS)
        arrays |= {f"member-{member}/{k}": v for k, v in model_arrays(model).items()}
    arrays |= {"range/low": np.full(11, -3.0), "range/high": np.full(11, 2.0)}
    card = dataclasses.replace(
        shipped_card(),
        architecture="amplitude_cnn",
        architecture_options={"filters": FILTERS},
        n_parameters=model.count_params(),
        target="amplitude",
        weights=(),
    )
    return AmplitudeNetworks(card, arrays), arrays


class TestNetworks:
    def test_the_same_to_the_bit_in_any_company(self, networks):
        rng = np.random.default_rng(5)
        data, redshift = rng.normal(0, 2e-6, (21, 96, 96)), rng.uniform(0.05, 0.9, 21)
        options = {"noise": NOISE, "centring": np.linspace(0, 2, 21)}
        whole = networks[0].amplitude(data, redshift, depth=np.ones(21), **options)
        for batch_size in (1, 5):
            found = networks[0].amplitude(
                data, redshift, depth=np.ones(21), batch_size=batch_size, **options
            )
            np.testing.assert_array_equal(found, whole)
        assert np.ptp(whole) > 0.1

    @pytest.mark.parametrize("turn", range(1, 8))
    def test_turned_cutouts_give_the_same(self, networks, turn):
        data = np.random.default_rng(6).normal(0, 2e-6, (5, 96, 96))
        redshift, options = np.linspace(0.1, 0.5, 5), {"noise": NOISE, "depth": 1.0}
        expected = networks[0].amplitude(data, redshift, **options)
        found = networks[0].amplitude(turned(data, turn), redshift, **options)
        np.testing.assert_allclose(found, expected, atol=2e-4)

    def test_what_is_told_beyond_the_training_is_known(self, networks):
        known = {"noise": NOISE, "depth": [1.0, 1.0, 90.0], "centring": [0.5, 4.5, 0.5]}
        assert networks[0].beyond([0.1] * 3, **known).tolist() == [False, True, True]

    def test_position_errors_must_not_be_negative(self, networks):
        with pytest.raises(InvalidInputError, match="'centring' must not be negative"):
            networks[0].amplitude(np.zeros((1, 96, 96)), [0.1], noise=NOISE, depth=1, centring=-1)

    @pytest.mark.parametrize(
        ("name", "array", "message"),
        [
            ("response/values", np.zeros((3, 4)), "must be positive 'values'"),
            ("range/low", np.zeros(6), "'low' and 'high' of 11 numbers"),
            ("range/high", np.zeros(()), "'low' and 'high' of 11 numbers"),
            ("calibration/coefficients", np.zeros((2, 16)), "must be named 'member-0/"),
        ],
    )
    def test_arrays_that_cannot_be(self, networks, name, array, message):
        with pytest.raises(FileFormatError, match=message):
            AmplitudeNetworks(networks[0].card, networks[1] | {name: array})

    def test_a_card_of_another_target(self, networks):
        card = dataclasses.replace(networks[0].card, target="log10_mass")
        with pytest.raises(FileFormatError, match="'target' .* of amplitude networks must be"):
            AmplitudeNetworks(card, networks[1])


def build_density_head(shape):
    import keras

    planes, context = amplitude_inputs(shape)
    return keras.Model([planes, context], keras.layers.Dense(3, name="three")(context))


def build_small(shape, *, units=4):
    """Architecture of another package, which looks at no maps."""
    import keras

    planes, context = amplitude_inputs(shape)
    x = keras.layers.Dense(units, activation="gelu", name="seen")(context)
    return keras.Model([planes, context], amplitude_head(x, context))


def test_architectures_of_other_packages(monkeypatch):
    pytest.importorskip("keras")
    monkeypatch.setattr(
        ARCHITECTURES,
        "_objects",
        dict(ARCHITECTURES) | {"small": build_small, "three": build_density_head},
    )
    assert check_amplitude_network("small", (96, 96), units=3).output_shape == (None, 1)
    with pytest.raises(InvalidInputError, match=r"must give \(None, 1\), as amplitude_head does"):
        check_amplitude_network("three", (96, 96))
    with pytest.raises(InvalidInputError, match=r"must take .*, as density_inputs or amplitude_"):
        check_amplitude_network("density_cnn", (96, 96), log10_mass_range=[13, 15])


RECIPE = """
kind = "amplitude"
name = "tiny"
seed = 3
[data]
clusters = 80
mass = [1e14, 2e15]
redshift = [0.02, 0.1, 0.2, 0.4, 1.0]
environment = true
[observation]
noise = ["total", "instrument"]
spectra = 9
depth = [0.8, 1.2]
centring = 2.0
[training]
members = 2
epochs = 2
domain = 1
batch_size = 16
[architecture]
filters = [3, 3, 3]
"""


def recipe_of(**changes):
    values = tomllib.loads(RECIPE)
    for section, some in changes.items():
        values[section] |= some
    return Recipe.from_dict(values)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    pytest.importorskip("zarr")
    return make_training_data(recipe_of(), tmp_path_factory.mktemp("data") / "mocks.zarr")


class TestTraining:
    def test_clusters_are_even_in_the_compressed_amplitude(self, dataset):
        mass = dataset.table(["mass_true"])["mass_true"]
        assert mass.min() < 2e14 * u.solMass
        assert 2e15 * u.solMass < mass.max() < 2.8e15 * u.solMass

    def test_signals_change_and_surroundings_stay(self, dataset):
        alone = type(dataset).open(dataset.path.with_name("mocks-alone.zarr"))
        weak = np.arange(80) % 2 == 0
        stream = MapStream(
            dataset, [None], batch_size=16, seed=5, own=OwnSignals(alone, 0.2, weak), depth=(1, 1)
        )
        around = pooled(dataset.maps() - alone.maps())
        own, factors = pooled(alone.maps()), []
        for (part,) in stream.epoch(0, in_order=True):
            expected = around[part.rows] + part.factor[:, None, None] * own[part.rows]
            np.testing.assert_allclose(part.maps, expected, atol=1e-5 * own.max())
            factors.append(part.factor)
        factor = np.concatenate(factors)
        assert np.all(factor[~weak] > 0)
        assert 0.25 < np.mean(factor[weak] < 0) < 0.75
        assert np.log(np.abs(factor)).std() == pytest.approx(0.2, rel=0.25)

    def test_position_errors_are_told(self, dataset):
        alone = type(dataset).open(dataset.path.with_name("mocks-alone.zarr"))
        own = OwnSignals(alone, 0.0, np.zeros(80, bool))
        stream = MapStream(dataset, [None], batch_size=16, seed=5, own=own, centring=2.0)
        told = np.concatenate([p.centring for parts in stream.epoch(0) for p in parts])
        assert 0 < np.mean(told == 0) < 0.3
        assert told.max() < 2
        assert told.std() > 0.4

    @pytest.mark.parametrize("memory", [6e9, 0])
    def test_many_noise_models_share_a_batch(self, dataset, memory):
        alone = type(dataset).open(dataset.path.with_name("mocks-alone.zarr"))
        own = OwnSignals(alone, 0.0, np.zeros(80, bool))
        models = [NOISE.scaled(1 + 0.1 * i) for i in range(9)]
        options = {"batch_size": 20, "seed": 5, "own": own, "fields": 4, "memory": memory}
        batches = list(MapStream(dataset, models, **options).epoch(0))
        kinds = [{part.noise for part in parts} for parts in batches]
        assert {len(some) for some in kinds} == {8}
        assert set.union(*kinds) == set(range(9))
        again = list(MapStream(dataset, models, **options).epoch(0))
        np.testing.assert_array_equal(batches[1][0].maps, again[1][0].maps)

    def test_trained_networks_weigh(self, dataset, tmp_path):
        pytest.importorskip("keras")
        networks = train(recipe_of(), tmp_path / "tiny", dataset=dataset)
        assert isinstance(networks, AmplitudeNetworks)
        card = load_networks(tmp_path / "tiny").card
        assert (card.target, card.architecture) == ("amplitude", "amplitude_cnn")
        assert card.log10_mass_range == (14.0, np.log10(2e15))
        assert np.all(networks.response([0.3], 2.0)[1] != networks.response([0.3], 0.0)[1])
        rows = card.metrics["test"]
        assert sum(row["n"] for row in rows if row["amplitude"] == [-1e9, 1e9]) == 2 * rows[0]["n"]
        sample = dataset[:12]
        table = CNNMass(weights=tmp_path / "tiny", noise="planck").predict(sample)
        assert np.all(np.isfinite(table["mass"].value))
        assert table.meta["mass_scale"] == 0.8
        shown = CNNMass(weights=networks, noise="planck").saliency(sample[:1], patches=3)
        assert np.all(np.isfinite(shown.data))
        with pytest.raises(InvalidInputError, match="'centring' must be one angle"):
            CNNMass(weights=networks, noise="planck", centring=-1 * u.arcmin).predict(sample)

    def test_data_without_the_clusters_alone(self, dataset, tmp_path):
        pytest.importorskip("keras")
        moved = tmp_path / "other.zarr"
        moved.symlink_to(dataset.path)
        with pytest.raises(InvalidInputError, match="need the clusters alone beside 'other.zarr'"):
            train(recipe_of(), tmp_path / "out", dataset=type(dataset).open(moved))
        assert not (tmp_path / "out").exists()
        make_training_data(recipe_of(data={"clusters": 40}), tmp_path / "few.zarr")
        (tmp_path / "other-alone.zarr").symlink_to(tmp_path / "few-alone.zarr")
        with pytest.raises(InvalidInputError, match="holds other clusters than 'other.zarr'"):
            train(recipe_of(), tmp_path / "out", dataset=type(dataset).open(moved))


@pytest.mark.parametrize(
    ("kind", "section", "changes", "message"),
    [
        ("density", "observation", {"spectra": 3}, "'observation' of a recipe has no 'spectra'"),
        ("amplitude", "observation", {"sigma_lny": -1}, "'observation.sigma_lny' must be a number"),
        ("amplitude", "architecture", {"components": 4}, "has no 'components'"),
        ("amplitude", "architecture", {"name": "density_cnn"}, "for recipes of kind 'amplitude'"),
        ("density", "architecture", {"name": "amplitude_cnn"}, "for recipes of kind 'density'"),
    ],
)
def test_recipes_that_make_no_sense(kind, section, changes, message):
    values = tomllib.loads(RECIPE) | {"kind": kind}
    if kind == "density":
        del values["observation"]["spectra"]
    values[section] |= changes
    with pytest.raises(InvalidInputError, match=message):
        Recipe.from_dict(values)


def test_what_is_told_beyond_the_training_is_bounded():
    networks = load_networks()
    maps = np.zeros((3, 96, 96))
    found = networks.amplitude(
        maps, np.full(3, 0.2), noise=NOISE, depth=1.0, centring=[2.5, 50.0, 4e5]
    )
    assert np.all(np.isfinite(found))
    assert found[1] == found[2]


def test_scores_by_the_name_that_they_had():
    networks, known = load_networks(), {"noise": NOISE, "depth": 1.0}
    maps = NOISE.draw(CutoutGeometry(), 2, rng=1).astype(float)
    expected = networks.domain_score(maps, [0.1, 0.2], np.array([3.0, 5.0]), **known)
    with pytest.warns(DeprecationWarning, match='"amplitude" was deprecated'):
        found = networks.domain_score(maps, [0.1, 0.2], amplitude=np.array([3.0, 5.0]), **known)
    assert np.isfinite(expected).all()
    assert np.array_equal(found, expected)
    with pytest.warns(DeprecationWarning, match='"amplitude" was deprecated'):
        assert AmplitudeNetworks.domain_variable(amplitude=0.0) == 0.0


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"depth": [1, 1, 1]}, "'depth' must be one number, or one per cutout"),
        ({"centring": [1, 1, 1]}, "'centring' must be one number, or one per cutout"),
        ({"noise": None}, "'noise' must be a NoiseModel. Received: None"),
    ],
)
def test_what_networks_cannot_be_told(told, message):
    with pytest.raises(InvalidInputError, match=message):
        load_networks().amplitude(
            np.zeros((2, 96, 96)), [0.1, 0.2], **{"noise": NOISE, "depth": 1.0} | told
        )


def test_signals_that_no_cluster_has_are_flagged():
    """Where no mass can be given, the flag says that the signal is why."""
    clusters = from_masses([5e14] * 3 * u.solMass, 0.2)
    sample = simulate(clusters, Observation(name="with", noise=NOISE), cosmology="PSZ2", seed=1)
    factor = np.array([1, 1e3, 1e6])[:, np.newaxis, np.newaxis]
    sample.cutouts = sample.cutouts.with_data(sample.cutouts.data * factor)
    with pytest.warns(UnweighedClustersWarning, match="2 of 3"):
        table = CNNMass(depth=1.0).predict(sample)
    assert np.isfinite(table["mass"]).tolist() == [True, False, False]
    assert ((table["flag"] & MassFlag.IMPLAUSIBLE) > 0).tolist() == [False, True, True]


def test_cutouts_of_nearest_pixels_are_weighed_as_points_are():
    """Their texture does not pass for signal: without noise clusters differ as filters do."""
    clusters = draw_flat(60, mass=(4e14, 1e15) * u.solMass, redshift=(0.4, 0.9), seed=4)
    networks, found = load_networks(), {}
    for sampling in ("point", "nearest"):
        observation = Observation(name="clean", sampling=sampling)
        seen = simulate(clusters, observation, model="a10-spheres", cosmology="PSZ2", seed=1)
        about = {"noise": NOISE, "depth": 1.0, "sampling": seen.cutouts.sampling}
        found[sampling] = networks.amplitude(seen.cutouts.data, seen.redshift, **about)
    ratio = found["nearest"] / found["point"]
    assert ratio.std() < 0.07  # 0.16 where the filters take texture for sky
    assert ratio.mean() == pytest.approx(1, abs=0.04)


def test_nearest_pixels_displace_clusters():
    sample = simulate(
        draw_flat(3, seed=4),
        Observation(name="nearest", sampling="nearest", noise=NOISE),
        cosmology="PSZ2",
        seed=1,
    )
    displacement = np.sqrt(sample.cutouts.sampling.windows().jitter)
    assert 0.45 < displacement < 0.55
    exact = CNNMass(depth=1.0).predict(sample)
    said = CNNMass(depth=1.0, centring=2.5 * u.arcmin).predict(sample)
    assert not np.any(said["flag"] & ~exact["flag"] & MassFlag.OUT_OF_DOMAIN)
    networks, told = load_networks(), {"noise": NOISE, "sampling": sample.cutouts.sampling}
    estimator = CNNMass(depth=1.0, weights=networks)
    known = estimator._known(estimator._setup(sample.cutouts), sample)
    np.testing.assert_allclose(known["centring"], displacement)
    amplitude = networks.amplitude(
        sample.cutouts.data, sample.redshift, depth=1.0, centring=displacement, **told
    )
    np.testing.assert_array_equal(
        estimator._found(sample.cutouts.data, sample.redshift, np.arange(3), known), amplitude
    )
