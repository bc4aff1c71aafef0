"""Estimators of the dynamical state: their contract, what they say, and what they refuse."""

import hashlib
import importlib.util
import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.cli import main
from szmass.comparison import mass_bias_by_state
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import (
    CardMismatchError,
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    UnknownNameError,
)
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.morphology import (
    STATE_COLUMNS,
    MorphologyState,
    StateEstimates,
    StateEstimator,
    StateFits,
    StateFlag,
    add_states,
    get_state_estimator,
)
from szmass.morphology.checks import STATE_ESTIMATOR_CHECKS, check_state_estimator
from szmass.physics import get_dynamical_state
from szmass.simulations import FieldStack

TELL = {"fits": "resolved", "one_minus_b": 1.0}


@pytest.mark.parametrize("check", STATE_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_morphology_keeps_the_contract(check):
    check(MorphologyState(), make_check_sample(3))


class Flat(StateEstimator):
    """One state for all clusters."""

    tag = "flat"
    requires = frozenset({"redshift", "cutout"})

    def __init__(self, *, definition="deluca2021", p=0.5, flag=0):
        self.definition, self.p, self.flag = definition, p, flag

    def _extra_meta(self, sample):
        return {"noise": None, "trained_on": {}}

    def _tell(self, sample):
        n = len(sample)
        data = sample.cutouts.data
        known = (np.abs(data) < 1).any(axis=(1, 2)) & data.any(axis=(1, 2))
        flag = np.where(known, self.flag, StateFlag.PRIOR | StateFlag.NO_IMAGE)
        values = (0.0, 0.2, 0.2, self.p, 0.5)
        return StateEstimates(*(np.full(n, v) for v in values), flag)


def test_checks_find_what_breaks_the_contract():
    sample = make_check_sample(3)
    for options, text in (({"p": 1.5}, "above 1"), ({"flag": 1 << 30}, "unknown bits")):
        with pytest.raises(AssertionError, match=text):
            check_state_estimator(Flat(**options), sample)
    with pytest.raises(AssertionError, match="is not that of the prior"):
        check_state_estimator(Flat(p=0.4), sample)

    class Short(Flat):
        """Forgets a cluster."""

        def _tell(self, sample):
            return super()._tell(sample[1:])

    with pytest.raises(InvalidInputError, match="StateEstimates of 3 clusters"):
        check_state_estimator(Short(), sample)


def test_cutouts_that_must_be_complete_are_flagged_where_they_are_not():
    class Complete(Flat):
        requires = frozenset({"redshift", "complete_cutout"})

    sample = make_check_sample(3)
    sample.cutouts.footprint[1, 0, 0] = False
    table = Complete().predict(sample)
    assert table["flag"].tolist() == [0, StateFlag.INCOMPLETE, 0]
    assert np.isfinite(table["log_chi"]).tolist() == [True, False, True]


def test_resolved_states_are_told(resolved):
    table = MorphologyState(**TELL).predict(resolved)
    assert table.colnames == list(STATE_COLUMNS)
    true = np.log10(get_dynamical_state("deluca2021").measure(resolved.table))
    assert np.corrcoef(table["log_chi"], true)[0, 1] > 0.6  # 0.79 of many
    relaxed = true > 0
    assert np.mean(table["p_relaxed"][relaxed]) > np.mean(table["p_relaxed"][~relaxed]) + 0.25
    inside = (true > table["log_chi"] - 2 * table["log_chi_errn"]) & (
        true < table["log_chi"] + 2 * table["log_chi_errp"]
    )
    assert inside.mean() > 0.85
    assert table.meta["trained_on"]["seed"] == 11
    assert table.meta["xray"] is True
    assert table.meta["definition"] == "deluca2021"
    assert not np.any(table["flag"] & StateFlag.NO_XRAY)


def test_without_x_rays_y_alone_tells_less_and_says_so(resolved):
    some = resolved[:8]
    some.fields = {}
    table = MorphologyState(**TELL).predict(some)
    assert np.all(table["flag"] & StateFlag.NO_XRAY)
    assert np.all(np.asarray(table["flag"]) & StateFlag.PRIOR == 0)
    both = MorphologyState(**TELL).predict(resolved[:8])
    width = [np.mean(t["log_chi_errn"] + t["log_chi_errp"]) for t in (table, both)]
    assert width[0] > width[1]


def test_equal_pairs_are_not_relaxed(resolved, load_benchmark):
    module = load_benchmark("state_scores")
    alone, pairs = module.pairs_of(resolved, 15, 3)
    tell = MorphologyState(**TELL)
    p, before = tell.predict(pairs)["p_relaxed"], tell.predict(alone)["p_relaxed"]
    assert np.mean(p < 0.05) >= 0.9  # of 60 it is 0.97, and by cui2018 1.00
    assert np.median(before) > 0.5


def test_buried_clusters_have_the_prior_of_their_mass_and_redshift(training):
    limits = {"mass": (2e14, 8e14) * u.solMass, "redshift": (0.05, 0.5)}
    mocks = training.planck_mocks(60, 5, NoiseModel.planck().scaled(30), limits)
    mocks.table["msz"] = mocks.table["mass_true"]
    table = MorphologyState(one_minus_b=1.0).predict(mocks)
    low = np.asarray(table["flag"]) & StateFlag.LOW_SNR > 0
    assert low.sum() > 30
    table = table[low]
    assert np.all(np.asarray(table["flag"]) & StateFlag.PRIOR)
    np.testing.assert_array_equal(table["p_relaxed"], table["p_prior"])
    # States of other mocks of the same masses and redshifts, by the generator alone.
    others = training.drawn(4000, limits, 6)
    from szmass.simulations import draw_states

    states = draw_states(others, "the300-gadget-x", seed=7)
    prior = np.log10(get_dynamical_state("deluca2021").measure(states))
    low, middle, high = np.quantile(prior, [0.1587, 0.5, 0.8413])
    width = np.mean(table["log_chi_errn"] + table["log_chi_errp"]) / 2
    assert np.mean(table["log_chi"]) == pytest.approx(middle, abs=0.02)
    assert width == pytest.approx((high - low) / 2, abs=0.02)
    assert np.mean(table["p_relaxed"]) == pytest.approx(np.mean(prior > 0), abs=0.04)


@pytest.mark.parametrize("name", ["planck", "resolved"])
def test_cards_of_shipped_fits_say_what_they_are(name):
    folder = Path(importlib.util.find_spec("szmass").origin).parent / "data" / "states"
    assert sum(f.stat().st_size for f in folder.glob(f"{name}.*")) < 200_000
    card = StateFits.read(name).card
    assert card["training"]["script"] == "benchmarks/train_states.py"
    assert card["training"]["number"] >= 2000
    assert card["training"]["simulator"].endswith("a10-the300")
    for found in card["metrics"].values():
        assert abs(found["all"]["inside_68"] - 0.68) < 0.02
        assert abs(found["all"]["inside_95"] - 0.95) < 0.01
    least = {"planck": 0.25, "resolved": 0.6}[name]
    assert card["metrics"]["deluca2021"]["all"]["r_log_chi"] > least


def test_own_fits_are_trained_written_and_read(training, tmp_path):
    mocks = training.planck_mocks(260, 9, limits={"mass": (6e14, 2e15) * u.solMass,
                                                  "redshift": (0.02, 0.08)})  # fmt: skip
    fits = StateFits.train(
        [mocks[:200], mocks[200:]], name="own", edges={"y": ()}, cosmology="PSZ2",
        definitions=["haggar2020"],
    )  # fmt: skip
    fits.write(tmp_path / "own.json")
    with pytest.raises(InvalidInputError, match="exists"):
        fits.write(tmp_path / "own.json")
    options = {"definition": "haggar2020", "mass": "mass_true", "one_minus_b": 1.0}
    one = MorphologyState(fits=fits, **options).predict(mocks[:5])
    other = MorphologyState(fits=tmp_path / "own.json", **options).predict(mocks[:5])
    for name in STATE_COLUMNS:
        np.testing.assert_array_equal(one[name], other[name])
    assert other.meta["fits"] == "own"
    assert other.meta["trained_on"]["number"] == 260
    with pytest.raises(UnknownNameError, match="know haggar2020"):
        MorphologyState(fits=fits, **options | {"definition": "cui2018"}).predict(mocks[:2])
    (tmp_path / "own.npz").write_bytes(b"x")
    with pytest.raises(IntegrityError):
        StateFits.read(tmp_path / "own.json")
    (tmp_path / "own.json").write_text(json.dumps({"format_version": 9}))
    with pytest.raises(FileFormatError, match="version 9"):
        StateFits.read(tmp_path / "own.json")


def test_what_is_refused(resolved):
    sample = make_check_sample(2)
    with pytest.raises(CardMismatchError, match="a beam of 0.333 arcmin"):
        MorphologyState(fits="resolved").predict(sample)
    sample.cutouts = make_check_sample(2, geometry=CutoutGeometry((60, 60), 4 * u.arcmin)).cutouts
    with pytest.raises(CardMismatchError, match="pixels of 1.7"):
        MorphologyState().predict(sample)
    with pytest.raises(UnknownNameError, match="Known: planck"):
        StateFits.read("plank")
    with pytest.raises(UnknownNameError, match="morphology"):
        get_state_estimator("morph")
    with pytest.raises(InvalidInputError, match="no option 'x'"):
        get_state_estimator("morphology", x=1)
    with pytest.raises(InvalidInputError, match="an estimator already"):
        get_state_estimator(MorphologyState(), fits="planck")
    with pytest.raises(InvalidInputError, match="'estimator' must be a tag"):
        get_state_estimator(3)
    quiet = make_check_sample(2)
    quiet.cutouts = quiet.cutouts.with_data(quiet.cutouts.data, noise=None)
    with pytest.raises(InvalidInputError, match="noise of the cutouts' map is not known"):
        MorphologyState().predict(quiet)
    assert np.isfinite(MorphologyState(noise="planck").predict(quiet)["log_chi"]).all()
    with pytest.raises(InvalidInputError, match="'mass' must be a column of masses"):
        MorphologyState(mass="snr").predict(make_check_sample(2))


def states_of(names, **changed):
    table = Table({"name": names, "flag": np.arange(len(names))})
    for name in ("log_chi", "log_chi_errn", "log_chi_errp", "p_relaxed", "p_prior"):
        table[name] = np.linspace(0.1, 0.4, len(names))
    return table


def test_states_are_joined_by_name():
    masses = QTable({"name": ["a", "b", "c"], "mass_x": [1, 2, 3] * u.solMass}, meta={"kept": 1})
    states = states_of(["c", "a"])
    states.meta["definition"] = "cui2018"
    table = add_states(masses, states)
    np.testing.assert_array_equal(table["p_relaxed"], [0.4, np.nan, 0.1])
    assert table["state_flag"].tolist() == [1, 0, 0]
    assert (table.meta["kept"], table.meta["state"]["definition"]) == (1, "cui2018")
    assert "p_relaxed" not in masses.colnames
    for a, b, text in (
        (masses, states_of(["x"]), "no name is in both"),
        (masses, states_of(["a", "a"]), "each name once"),
        (masses, masses, "Missing: log_chi"),
        (states["flag",], states, "Missing: name"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            add_states(a, b)


def test_masked_states_are_not_known():
    states = states_of(["c", "a"])
    states["p_relaxed"] = MaskedColumn(states["p_relaxed"], mask=[True, False])
    assert np.isnan(add_states(states_of(["a", "c"]), states)["p_relaxed"]).tolist() == [0, 1]


def test_xrays_go_by_name(resolved):
    sample = resolved[:3]
    estimator = MorphologyState(fits="resolved", one_minus_b=1.0)
    expected = estimator.predict(sample)["log_chi"]
    xrays = sample.fields["xray"]
    sample.fields["xray"] = xrays[[2, 0, 1]]
    np.testing.assert_array_equal(estimator.predict(sample)["log_chi"], expected)
    for other in (xrays[:2], np.asarray(xrays.data)):
        sample.fields["xray"] = other
        with pytest.raises(InvalidInputError, match="'fields"):
            estimator.predict(sample)


def test_xrays_of_another_resolution_are_refused(resolved):
    sample = resolved[:2]
    xrays = sample.fields["xray"]
    sample.fields["xray"] = FieldStack(
        "xray", xrays.data, xrays.unit, xrays.coord, geometry=xrays.geometry, names=xrays.names,
        beam=2 * u.arcmin,
    )  # fmt: skip
    with pytest.raises(
        CardMismatchError, match="a beam of 0.333 arcmin. The cutouts have 2 arcmin"
    ):
        MorphologyState(fits="resolved", one_minus_b=1.0).predict(sample)


@pytest.mark.parametrize("mass", [1.0, 1e30])
def test_a_mass_of_no_cluster_stops_no_other(mass):
    sample = make_check_sample(3)
    whole = MorphologyState().predict(sample)
    sample.table["msz"][1] = mass * u.solMass
    table = MorphologyState().predict(sample)
    assert table["flag"][1] == StateFlag.NO_MASS
    np.testing.assert_array_equal(table["log_chi"][[0, 2]], whole["log_chi"][[0, 2]])
    sample.table["msz"][:] = mass * u.solMass
    with pytest.raises(InvalidInputError, match="solMass"):
        MorphologyState().predict(sample)


def test_a_map_that_is_left_out_without_noise_says_so():
    sample = make_check_sample(2)
    plain = MorphologyState().predict(sample)
    middle = np.array(sample.cutouts.data.shape[1:]) // 2
    sample.cutouts.data[0, middle[0] + 1, middle[1]] = np.nan  # inside the footprint
    table = MorphologyState().predict(sample)
    assert table["flag"][0] & StateFlag.PRIOR
    assert table["flag"][0] & StateFlag.NOT_MEASURED
    assert table["flag"][1] == plain["flag"][1]


def damaged(folder, change):
    """Write shipped fits with a change of their card and arrays, whose checksum is right."""
    path = folder / "fits.json"
    StateFits.read("planck").write(path, overwrite=True)
    card = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    change(card, arrays)
    np.savez(path.with_suffix(".npz"), **arrays)
    card["sha256"] = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    path.write_text(json.dumps(card))
    return path


def test_damaged_fits_are_refused_when_read(tmp_path):
    for key in StateFits.read("planck").card:
        if key not in ("xray_ring", "format_version"):
            with pytest.raises(FileFormatError, match=f"fits.json .*'{key}'"):
                StateFits.read(damaged(tmp_path, lambda card, arrays, key=key: card.pop(key)))
    for key, value in (
        *(("bands", ["q"]), ("edges", {"y": [5, 4]}), ("beam_arcmin", 0), ("shape", [1])),
        *(("preset", "zz"), ("center", "x"), ("log10_mass", [1]), ("metrics", {"a": {}})),
    ):
        with pytest.raises(FileFormatError, match=r"fits\.json are no fits"):
            StateFits.read(
                damaged(tmp_path, lambda card, arrays, new={key: value}: card.update(new))
            )
    for change in (
        lambda card, arrays: arrays["deluca2021/quantiles"].fill(np.nan),
        lambda card, arrays: arrays.update({"deluca2021/classes": np.zeros((1, 2), int)}),
    ):
        with pytest.raises(FileFormatError, match=r"fits\.json are no fits"):
            StateFits.read(damaged(tmp_path, change))
    path = damaged(tmp_path, lambda card, arrays: None)
    card = json.loads(path.read_text()) | {"sha256": hashlib.sha256(b"x").hexdigest()}
    path.write_text(json.dumps(card))
    path.with_suffix(".npz").write_bytes(b"x")
    with pytest.raises(FileFormatError, match=r"fits\.json are no fits"):
        StateFits.read(path)


def test_fits_are_written_together_or_not_at_all(tmp_path):
    (tmp_path / "fits.json").write_text("mine")
    with pytest.raises(InvalidInputError, match="exists"):
        StateFits.read("planck").write(tmp_path / "fits.json")
    assert [path.name for path in tmp_path.iterdir()] == ["fits.json"]


def test_bias_of_a_flag_that_most_clusters_have():
    relaxed = np.arange(40) >= 10
    table = QTable({"mass_true": np.full(40, 5e14) * u.solMass})
    table["mass_a"] = table["mass_true"] * np.where(relaxed, 1.1, 1.0)
    found = mass_bias_by_state(table, "a", state=relaxed)
    assert found["difference"][0] == pytest.approx(np.log10(1.1))
    with pytest.raises(InvalidInputError, match="'methods' names none"):
        mass_bias_by_state(table, [], state=relaxed)


def test_mass_bias_by_state():
    rng = np.random.default_rng(1)
    state = rng.normal(0, 0.2, 400)
    true = rng.uniform(3, 9, 400) * 1e14 * u.solMass
    table = QTable({"name": [f"{i}" for i in range(400)], "mass_true": true, "log_chi": state})
    noise = rng.normal(0, 0.05, 400)
    table["mass_a"] = true * 10 ** (0.1 * state + noise)
    table["mass_b"] = true * 10**noise
    table["mass_b"][:50] = np.nan
    found = mass_bias_by_state(table, ["a", "b"])
    relaxed = state > np.median(state)
    expected = np.mean((0.1 * state + noise)[relaxed]) - np.mean((0.1 * state + noise)[~relaxed])
    assert found["difference"][0] == pytest.approx(expected)
    # Of normal states the halves are 1.6 standard deviations apart.
    assert found["difference"][0] == pytest.approx(0.016 * 2, abs=3 * found["difference_err"][0])
    assert found["difference_err"][0] == pytest.approx(0.053 * 2 / 20, rel=0.1)
    assert found["slope"][0] == pytest.approx(0.1, abs=3 * found["slope_err"][0])
    assert found["n"].tolist() == [400, 350]
    assert abs(found["difference"][1]) < 3 * found["difference_err"][1]
    with pytest.raises(InvalidInputError, match="'state' must be a column"):
        mass_bias_by_state(table, state="chi")
    with pytest.raises(InvalidInputError, match="one number per row"):
        mass_bias_by_state(table, state=[1.0])
    with pytest.raises(InvalidInputError, match="at least 4 clusters"):
        mass_bias_by_state(table[:3], ["a"])


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write the catalogue and the map of three clusters."""
    import healpy

    folder = tmp_path_factory.mktemp("state")
    sample = make_check_sample(3)
    sample.table["redshift"].mask[0] = True
    sample.write(folder / "catalog.ecsv")
    values = np.random.default_rng(0).normal(0, 1e-6, 12 * 64**2).astype(np.float32)
    healpy.write_map(folder / "map.fits", values, coord="G", column_names=["FULL"],
                     dtype=np.float32)  # fmt: skip
    return folder


def test_shell(files, tmp_path):
    given = ("--catalog", files / "catalog.ecsv", "--map", files / "map.fits")
    given += ("--beam", "10 arcmin", "--noise", "planck", "--map-unit", "")
    output = tmp_path / "states.ecsv"
    result = run("state", *given, "-o", output, "--definition", "cui2018")
    assert result.exit_code == 0, result.output
    assert "3 clusters written" in result.output
    assert "2 told; flags: 1 NO_REDSHIFT" in result.output
    table = read_table(output)
    assert np.isfinite(table["log_chi"]).tolist() == [False, True, True]
    assert table.meta["definition"] == "cui2018"
    named = tmp_path / "named.ecsv"
    result = run(
        "state", *given, "-o", named, "--name", table["name"][2], "--definition", "cui2018"
    )
    assert result.exit_code == 0, result.output
    row = read_table(named)
    assert row["name"].tolist() == [table["name"][2]]
    assert row["log_chi"][0] == pytest.approx(table["log_chi"][2])
    masses, both = tmp_path / "m.ecsv", tmp_path / "both.fits"
    assert run("estimate", *given[:2], "--estimators", "scaling", "-o", masses).exit_code == 0
    result = run("state", *given, "--masses", masses, "-o", both)
    assert result.exit_code == 0, result.output
    joined = read_table(both)
    assert np.isfinite(joined["p_relaxed"]).sum() == np.isfinite(joined["mass_scaling"]).sum() == 2
    for args, code, text in (
        ((*given[:2], "-o", tmp_path / "x.ecsv"), 2, "--map is missing"),
        ((*given, "-o", output), 1, "exists"),
        ((*given, "-o", tmp_path / "x.ecsv", "--set", "cnn.x=1"), 2, "the estimator is"),
        ((*given, "-o", tmp_path / "x.ecsv", "--estimator", "cnnn"), 1, "No state estimator"),
        ((*given, "-o", tmp_path / "x.ecsv", "--definition", "x"), 1, "'x'"),
    ):
        result = run("state", *args)
        assert (result.exit_code, text in result.stderr) == (code, True), result.stderr
        assert len(result.stderr.strip().splitlines()) <= 4
    assert "Examples" in run("state", "--help").output
    assert not (tmp_path / "x.ecsv").exists()
