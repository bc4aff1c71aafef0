"""Use of an estimator of the dynamical state of another package: by its tag, and checked."""

from szmass.estimators.checks import make_check_sample
from szmass.morphology import STATE_ESTIMATORS, get_state_estimator
from szmass.morphology.checks import check_state_estimator

assert {"example-state", "morphology"} <= set(STATE_ESTIMATORS)
estimator = get_state_estimator("example-state", definition="cui2018")
table = estimator.predict(make_check_sample(4))
assert set(table["method"]) == {"example-state"}
assert table.meta["definition"] == "cui2018"
check_state_estimator(estimator)
