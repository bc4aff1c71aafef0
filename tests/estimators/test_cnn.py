"""The published networks as an estimator, with random weights of the same layout."""

import copy
import dataclasses
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import deandres2022 as cnn
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.estimators.deandres2022 import DeAndres2022
from szmass.exceptions import CardMismatchError, InvalidInputError, UnweighedClustersWarning
from szmass.networks import BinnedNetworks, published_card
from szmass.results import MassFlag

SHAPES = {
    "conv1": (3, 3, 1, 16),
    "conv2": (3, 3, 16, 32),
    "conv3": (3, 3, 32, 64),
    "dense1": (64, 200),
    "dense2": (200, 100),
    "dense3": (100, 20),
    "dense4": (20, 1),
}


def random_networks(level):
    """Make networks that give about ``level`` as log10(M / (Msun/h))."""
    rng = np.random.default_rng(3)
    arrays = {}
    for name, shape in SHAPES.items():
        scale = 0.3 * np.sqrt(2 / np.prod(shape[:-1]))
        arrays[f"{name}/kernel"] = rng.normal(0, scale, shape).astype(np.float32)
        arrays[f"{name}/bias"] = np.full(shape[-1], level if name == "dense4" else 0, np.float32)
    return BinnedNetworks(published_card(), [arrays] * 4)


@pytest.fixture
def networks(monkeypatch):
    """Replace the published networks, and count how often they are loaded."""
    loaded = []

    def load(weights=None):
        loaded.append(weights)
        return networks.found

    def networks(level):
        networks.found = random_networks(level)
        return networks.found

    networks.loaded = loaded
    networks(14.5)
    monkeypatch.setattr(cnn, "load_published", load)
    return networks


@pytest.fixture
def sample():
    return make_check_sample(6)


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract(check, networks):
    check(DeAndres2022())


def test_masses_are_those_of_the_networks(networks, sample):
    table = DeAndres2022().predict(sample)
    expected = networks.found.log10_mass(sample.cutouts.data, sample.redshift)
    np.testing.assert_allclose(np.log10(table["mass"].to_value(u.solMass)), expected, rtol=1e-12)
    assert table.meta["model_card_digest"] == published_card().digest
    assert table.meta["mass_definition"] == "500c"
    assert table.meta["references"] == ["2022NatAs...6.1325D"]


def test_errors_are_the_widths_at_the_predicted_mass(networks, sample):
    table = DeAndres2022().predict(sample)
    log10_mass = np.log10(table["mass"].value)
    err_minus, err_plus = published_card().error_table.at(log10_mass)
    upper = np.log10((table["mass"] + table["mass_errp"]).value)
    lower = np.log10((table["mass"] - table["mass_errn"]).value)
    np.testing.assert_allclose(upper - log10_mass, err_plus, rtol=1e-9)
    np.testing.assert_allclose(log10_mass - lower, err_minus, rtol=1e-9)
    assert np.all(table["flag"] == 0)


@pytest.mark.parametrize(
    ("level", "flag"),
    [
        (12, MassFlag.NO_ERROR | MassFlag.EXTRAPOLATED),
        (15.147, MassFlag.EXTRAPOLATED),  # 15.315: beyond the training, inside the catalogue
        (16, MassFlag.NO_ERROR | MassFlag.EXTRAPOLATED),
    ],
)
def test_masses_beyond_what_was_published(networks, sample, level, flag):
    networks(level)._arrays[0]["dense4/kernel"][:] = 0
    sample.table["redshift"][:] = 0.05
    table = DeAndres2022().predict(sample)
    assert np.all(np.isfinite(table["mass"]))
    assert np.all(table["flag"] == flag)
    assert np.all(np.isnan(table["mass_errn"]) == bool(flag & MassFlag.NO_ERROR))
    assert np.all(np.isnan(table["mass_errp"]) == bool(flag & MassFlag.NO_ERROR))


def test_map_in_other_units_gives_no_mass_and_says_so(networks, sample):
    sample.cutouts.data[0] *= 1e15
    with pytest.warns(UnweighedClustersWarning, match=r"1 of 6 .*EXTRAPOLATED"):
        table = DeAndres2022().predict(sample)
    assert np.isnan(table["mass"][0])
    assert table["flag"][0] & MassFlag.EXTRAPOLATED


def test_what_cannot_be_weighed_keeps_its_row(networks):
    sample = make_check_sample(8)
    complete = DeAndres2022().predict(sample)
    sample.table["redshift"][0] = 1.001
    sample.table["redshift"].mask[1] = True
    sample.table["redshift"][2] = 0.0
    sample.cutouts.footprint[3, 0, 0] = False
    sample.cutouts.footprint[4] = False
    sample.cutouts.data[5, 7, 7] = np.nan  # though the footprint says that it is there
    sample.table["redshift"][6] = 1.0
    with pytest.warns(UnweighedClustersWarning, match="6 of 8 clusters") as caught:
        table = DeAndres2022().predict(sample)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert list(table["flag"]) == [
        MassFlag.REDSHIFT_OUT_OF_RANGE,
        MassFlag.NO_REDSHIFT,
        MassFlag.REDSHIFT_OUT_OF_RANGE,
        MassFlag.INCOMPLETE_CUTOUT,
        MassFlag.NO_CUTOUT,
        MassFlag.INCOMPLETE_CUTOUT,
        0,
        0,
    ]
    np.testing.assert_array_equal(np.isnan(table["mass"]), [True] * 6 + [False] * 2)
    assert table["mass"][7] == complete["mass"][7]


