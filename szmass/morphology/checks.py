"""The contract of an estimator of the dynamical state, as checks that run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", STATE_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyEstimator(), make_check_sample())
"""

import copy
import inspect
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import QTable

from szmass._tables.files import read_table, write_table
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import SzmassError
from szmass.morphology.flags import StateFlag
from szmass.morphology.state_estimators import STATE_COLUMNS, StateEstimator
from szmass.physics import get_dynamical_state

__all__ = ["STATE_ESTIMATOR_CHECKS", "check_state_estimator"]

_NUMBERS = ("log_chi", "log_chi_errn", "log_chi_errp", "p_relaxed", "p_prior")
_LAST_BITS = 1e-10


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _same(a, b, message, tolerance=0.0):
    for name in _NUMBERS:
        same = np.allclose(a[name], b[name], rtol=0.0, atol=tolerance, equal_nan=True)
        _require(same, f"{message}: column {name!r}")
    _require(np.array_equal(a["flag"], b["flag"]), f"{message}: column 'flag'")


def check_declares_itself(estimator, sample):
    """Tag, requirements, references and software are set, and the definition has a name."""
    cls = type(estimator)
    _require(isinstance(estimator, StateEstimator), f"{cls.__name__} is no StateEstimator")
    _require(isinstance(cls.tag, str) and cls.tag.strip(), "'tag' must be a non-empty string")
    _require(isinstance(estimator.needs, frozenset), "'requires' must be a frozenset")
    for name in ("references", "software"):
        value = getattr(cls, name)
        _require(
            not isinstance(value, str) and all(isinstance(r, str) for r in value),
            f"{name!r} must be a sequence of texts",
        )
    get_dynamical_state(estimator.definition)
    _require(inspect.getdoc(cls), "the class has no docstring")


def check_options_are_stored_as_given(estimator, sample):
    """Options are keyword-only, kept unchanged, and rebuild the same estimator."""
    cls = type(estimator)
    for name, parameter in inspect.signature(cls).parameters.items():
        _require(parameter.kind is parameter.KEYWORD_ONLY, f"option {name!r} is not keyword-only")
        marker = object()
        _require(
            getattr(cls(**{name: marker}), name, None) is marker,
            f"option {name!r} is not stored unchanged under its name",
        )
    _require(cls(**estimator.options).options == estimator.options, "options do not round-trip")
    _require(repr(estimator).startswith(cls.__name__), "repr does not show the class")


def check_table_has_the_columns(estimator, sample):
    """One row per cluster in input order, with the columns of `STATE_COLUMNS`."""
    table = estimator.predict(sample)
    _require(isinstance(table, QTable), "predict must return a QTable")
    _require(table.colnames == list(STATE_COLUMNS), f"columns are {table.colnames}")
    _require(list(table["name"]) == list(sample.names), "rows are not in the order of the sample")
    _require(set(table["method"]) == {estimator.tag}, "'method' is not the tag")
    known = sum(StateFlag)
    _require(np.all(np.asarray(table["flag"]) & ~known == 0), "unknown bits in 'flag'")


def check_states_are_sensible(estimator, sample):
    """Probabilities are from 0 to 1, errors positive, and what is not told has a flag."""
    table = estimator.predict(sample)
    told = np.isfinite(table["log_chi"])
    _require(told.any(), "not one state was told")
    _require(np.all(np.abs(table["log_chi"][told]) < 3), "a state is not one of a cluster")
    for name in _NUMBERS:
        value = np.asarray(table[name])
        _require(np.all(np.isfinite(value) == told), f"{name!r} is not known where 'log_chi' is")
        _require(name == "log_chi" or np.all(value[told] >= 0), f"{name!r} is negative")
        if name.startswith("p_"):
            _require(np.all(value[told] <= 1), f"{name!r} is above 1")
    for name in ("log_chi_errn", "log_chi_errp"):
        _require(np.all(table[name][told] > 0), f"{name!r} is 0")
    _require(np.all(np.asarray(table["flag"])[~told] != 0), "a NaN has no flag")


def check_rows_are_independent(estimator, sample):
    """Order and company of a cluster do not change its state."""
    table = estimator.predict(sample)
    order = np.random.default_rng(0).permutation(len(sample))
    found = estimator.predict(sample[order])
    _same(found, table[order], "states depend on the order", _LAST_BITS)
    for part in (slice(0, 1), slice(1, None)):
        found = estimator.predict(sample[part])
        _same(found, table[part], "states depend on the other clusters", _LAST_BITS)


