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

    def make_sample(self):
        return make_check_sample(8)

    def check_declares_itself(self):
        """Tag, requirements, references and software are set, and the definition has a name."""
        super().check_declares_itself()
        get_dynamical_state(self.estimator.definition)

    def check_states_are_sensible(self):
        """Probabilities are from 0 to 1, errors positive, and what is not told has a flag."""
        table = self.result
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

    def check_nothing_seen_is_the_prior(self):
        """A cluster without valid pixels has P(relaxed) of the prior, and a flag says so."""
        if "cutout" not in self.estimator.needs:
            return
        blind = copy.deepcopy(self.sample)
        blind.fields = {}
        blind.cutouts.data[:], blind.cutouts.footprint[:] = np.nan, False
        table = self.predict(blind)
        require(np.all(np.asarray(table["flag"]) & StateFlag.PRIOR), "there is no flag PRIOR")
        require(np.all(np.asarray(table["flag"]) & StateFlag.NO_IMAGE), "there is no flag NO_IMAGE")
        same = np.allclose(table["p_relaxed"], table["p_prior"], atol=1e-9)
        require(same, "P(relaxed) is not that of the prior")


#: All checks, as functions of an estimator and a sample.
STATE_ESTIMATOR_CHECKS = _StateChecks.functions()


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
    for check in STATE_ESTIMATOR_CHECKS:
        check(estimator, sample)
