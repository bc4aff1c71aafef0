"""Use of an estimator of mass maps of another package: by its tag, and checked."""

from szmass.estimators.checks import make_check_sample
from szmass.massmaps import MAP_ESTIMATORS, get_map_estimator
from szmass.massmaps.checks import check_map_estimator

assert {"example-map", "nfw"} <= set(MAP_ESTIMATORS)
estimator = get_map_estimator("example-map", mass="scaling")
maps = estimator.predict(make_check_sample(4))
assert maps.meta["method"] == "example-map"
check_map_estimator(estimator)