def check_one_cluster_stops_no_others(estimator, sample):
    """Whatever stands in the row of one cluster, the others are as without it."""
    rest, complete = slice(1, None), estimator.predict(sample)
    columns = sorted(set(estimator.needs) & set(sample.table.colnames) - {"redshift"})
    cases = [("redshift", z) for z in (0.0, 99.0, np.nan) if "redshift" in estimator.needs]
    cases += [(name, value) for name in columns for value in (np.nan, 0.0)]
    cases += [("pixels", v) for v in (np.nan, 0.0, 1e30) if "cutout" in estimator.needs]
    for name, value in cases:
        bad, case = copy.deepcopy(sample), f"{name} = {value:g}"
        if name == "pixels":
            bad.cutouts.data[0] = value
        else:
            column = bad.table[name]
            column[0] = value if column.unit is None else value * column.unit
        table = estimator.predict(bad)
        _same(table[rest], complete[rest], f"a cluster of {case} changes the others", _LAST_BITS)
        _require(table["flag"][0] != 0, f"a cluster of {case} has no flag")


def check_nothing_seen_is_the_prior(estimator, sample):
    """A cluster without valid pixels has P(relaxed) of the prior, and a flag says so."""
    if "cutout" not in estimator.needs:
        return
    blind = copy.deepcopy(sample)
    blind.fields = {}
    blind.cutouts.data[:], blind.cutouts.footprint[:] = np.nan, False
    table = estimator.predict(blind)
    _require(np.all(np.asarray(table["flag"]) & StateFlag.PRIOR), "there is no flag PRIOR")
    _require(np.all(np.asarray(table["flag"]) & StateFlag.NO_IMAGE), "there is no flag NO_IMAGE")
    same = np.allclose(table["p_relaxed"], table["p_prior"], atol=1e-9)
    _require(same, "P(relaxed) is not that of the prior")


def check_predict_is_repeatable(estimator, sample):
    """Twice the same input gives twice the same answer, and the input stays as it was."""
    before = copy.deepcopy(sample.table), sample.cutouts.data.copy()
    first = estimator.predict(sample)
    _same(first, estimator.predict(sample), "predict is not repeatable")
    _require(sample.table.colnames == before[0].colnames, "predict changed the sample's columns")
    same = np.array_equal(sample.cutouts.data, before[1], equal_nan=True)
    _require(same, "predict changed the cutouts")


def check_whole_input_missing_is_an_error(estimator, sample):
    """No cutouts attached, or no such column: an error that says so."""
    for need in estimator.needs - {"redshift"}:
        lacking = copy.deepcopy(sample)
        if need == "cutout":
            lacking.cutouts = None
        else:
            lacking.table.remove_column(need)
        try:
            estimator.predict(lacking)
        except SzmassError as err:
            _require(need in str(err), f"the error does not name {need!r}: {err}")
        else:
            raise AssertionError(f"no error though the sample lacks {need!r}")


def check_empty_sample(estimator, sample):
    """No clusters give no rows."""
    table = estimator.predict(sample[:0])
    _require(len(table) == 0, "an empty sample gave rows")
    _require(table.colnames == list(STATE_COLUMNS), "an empty sample gave other columns")


def check_meta_is_complete_and_survives(estimator, sample):
    """``meta`` says what the numbers were made with, and ECSV, FITS and VOTable keep it."""
    table = estimator.predict(sample)
    for key in (
        *("method", "estimator", "definition", "limit", "beam", "noise", "trained_on"),
        *("references", "software", "szmass_version", "date"),
    ):
        _require(key in table.meta, f"meta lacks {key!r}")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".ecsv", ".fits", ".vot"):
            path = Path(folder) / f"states{suffix}"
            write_table(table, path)
            back = read_table(path)
            _require(back.meta == table.meta, f"meta does not survive {suffix}")
            _same(back, table, f"states do not survive {suffix}")


#: All checks, in the order from plain to involved. Each takes an estimator and a sample.
STATE_ESTIMATOR_CHECKS = (
    check_declares_itself,
    check_options_are_stored_as_given,
    check_table_has_the_columns,
    check_states_are_sensible,
    check_rows_are_independent,
    check_one_cluster_stops_no_others,
    check_nothing_seen_is_the_prior,
    check_predict_is_repeatable,
    check_whole_input_missing_is_an_error,
    check_empty_sample,
    check_meta_is_complete_and_survives,
)


def check_state_estimator(estimator, sample=None):
    """Run every check over an estimator of the dynamical state.

    Parameters
    ----------
    estimator : `~szmass.morphology.StateEstimator`
        An instance, with the options under which it is to be checked.
    sample : `~szmass.clusters.ClusterSample`, optional
        Clusters that it can tell, with cutouts; by default `make_check_sample
        <szmass.estimators.checks.make_check_sample>`, a y-map behind 10 arcmin.

    Raises
    ------
    AssertionError
        A check failed; the message says what was expected.
    """
    sample = make_check_sample(8) if sample is None else sample
    for check in STATE_ESTIMATOR_CHECKS:
        check(estimator, sample)
