"""A family of estimators of its own, made of what all families share."""

from abc import abstractmethod
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass._utils.registry import Registry
from szmass.estimators import Estimator, find_estimator
from szmass.estimators.checks import make_check_sample
from szmass.estimators.contract_checks import ContractChecks
from szmass.exceptions import InvalidInputError, UnknownNameError


class PeakFlag(IntFlag):
    """Bits of this family."""

    NO_REDSHIFT, NO_CUTOUT, NO_VALUE = 1, 2, 4


@dataclass
class Peaks:
    """What this family tells."""

    y: np.ndarray
    flag: np.ndarray


class PeakEstimator(Estimator):
    """A family: the largest y of clusters."""

    @abstractmethod
    def _find(self, sample):
        """Give `Peaks`."""

    def _lacking(self, sample, need):
        if need == "redshift":
            low, high = self.redshift_range
            inside = (sample.redshift >= low) & (sample.redshift <= high)
            return np.where(inside, 0, PeakFlag.NO_REDSHIFT)
        if need == "cutout":
            return np.where(sample.cutouts.footprint.any(axis=(1, 2)), 0, PeakFlag.NO_CUTOUT)
        return np.where(np.isfinite(sample.quantity(need).value), 0, PeakFlag.NO_VALUE)

    def _family_meta(self, sample):
        return {"what": "the largest y"}

    def predict(self, sample):
        """Tell the largest y."""
        flag = self._missing(sample)
        found = Peaks(np.full(len(sample), np.nan), flag)
        for place, part in self._answers(sample, found, self._find):
            found.y[place], found.flag[place] = part.y, part.flag
        table = QTable({"name": np.array(sample.names, str), "y": found.y * u.arcmin**2})
        table["method"], table["flag"] = np.full(len(sample), self.tag, dtype="U9"), found.flag
        table.meta = self._meta(sample)
        return table


class Brightest(PeakEstimator):
    """The brightest pixel, times a factor."""

    tag = "brightest"
    requires = frozenset({"redshift", "cutout", "snr"})
    at_a_time = 2

    def __init__(self, *, factor=1.0, weights=None, extra=None):
        self.factor, self.weights, self.extra = factor, weights, extra

    @property
    def needs(self):
        """With a column that an option names."""
        return self.requires | ({self.extra} if self.extra else set())

    def _extra_meta(self, sample):
        return {"factor": self.factor}

    def _find(self, sample):
        assert 0 < len(sample) <= 2
        data = np.where(sample.cutouts.footprint, sample.cutouts.data, -np.inf)
        return Peaks(self.factor * data.max(axis=(1, 2)), np.zeros(len(sample), int))


PEAKS = Registry("peak estimator")
PEAKS.add(Brightest.tag, Brightest)


class PeakChecks(ContractChecks):
    """The checks of this family."""

    base = PeakEstimator
    columns = ("name", "y", "method", "flag")
    numbers = ("y",)
    flags = PeakFlag
    told = "peaks"
    meta = ("what", "factor")

    def make_sample(self):
        """Make the usual one."""
        return make_check_sample(5)

    def cases(self):
        """Some values."""
        return [("redshift", 99.0, True), ("snr", np.nan, True), ("pixels", 1.0, False)]

    def check_peaks_are_positive(self):
        """What is found is above zero."""
        assert np.all(self.result["y"] > 0)


@pytest.fixture(scope="module")
def sample():
    return make_check_sample(5)


def all_checks(estimator, sample=None):
    for check in PeakChecks.functions():
        check(estimator, sample)


def test_a_family_keeps_the_contract(sample):
    all_checks(Brightest())
    all_checks(Brightest(), sample)
    names = [check.__name__ for check in PeakChecks.functions()]
    assert names[0] == "check_declares_itself"
    assert names[-1] == "check_peaks_are_positive"
    assert len(set(names)) == len(names) == 10
    meta = Brightest().predict(sample).meta
    assert list(meta)[:2] == ["method", "estimator"]
    assert meta["what"] == "the largest y"
    table = Brightest(factor=2.0).predict(sample)
    np.testing.assert_allclose(table["y"].value, 2 * sample.cutouts.data.max(axis=(1, 2)))


