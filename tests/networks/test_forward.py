"""Networks in numpy: the same as by Keras, without Keras, and only with weights that fit."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from szmass.exceptions import FileFormatError, MissingDependencyError
from szmass.networks import ARCHITECTURES, ModelCard, load_networks, published_card, shipped_card
from szmass.networks._forward import network_of
from szmass.networks._weights import load_arrays, named_weights, set_arrays


def drawn(model, seed=1):
    """Give a Keras model random weights, biases included, and tell them."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, weight in named_weights(model).items():
        scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
        found[name] = rng.normal(0, scale, tuple(weight.shape)).astype(np.float32)
    set_arrays(model, found)
    return found


def card_of(architecture, shape, options, n_parameters):
    """A model card of an architecture."""
    card = published_card() if architecture == "deandres2022" else shipped_card()
    return dataclasses.replace(
        card,
        architecture=architecture,
        shape=shape,
        architecture_options=options,
        n_parameters=n_parameters,
    )


@pytest.mark.parametrize(
    ("architecture", "shape", "options"),
    [
        ("amplitude_cnn", (96, 96), {}),
        ("amplitude_cnn", (40, 40), {"filters": [4, 4, 4, 6]}),  # odd blocks
        ("density_cnn", (96, 96), {}),
        ("density_cnn", (96, 96), {"filters": [3, 5, 4], "components": 2}),
        ("density_cnn", (40, 40), {"filters": [4, 4, 4, 6], "components": 1}),  # odd blocks
        ("state_cnn", (96, 96), {"bands": ["y"], "ranges": {"a": [-1, 0.5]}, "dropout": 0.2}),
        (
            "state_cnn",
            (30, 40),
            {
                "bands": ["y", "X"],
                "ranges": {"a": [-1, 1], "b": [0, 1]},
                "filters": [3, 4, 4, 5],
                "components": 2,
            },
        ),
        ("deandres2022", (96, 96), {}),
        ("deandres2022", (31, 42), {"dropout": 0.3}),
    ],
)
def test_the_same_as_by_keras(architecture, shape, options):
    pytest.importorskip("keras")
    if architecture == "density_cnn":
        options = options | {"log10_mass_range": [13.5, 15.6]}
    model = ARCHITECTURES[architecture](shape, **options)
    arrays = drawn(model)
    network = network_of(card_of(architecture, shape, options, model.count_params()), arrays)
    rng = np.random.default_rng(2)
    inputs = [rng.normal(size=(7, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    expected = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    found = network(*inputs)
    assert found.dtype == np.float32
    # Views, such as those with an axis more, are the same numbers.
    views = [np.repeat(one, 2, axis=1)[:, ::2] for one in inputs]
    views = [one[..., 0][..., np.newaxis] if one.shape[-1] == 1 else one for one in views]
    np.testing.assert_array_equal(network(*views), found)
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_networks_that_ship_are_the_same_as_by_keras():
    pytest.importorskip("keras")
    networks = load_networks()
    rng = np.random.default_rng(3)
    planes = rng.normal(size=(20, 24, 24, 4)).astype(np.float32)
    context = rng.normal(size=(20, 17)).astype(np.float32)
    for arrays, model in zip(networks._arrays, networks.models, strict=True):
        expected = np.asarray(model([planes, context], training=False))
        found = network_of(networks.card, arrays)(planes, context)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_nothing_of_keras_is_loaded_to_weigh():
    code = """
import sys
for name in ("keras", "tensorflow"):
    sys.modules[name] = None
import numpy as np
from szmass.maps import NoiseModel
from szmass.networks import load_networks
networks = load_networks()
found = networks.amplitude(
    np.zeros((2, 96, 96)), [0.1, 0.5], noise=NoiseModel.planck(depth=None), depth=1.0
)
assert found.shape == (2,)
assert networks.card.software == ()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def shipped_arrays():
    """Weights of one member of the networks that ship."""
    arrays = load_arrays(load_networks.__globals__["_SHIPPED"] / "model.npz")
    return {
        name.partition("/")[2]: array
        for name, array in arrays.items()
        if name.startswith("member-0/")
    }


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("sizes/bias", None, "sizes/bias is missing"),
        ("core4/kernel", np.zeros((3, 3, 64, 64)), "core4/kernel is unknown"),
        ("core1/kernel", np.zeros((3, 3, 2, 32)), r"have shape \(3, 3, 2, 32\).*\(5, 5, 2, 32\)"),
        ("dense1/bias", np.full(192, np.nan), "'dense1/bias' contain NaN"),
        ("dense1/bias", np.full(192, "x"), "or no numbers"),
    ],
)
def test_weights_that_do_not_fit(name, array, message):
    arrays = shipped_arrays() | {name: array}
    if array is None:
        del arrays[name]
    with pytest.raises(FileFormatError, match=message):
        network_of(shipped_card(), arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_parameters": 5}, "has .* weights; the model card '.*' says 5"),
        ({"architecture_options": {"flavour": 1}}, "cannot be built with the options"),
        ({"architecture_options": {"log10_mass_range": [13, 15], "filters": ["many"]}}, "many"),
        ({"architecture_options": {"log10_mass_range": [13, 15], "filters": []}}, "options|shape"),
    ],
)
def test_cards_that_do_not_fit(changes, message):
    with pytest.raises(FileFormatError, match=message):
        network_of(dataclasses.replace(shipped_card(), **changes), shipped_arrays())


def test_architectures_of_other_packages_need_keras(monkeypatch):
    def build(shape, *, log10_mass_range):
        from szmass.networks import density_head, density_inputs

        planes, context = density_inputs(shape)
        keras = sys.modules["keras"]
        x = keras.layers.Dense(8, name="own")(keras.layers.Flatten()(planes))
        x = keras.layers.Concatenate()([x, context])
        return keras.Model([planes, context], density_head(x, log10_mass_range))

    monkeypatch.setitem(ARCHITECTURES._objects, "own_of_test", build)
    options = {"log10_mass_range": [13.0, 15.0]}
    card = ModelCard(
        **shipped_card().to_dict()
        | {"architecture": "own_of_test", "architecture_options": options, "n_parameters": 1}
    )
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "keras", None)
        with pytest.raises(MissingDependencyError, match=r"szmass\[train\]"):
            network_of(card, {})
    keras = pytest.importorskip("keras")
    model = build((96, 96), **options)
    arrays = drawn(model)
    card = dataclasses.replace(card, n_parameters=model.count_params())
    rng = np.random.default_rng(2)
    inputs = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    found = network_of(card, arrays)(*inputs)
    assert isinstance(found, np.ndarray)
    assert found.shape == (3, 3, 4)
    assert card.software == ("keras", keras.backend.backend())
