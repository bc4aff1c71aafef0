"""The contract of an estimator of the dynamical state, as checks that run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", STATE_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyEstimator(), make_check_sample())
"""

import copy

import numpy as np

from szmass.estimators.checks import make_check_sample
from szmass.estimators.contract_checks import ContractChecks, require
from szmass.morphology.flags import StateFlag
from szmass.morphology.state_estimators import STATE_COLUMNS, StateEstimator
from szmass.physics import get_dynamical_state

__all__ = ["STATE_ESTIMATOR_CHECKS", "check_state_estimator"]

_NUMBERS = ("log_chi", "log_chi_errn", "log_chi_errp", "p_relaxed", "p_prior")


class _StateChecks(ContractChecks):
    base = StateEstimator
    columns = tuple(STATE_COLUMNS)
    numbers = _NUMBERS
    flags = StateFlag
    told = "states"
    meta = ("definition", "limit", "beam", "noise", "trained_on")
    atol = 1e-10


def check_declares_itself(estimator, sample):
    """Tag, requirements, references and software are set, and the definition has a name."""
    _StateChecks(estimator).check_declares_itself()
    get_dynamical_state(estimator.definition)


def check_options_are_stored_as_given(estimator, sample):
    """Options are keyword-only, kept unchanged, and rebuild the same estimator."""
    _StateChecks(estimator).check_options()


def check_table_has_the_columns(estimator, sample):
    """One row per cluster in input order, with the columns of `STATE_COLUMNS`."""
    _StateChecks(estimator, sample).check_table()


def check_states_are_sensible(estimator, sample):
    """Probabilities are from 0 to 1, errors positive, and what is not told has a flag."""
    table = estimator.predict(sample)
    told = np.isfinite(table["log_chi"])
    require(told.any(), "not one state was told")
    require(np.all(np.abs(table["log_chi"][told]) < 3), "a state is not one of a cluster")
    for name in _NUMBERS:
        value = np.asarray(table[name])
        require(np.all(np.isfinite(value) == told), f"{name!r} is not known where 'log_chi' is")
        require(name == "log_chi" or np.all(value[told] >= 0), f"{name!r} is negative")
        if name.startswith("p_"):
            require(np.all(value[told] <= 1), f"{name!r} is above 1")
    for name in ("log_chi_errn", "log_chi_errp"):
        require(np.all(table[name][told] > 0), f"{name!r} is 0")
    require(np.all(np.asarray(table["flag"])[~told] != 0), "a NaN has no flag")


def check_rows_are_independent(estimator, sample):
    """Order and company of a cluster do not change its state."""
    _StateChecks(estimator, sample).check_rows_are_independent(slice(0, 1), slice(1, None))


def check_one_cluster_stops_no_others(estimator, sample):
    """Whatever stands in the row of one cluster, the others are as without it."""
    needs = estimator.needs
    columns = sorted(set(needs) & set(sample.table.colnames) - {"redshift"})
    cases = [("redshift", z) for z in (0.0, 99.0, np.nan) if "redshift" in needs]
    cases += [(name, value) for name in columns for value in (np.nan, 0.0)]
    cases += [("pixels", v) for v in (np.nan, 0.0, 1e30) if "cutout" in needs]
    _StateChecks(estimator, sample).check_one_stops_no_others([(*c, True) for c in cases])


def check_nothing_seen_is_the_prior(estimator, sample):
    """A cluster without valid pixels has P(relaxed) of the prior, and a flag says so."""
    if "cutout" not in estimator.needs:
        return
    blind = copy.deepcopy(sample)
    blind.fields = {}
    blind.cutouts.data[:], blind.cutouts.footprint[:] = np.nan, False
    table = estimator.predict(blind)
    require(np.all(np.asarray(table["flag"]) & StateFlag.PRIOR), "there is no flag PRIOR")
    require(np.all(np.asarray(table["flag"]) & StateFlag.NO_IMAGE), "there is no flag NO_IMAGE")
    same = np.allclose(table["p_relaxed"], table["p_prior"], atol=1e-9)
    require(same, "P(relaxed) is not that of the prior")


def check_predict_is_repeatable(estimator, sample):
    """Twice the same input gives twice the same answer, and the input stays as it was."""
    _StateChecks(estimator, sample).check_repeats()


def check_whole_input_missing_is_an_error(estimator, sample):
    """No cutouts attached, or no such column: an error that says so."""
    _StateChecks(estimator, sample).check_whole_input()


def check_empty_sample(estimator, sample):
    """No clusters give no rows."""
    _StateChecks(estimator, sample).check_empty()


def check_meta_is_complete_and_survives(estimator, sample):
    """``meta`` says what the numbers were made with, and ECSV, FITS and VOTable keep it."""
    _StateChecks(estimator, sample).check_meta()


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
