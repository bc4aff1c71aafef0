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
from szmass.estimators.contract_checks import ContractChecks, require
from szmass.massmaps.core import MapEstimator
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.mass_map import MassMap
from szmass.massmaps.mass_map_stack import MassMapStack

__all__ = ["MAP_ESTIMATOR_CHECKS", "check_map_estimator"]


class _MapChecks(ContractChecks):
    base = MapEstimator
    columns = ("name", "mass", "mass_err", "r500", "pixels", "flag", "method")
    numbers = ("pixels", "r500")
    flags = MassMapFlag
    told = "maps"
    meta = ("mass_from", "mass_definition", "cosmology", "one_minus_b", "maps_are")
    rtol = 1e-5

    def make_sample(self):
        return make_check_sample(4)

    def cases(self):
        # Pixels that no map has cost what they tell, not the map.
        return [(name, v, flagged and name != "pixels") for name, v, flagged in super().cases()]

    def predict(self, sample):
        """Give the maps as a table, one row per cluster."""
        stack = super().predict(sample)
        mass, error = stack.mass_within(stack.r500 * u.arcmin)
        flat = np.concatenate([stack.data, stack.std], axis=1).reshape(len(stack), -1)
        tag = np.full(len(stack), self.estimator.tag)
        values = stack.names, mass, error, stack.r500, flat, stack.flag, tag
        return QTable(dict(zip(self.columns, values, strict=True)), meta=stack.meta)

    def check_maps_are_sensible(self):
        """Values are not below zero, errors positive, modes within them, and NaN has a flag."""
        stack = self.estimator.predict(self.sample)
        made = np.isfinite(stack.data).all(axis=(1, 2))
        require(made.any(), "not one map was made")
        require(np.all(stack.flag[~made] != 0), "a NaN has no flag")
        require(np.all(np.isnan(stack.data[~made])), "a map has values in some pixels alone")
        data, std = stack.data[made], stack.std[made]
        require(np.all(data >= 0) and np.all(std >= 0), "a surface density or its error is below 0")
        require(np.all(std[data > 0] > 0), "a surface density has no error")
        most = np.log1p((std / np.maximum(data, 1e-30)) ** 2)
        modes = (stack.modes[made] ** 2).sum(axis=1)
        fine = np.all(modes <= most * (1 + 1e-3) + 1e-6)
        require(fine, "modes are more than the errors of pixels")
        mass, error = stack.mass_within(stack.r500 * u.arcmin)
        require(np.all(mass[made] > 0) and np.all(error[made] > 0), "no mass, or no error, in R500")

    def check_mass_is_that_of_the_posterior(self):
        """The mean mass follows the mass that the map is made of, all else being the same."""
        estimator, posterior = self.estimator, self.estimator._posterior(self.sample)
        options = estimator.options | {"mass": posterior}
        if "one_minus_b" in options:
            options["one_minus_b"] = None
        light = type(estimator)(**options).predict(self.sample)
        heavy = copy.deepcopy(posterior)
        heavy.log10_mass = heavy.log10_mass + 0.1
        more = type(estimator)(**options | {"mass": heavy}).predict(self.sample)
        ratio = more.data.sum(axis=(1, 2)) / light.data.sum(axis=(1, 2))
        made = np.isfinite(ratio)
        require(np.all(ratio[made] > 1.05), "a map does not grow with the mass that it is made of")

    def check_empty_sample(self):
        """No clusters give no maps."""
        stack = self.estimator.predict(self.sample[:0])
        require(isinstance(stack, MassMapStack) and len(stack) == 0, "an empty sample gave maps")

    def check_meta_is_complete_and_survives(self):
        """Say in ``meta`` what the maps were made with, so that FITS keeps it, and them."""
        stack = self.estimator.predict(self.sample)
        for key in (*self.meta_of_all, *self.meta):
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


#: All checks, as functions of an estimator and a sample.
MAP_ESTIMATOR_CHECKS = _MapChecks.functions()


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
    for check in MAP_ESTIMATOR_CHECKS:
        check(estimator, sample)