def test_weights_are_not_loaded_if_nothing_can_be_weighed(networks, sample):
    sample.table["redshift"][:] = 3
    with pytest.warns(UnweighedClustersWarning, match="6 REDSHIFT_OUT_OF_RANGE"):
        DeAndres2022().predict(sample)
    DeAndres2022().predict(sample[:0])
    assert networks.loaded == []


@pytest.mark.parametrize("kind", [str, Path])
def test_tables_do_not_tell_where_the_weights_lie(networks, sample, tmp_path, kind):
    folder = tmp_path / "mine"
    meta = DeAndres2022(weights=kind(folder)).predict(sample).meta
    assert "weights='mine'" in meta["estimator"]
    assert str(tmp_path) not in repr(meta)
    assert len(meta["model_card_digest"]) == 64
    home = DeAndres2022(weights="~/runs/mine")
    assert "~" not in home.predict(sample).meta["estimator"]
    assert "~/runs/mine" in repr(home)


def test_networks_are_loaded_once(networks, sample):
    estimator = DeAndres2022(weights="folder")
    first, second = estimator.predict(sample), estimator.predict(sample[:2])
    assert networks.loaded == ["folder"]
    assert np.all(first["mass"][:2] == second["mass"])
    estimator.weights = None
    estimator.predict(sample)
    assert networks.loaded == ["folder", None]
    assert np.all(copy.deepcopy(estimator).predict(sample)["mass"] == first["mass"])
    assert networks.loaded == ["folder", None, None]


def test_batch_size_does_not_matter(networks, sample):
    masses = [DeAndres2022(batch_size=n).predict(sample)["mass"].value for n in (1, 4, 100)]
    np.testing.assert_allclose(masses[0], masses[2], rtol=1e-4)
    np.testing.assert_allclose(masses[1], masses[2], rtol=1e-4)
    with pytest.raises(InvalidInputError, match="'batch_size' must be at least 1"):
        DeAndres2022(batch_size=0).predict(sample)


def test_other_cutouts_are_refused(networks, sample):
    stack = sample.cutouts
    geometry = dataclasses.replace(stack.geometry, pixel_scale=2 * u.arcmin)
    for changes, message in (
        ({"geometry": geometry}, "pixel scale 2 arcmin instead of 1.7 arcmin"),
        (
            {"geometry": dataclasses.replace(stack.geometry, frame="icrs")},
            "frame icrs instead of galactic",
        ),
        (
            {"geometry": dataclasses.replace(stack.geometry, rotation=45 * u.deg)},
            "rotation 45 deg instead of 0 deg",
        ),
        (
            {"geometry": dataclasses.replace(stack.geometry, pixel_scale=0.2)},
            r"pixel scale 0.2 \(relative\) instead of 1.7 arcmin",
        ),
        ({"beam": 7 * u.arcmin}, "beam FWHM 7 arcmin instead of 10 arcmin"),
        ({"beam": None}, "beam FWHM unknown instead of 10 arcmin"),
        ({"geometry": geometry, "beam": 5 * u.arcmin}, "pixel scale 2 arcmin.*; beam FWHM 5"),
    ):
        other = copy.copy(stack)
        for name, value in changes.items():
            setattr(other, name, value)
        sample.cutouts = other
        with pytest.raises(CardMismatchError, match=message):
            DeAndres2022().predict(sample)
    sample = make_check_sample(2, geometry=dataclasses.replace(stack.geometry, shape=(40, 48)))
    with pytest.raises(CardMismatchError, match=r"shape \(40, 48\) instead of \(96, 96\)"):
        DeAndres2022().predict(sample)


def test_another_interpolation_is_noted(networks, sample):
    estimator = DeAndres2022()
    assert estimator.predict(sample).meta["model_card_notes"] == []
    for interpolation, word in (("bilinear", "bilinear"), (None, "unknown")):
        sample.cutouts.sampling = interpolation
        notes = estimator.predict(sample).meta["model_card_notes"]
        assert notes == [f"interpolation is {word}, in the training it was nearest"]


def test_the_old_path_of_the_published_networks_works_for_one_release():
    from szmass.estimators import CNNMass, cnn

    with pytest.warns(DeprecationWarning, match=r"szmass\.estimators\.cnn\.DeAndres2022 has moved"):
        assert cnn.DeAndres2022 is DeAndres2022
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cnn.nothing
    with pytest.warns(DeprecationWarning, match="density_cnn"):
        from szmass.estimators.density_cnn import CNNMass as Old
    assert Old is CNNMass
