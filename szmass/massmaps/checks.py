"""The contract of an estimator of mass maps, as checks that run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", MAP_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyEstimator(), make_check_sample())
"""

import copy
import tempfile
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass.estimators.checks import make_check_sample
from szmass.estimators.contract_checks import Family, require
from szmass.massmaps.core import MapEstimator
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.mass_map import MassMap, MassMapStack

__all__ = ["MAP_ESTIMATOR_CHECKS", "check_map_estimator"]

_COLUMNS = ("name", "mass", "mass_err", "r500", "pixels", "flag", "method")


class _MapFamily(Family):
    """Maps as a table of what they hold, one row per cluster."""

    def predict(self, estimator, sample):
        """Give the maps as a table."""
        return _as_table(super().predict(estimator, sample), estimator.tag)

    def check_empty(self, estimator, sample):
        """No clusters give no maps."""
        stack = estimator.predict(sample[:0])
        require(isinstance(stack, MassMapStack) and len(stack) == 0, "an empty sample gave maps")

    def check_meta(self, estimator, sample):
        """``meta`` says what the maps were made with, and FITS keeps it, and them."""
        stack = estimator.predict(sample)
        everywhere = ("method", "estimator", "references", "software", "szmass_version", "date")
        for key in (*everywhere, *self.meta):
            require(key in stack.meta, f"meta lacks {key!r}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "maps.fits"
            stack.write(path)
            back = MassMapStack.read(path)
            require(back.meta == stack.meta, "meta does not survive FITS")
            for name in ("data", "std", "modes", "redshift", "r500", "flag"):
                same = np.array_equal(getattr(back, name), getattr(stack, name), equal_nan=True)
                require(same, f"{name!r} does not survive FITS")
            row = int(np.argmax(np.isfinite(stack.r500)))
            stack[row].write(Path(folder) / "map.fits")
            back = MassMap.read(Path(folder) / "map.fits")
            require(np.array_equal(back.data, stack[row].data), "a map does not survive FITS")
        return stack.meta


def _as_table(stack, tag):
    mass, error = stack.mass_within(stack.r500 * u.arcmin)
    flat = np.concatenate([stack.data, stack.std], axis=1).reshape(len(stack), -1)
    columns = stack.names, mass, error, stack.r500, flat, stack.flag, np.full(len(stack), tag)
    return QTable(dict(zip(_COLUMNS, columns, strict=True)), meta=stack.meta)


_FAMILY = _MapFamily(
    base=MapEstimator,
    columns=_COLUMNS,
    numbers=("pixels", "r500"),
    flags=MassMapFlag,
    of="maps",
    meta=("mass_from", "mass_definition", "cosmology", "one_minus_b", "maps_are"),
    rtol=1e-5,
)


def check_declares_itself(estimator, sample):
    """Tag, requirements, references and software are set."""
    _FAMILY.check_declares_itself(estimator)


def check_options_are_stored_as_given(estimator, sample):
    """Options are keyword-only, kept unchanged, and rebuild the same estimator."""
    _FAMILY.check_options(estimator)


def check_there_is_a_map_of_each(estimator, sample):
    """One map per cluster in input order, on the grid that was asked for."""
    table = _FAMILY.check_table(estimator, sample)
    require(np.isfinite(table["mass"]).any(), "not one map was made")


def check_maps_are_sensible(estimator, sample):
    """Values are not below zero, errors positive, modes within them, and NaN has a flag."""
    stack = estimator.predict(sample)
    made = np.isfinite(stack.data).all(axis=(1, 2))
    require(np.all(stack.flag[~made] != 0), "a NaN has no flag")
    require(np.all(np.isnan(stack.data[~made])), "a map has values in some pixels alone")
    data, std = stack.data[made], stack.std[made]
    require(np.all(data >= 0) and np.all(std >= 0), "a surface density or its error is below 0")
    require(np.all(std[data > 0] > 0), "a surface density has no error")
    most = np.log1p((std / np.maximum(data, 1e-30)) ** 2)
    modes = (stack.modes[made] ** 2).sum(axis=1)
    require(np.all(modes <= most * (1 + 1e-3) + 1e-6), "modes are more than the errors of pixels")
    mass, error = stack.mass_within(stack.r500 * u.arcmin)
    require(np.all(error[made] > 0), "the mass within R500 has no error")
    ratio = (mass / (stack.r500 * u.arcmin) ** 2)[made]
    require(np.all(ratio > 0), "there is no mass within R500")


def check_mass_is_that_of_the_posterior(estimator, sample):
    """The mean mass in R500 follows the mass that the map is made of, all else being the same."""
    posterior = estimator._posterior(sample)
    options = estimator.options | {"mass": posterior}
    if "one_minus_b" in options:
        options["one_minus_b"] = None
    light = type(estimator)(**options).predict(sample)
    heavy = copy.deepcopy(posterior)
    heavy.log10_mass = heavy.log10_mass + 0.1
    more = type(estimator)(**options | {"mass": heavy}).predict(sample)
    ratio = more.data.sum(axis=(1, 2)) / light.data.sum(axis=(1, 2))
    made = np.isfinite(ratio)
    require(np.all(ratio[made] > 1.05), "a map does not grow with the mass that it is made of")


def check_rows_are_independent(estimator, sample):
    """Order and company of a cluster do not change its map."""
    _FAMILY.check_rows_are_independent(estimator, sample, (slice(0, 1), slice(1, None)))


def check_one_cluster_stops_no_others(estimator, sample):
    """Whatever stands in the row of one cluster, the others are as without it."""
    cases = [("redshift", z, True) for z in (0.0, 99.0, np.nan)]
    if sample.cutouts is not None:
        cases += [("pixels", value, False) for value in (np.nan, 0.0, 1e30)]
    _FAMILY.check_one_stops_no_others(estimator, sample, cases)


def check_predict_is_repeatable(estimator, sample):
    """Twice the same input gives twice the same answer, and the input stays as it was."""
    _FAMILY.check_repeats(estimator, sample)


def check_whole_input_missing_is_an_error(estimator, sample):
    """No cutouts attached, or no such column: an error that says so."""
    _FAMILY.check_whole_input(estimator, sample)


def check_empty_sample(estimator, sample):
    """No clusters give no maps."""
    _FAMILY.check_empty(estimator, sample)


def check_meta_is_complete_and_survives(estimator, sample):
    """``meta`` says what the maps were made with, and FITS keeps it."""
    _FAMILY.check_meta(estimator, sample)


#: All checks, in the order from plain to involved. Each takes an estimator and a sample.
MAP_ESTIMATOR_CHECKS = (
    check_declares_itself,
    check_options_are_stored_as_given,
    check_there_is_a_map_of_each,
    check_maps_are_sensible,
    check_mass_is_that_of_the_posterior,
    check_rows_are_independent,
    check_one_cluster_stops_no_others,
    check_predict_is_repeatable,
    check_whole_input_missing_is_an_error,
    check_empty_sample,
    check_meta_is_complete_and_survives,
)


def check_map_estimator(estimator, sample=None):
    """Run every check over an estimator of mass maps.

    Parameters
    ----------
    estimator : `~szmass.massmaps.MapEstimator`
        An instance, with the options under which it is to be checked.
    sample : `~szmass.clusters.ClusterSample`, optional
        Clusters that it can map, with cutouts; by default `make_check_sample
        <szmass.estimators.checks.make_check_sample>`, a y-map behind 10 arcmin.

    Raises
    ------
    AssertionError
        A check failed; the message says what was expected.
    """
    sample = make_check_sample(4) if sample is None else sample
    for check in MAP_ESTIMATOR_CHECKS:
        check(estimator, sample)
