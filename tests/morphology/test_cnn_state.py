"""The networks of the dynamical state that ship: their contract, what they say, what is refused."""

import importlib.util
import json
import shutil
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators.checks import make_check_sample
from szmass.exceptions import (
    CardMismatchError,
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    UnknownNameError,
)
from szmass.maps import NoiseModel
from szmass.morphology import (
    CNNState,
    StateFlag,
    get_state_estimator,
    see_for_states,
    train_state_networks,
)
from szmass.morphology.checks import STATE_ESTIMATOR_CHECKS
from szmass.networks import load_networks
from szmass.physics import get_dynamical_state
from szmass.simulations import FieldStack

SHIPPED = Path(importlib.util.find_spec("szmass").origin).parent / "data" / "states"


TELL = {"networks": "resolved", "one_minus_b": 1.0}


@pytest.mark.parametrize("check", STATE_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_cnn_keeps_the_contract(check):
    check(CNNState(), make_check_sample(3))


def test_resolved_states_are_told(resolved):
    table = CNNState(**TELL).predict(resolved)
    true = np.log10(get_dynamical_state("deluca2021").measure(resolved.table))
    assert np.corrcoef(table["log_chi"], true)[0, 1] > 0.55
    relaxed = true > 0
    assert np.mean(table["p_relaxed"][relaxed]) > np.mean(table["p_relaxed"][~relaxed]) + 0.2
    inside = (true > table["log_chi"] - 2 * table["log_chi_errn"]) & (
        true < table["log_chi"] + 2 * table["log_chi_errp"]
    )
    assert inside.mean() > 0.8
    assert table.meta["networks"] == "resolved"
    assert table.meta["bands"] == ["y", "X"]
    assert not np.any(table["flag"] & StateFlag.NO_XRAY)


def test_without_x_rays_y_alone_tells_less_and_says_so(resolved):
    both = CNNState(**TELL).predict(resolved[:12])
    some = resolved[:12]
    some.fields = {}
    table = CNNState(**TELL).predict(some)
    assert np.all(table["flag"] & StateFlag.NO_XRAY)
    assert np.all(np.asarray(table["flag"]) & StateFlag.PRIOR == 0)
    width = [np.mean(t["log_chi_errn"] + t["log_chi_errp"]) for t in (table, both)]
    assert width[0] > width[1]


def test_equal_pairs_are_not_relaxed(resolved, load_benchmark):
    alone, pairs = load_benchmark("state_scores").pairs_of(resolved, 15, 3)
    tell = CNNState(**TELL)
    p, before = tell.predict(pairs)["p_relaxed"], tell.predict(alone)["p_relaxed"]
    assert np.mean(p) < 0.15
    assert np.median(before) > 0.5


def test_buried_clusters_have_the_prior_of_the_regression(training):
    """Two fits of the prior to other mocks: they agree, and nothing is left of the map."""
    limits = {"mass": (2e14, 8e14) * u.solMass, "redshift": (0.05, 0.5)}
    mocks = training.planck_mocks(60, 5, NoiseModel.planck().scaled(30), limits)
    mocks.table["msz"] = mocks.table["mass_true"]
    table = CNNState(one_minus_b=1.0).predict(mocks)
    low = np.asarray(table["flag"]) & StateFlag.LOW_SNR > 0
    assert low.sum() > 30
    assert np.all(np.asarray(table["flag"])[low] & StateFlag.PRIOR)
    np.testing.assert_array_equal(table["p_relaxed"][low], table["p_prior"][low])
    other = get_state_estimator("morphology", one_minus_b=1.0).predict(mocks)[low]
    table = table[low]
    assert np.mean(table["log_chi"]) == pytest.approx(np.mean(other["log_chi"]), abs=0.02)
    width = [np.mean(t["log_chi_errn"] + t["log_chi_errp"]) / 2 for t in (table, other)]
    assert width[0] == pytest.approx(width[1], abs=0.02)


def test_positions_of_catalogues_tell_nothing(resolved):
    """Images displaced by whole pixels have the states that they had, but for the noise."""
    one, moved = resolved[:20], resolved[:20]
    moved.cutouts = moved.cutouts.with_data(np.roll(one.cutouts.data, (2, -1), (1, 2)))
    xray = moved.fields["xray"]
    displaced = np.roll(xray.data, (2, -1), (1, 2))
    about = {"geometry": xray.geometry, "names": xray.names}
    moved.fields = {"xray": FieldStack("xray", displaced, xray.unit, xray.coord, **about)}
    first, second = (CNNState(**TELL).predict(sample)["log_chi"] for sample in (one, moved))
    assert np.corrcoef(first, second)[0, 1] > 0.9
    assert np.mean(np.abs(first - second)) < 0.05
    seen = see_for_states(one, one.quantity("msz"), cosmology="PSZ2", depth=1.0)
    assert seen.planes.shape == (20, 24, 24, 4)
    assert seen.context.shape == (20, 8)


def test_masked_pixels_are_flagged_and_left_out(resolved):
    some = resolved[:3]
    before = see_for_states(some, some.quantity("msz"), cosmology="PSZ2", depth=1.0)
    data = some.cutouts.data.copy()
    data[0, 50:70, 60:66] = 1e30
    data[1] = np.nan
    some.cutouts = some.cutouts.with_data(data)
    seen = see_for_states(some, some.quantity("msz"), cosmology="PSZ2", depth=1.0)
    assert seen.flag[0] & StateFlag.INCOMPLETE
    assert seen.flag[1] & StateFlag.NO_IMAGE
    assert seen.told[:, 1].all()
    assert not seen.planes[1, ..., [0, 2]].any()
    assert np.all(np.isfinite(seen.planes))
    np.testing.assert_array_equal(seen.planes[2], before.planes[2])


@pytest.mark.parametrize("name", ["planck", "resolved"])
def test_cards_of_shipped_networks_say_what_they_are(name):
    card = load_networks(SHIPPED / f"cnn-{name}").card
    assert card.training["script"] == "benchmarks/train_states.py"
    assert card.training["number"] >= 10_000
    assert card.training["simulator"].endswith("a10-the300")
    for found in card.metrics.values():
        # Of 2000 clusters the errors are 1.0 and 0.5 %.
        assert abs(found["all"]["inside_68"] - 0.68) < 0.045
        assert abs(found["all"]["inside_95"] - 0.95) < 0.025
    least = {"planck": 0.25, "resolved": 0.6}[name]
    assert card.metrics["deluca2021"]["all"]["r_log_chi"] > least


def test_all_that_ships_is_small():
    assert sum(f.stat().st_size for f in SHIPPED.rglob("*") if f.is_file()) < 4e6


def test_what_is_refused(resolved, tmp_path):
    with pytest.raises(CardMismatchError, match="networks 'resolved' are for a beam of 0.333"):
        CNNState(networks="resolved").predict(make_check_sample(2))
    with pytest.raises(UnknownNameError, match="Known: planck, resolved"):
        CNNState(networks="plank").predict(make_check_sample(2))
    with pytest.raises(UnknownNameError, match="know deluca2021, cui2018"):
        CNNState(definition="haggar2020", **TELL).predict(resolved[:2])
    with pytest.raises(FileFormatError, match="not those of states"):
        CNNState(networks=SHIPPED.parent / "cnn").predict(make_check_sample(2))
    with pytest.raises(InvalidInputError, match=r"'bands' must be \['y'\]"):
        train_state_networks([], tmp_path, name="x", cosmology="PSZ2", bands=["X"])


@pytest.mark.parametrize("damage", ["weights", "card", "no card", "prior"])
def test_damaged_folders_say_so(tmp_path, damage):
    folder = tmp_path / "own"
    shutil.copytree(SHIPPED / "cnn-planck", folder)
    expected = FileFormatError
    if damage == "weights":
        (folder / "model.npz").write_bytes((folder / "model.npz").read_bytes()[:-9])
        expected = IntegrityError
    elif damage == "card":
        (folder / "card.json").write_text("{")
    elif damage == "no card":
        (folder / "card.json").unlink()
        expected = InvalidInputError
    else:
        with np.load(folder / "model.npz") as file:
            arrays = {name: file[name] for name in file.files if "prior/cui2018" not in name}
        np.savez(folder / "model.npz", **arrays)
        import hashlib

        card = json.loads((folder / "card.json").read_text())
        digest = hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()
        card["weights"][0]["sha256"] = digest
        (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(expected):
        CNNState(networks=folder).predict(make_check_sample(2))


@pytest.mark.slow
def test_networks_are_trained_and_used(training, tmp_path):
    """The whole way on a few mocks: they are told no worse than by the prior."""
    pytest.importorskip("keras")
    limits = {"mass": (6e14, 2e15) * u.solMass, "redshift": (0.02, 0.06)}
    mocks = training.planck_mocks(1500, 9, limits=limits)
    networks = train_state_networks(
        [mocks[:800], mocks[800:]], tmp_path / "own", name="own", cosmology="PSZ2", bands=["y"],
        definitions=["haggar2020"], members=1, epochs=6, filters=[8, 8], batch_size=64,
    )  # fmt: skip
    assert networks.definitions == ("haggar2020",)
    others = training.planck_mocks(300, 10, limits=limits)
    tell = CNNState(
        networks=tmp_path / "own", definition="haggar2020", mass="mass_true", one_minus_b=1.0
    )
    table = tell.predict(others)
    true = np.log10(get_dynamical_state("haggar2020").measure(others.table))
    assert np.corrcoef(table["log_chi"], true)[0, 1] > 0.2  # 4 errors of 0.06
    assert table.meta["networks"] == "own"