def test_what_lacks_an_input_is_flagged_and_left_out(sample):
    sample = sample[:]
    sample.table = sample.table.copy()
    sample.table["redshift"][1], sample.table["snr"][3] = 0.0, np.nan
    table = Brightest().predict(sample)
    assert table["flag"].tolist() == [0, PeakFlag.NO_REDSHIFT, 0, PeakFlag.NO_VALUE, 0]
    assert np.isnan(table["y"]).tolist() == [False, True, False, True, False]


def test_whole_inputs_that_are_missing(sample):
    with pytest.raises(InvalidInputError, match="'brightest' needs 'y_psz', and the sample has no"):
        Brightest(extra="y_psz").predict(sample)
    bare = sample[:]
    bare.cutouts = None
    with pytest.raises(InvalidInputError, match=r"needs cutouts .*attach_cutouts"):
        Brightest().predict(bare)


@pytest.mark.parametrize(
    ("weights", "shown"),
    [
        ("/home/me/nets", "'nets'"),
        (Path("a/nets"), "'nets'"),
        ("~/nets", "'nets'"),
        ("a/nets", "'a/nets'"),
        (3, "3"),
    ],
)
def test_places_of_files_do_not_go_into_tables(sample, weights, shown):
    meta = Brightest(weights=weights).predict(sample[:1]).meta
    assert meta["estimator"] == f"Brightest(factor=1.0, weights={shown}, extra=None)"
    assert repr(weights) in repr(Brightest(weights=weights))


class Keeps(Brightest):
    """Keeps another value than it was given."""

    def __init__(self, *, factor=1.0):
        self.factor, self.weights, self.extra = 1.0, None, None


class Short(Brightest):
    """Forgets a cluster."""

    def _find(self, sample):
        return super()._find(sample[:1])


class Other(Brightest):
    """Gives something else."""

    def _find(self, sample):
        return np.zeros(len(sample))


class Company(Brightest):
    """Depends on the other clusters."""

    at_a_time = None

    def _find(self, sample):
        y = sample.cutouts.data.max(axis=(1, 2))
        return Peaks(y - y.mean(), np.zeros(len(sample), int))


class Greedy(Brightest):
    """Changes what it is given."""

    def predict(self, sample):
        """Change a column."""
        table = super().predict(sample)
        sample.table["snr"] *= 2
        return table


class Unflagged(Brightest):
    """Says nothing of what has no redshift."""

    def _lacking(self, sample, need):
        return super()._lacking(sample, need) & ~PeakFlag.NO_REDSHIFT


class Unknown(Brightest):
    """Has bits of its own."""

    def _find(self, sample):
        found = super()._find(sample)
        return Peaks(found.y, found.flag | 64)


class Nameless(Brightest):
    """Has no name."""

    tag = " "


class Silent(Brightest):
    """Says less than it should."""

    def _extra_meta(self, sample):
        return {}


@pytest.mark.parametrize(
    ("cls", "error", "match"),
    [
        (Keeps, AssertionError, "'factor' is not stored unchanged"),
        (Short, InvalidInputError, "must give Peaks of 2 clusters. Received"),
        (Other, InvalidInputError, "must give Peaks of 2 clusters. Received: array"),
        (Company, AssertionError, "peaks depend on the other clusters: column 'y', by a part"),
        (Greedy, AssertionError, "changed column 'snr'"),
        (Unflagged, AssertionError, "a cluster of redshift = 99 has no flag"),
        (Unknown, AssertionError, "unknown bits"),
        (Nameless, AssertionError, "'tag' must be"),
        (Silent, AssertionError, "meta lacks 'factor'"),
    ],
)
def test_checks_find_what_breaks_the_contract(cls, error, match):
    with pytest.raises(error, match=match):
        all_checks(cls())


def test_estimators_are_found_by_tag():
    assert find_estimator(PEAKS, PeakEstimator, "brightest", factor=3.0).factor == 3.0
    own = Brightest()
    assert find_estimator(PEAKS, PeakEstimator, own) is own
    for estimator, options, error, match in (
        ("brigtest", {}, UnknownNameError, "No peak estimator .*brightest"),
        ("brightest", {"mass": 1}, InvalidInputError, "no option 'mass'. Its options: factor, wei"),
        (own, {"factor": 1}, InvalidInputError, "an estimator already"),
        (3, {}, InvalidInputError, r"must be a tag \(brightest\), or a PeakEstimator. Received: 3"),
    ):
        with pytest.raises(error, match=match):
            find_estimator(PEAKS, PeakEstimator, estimator, **options)
