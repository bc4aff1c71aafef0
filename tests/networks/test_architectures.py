"""Architectures as Keras models."""

import sys

import pytest

from szmass.exceptions import MissingDependencyError, UnknownNameError
from szmass.networks import ARCHITECTURES, build_deandres2022

pytest.importorskip("keras")


def test_published_architecture_has_58437_weights():
    model = build_deandres2022()
    per_layer = [layer.count_params() for layer in model.layers if layer.weights]
    assert per_layer == [160, 4640, 18496, 13000, 20100, 2020, 21]
    assert model.count_params() == 58437
    assert model.input_shape == (None, 96, 96, 1)
    assert model.output_shape == (None, 1)


def test_drop_out_rate_and_shape_are_options():
    model = build_deandres2022((40, 48), dropout=0.25)
    assert model.input_shape == (None, 40, 48, 1)
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.25, 0.25]


def test_registry():
    assert ARCHITECTURES["deandres2022"] is build_deandres2022
    with pytest.raises(UnknownNameError, match="deandres2022"):
        ARCHITECTURES["deandres2023"]


def test_without_keras(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[train\]"):
        build_deandres2022()
