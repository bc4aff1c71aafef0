"""The checks that estimators of all families share; each family adds what it alone promises."""

import copy
import inspect
import tempfile
import warnings
from functools import cached_property
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._tables.files import read_table, write_table
from szmass._utils.docs import InheritsDocstrings
from szmass.estimators.contract import Estimator
from szmass.exceptions import SzmassError, UnweighedClustersWarning

__all__ = ["ContractChecks", "require"]


def require(condition, message):
    """Raise an error unless a condition holds.

    Parameters
    ----------
    condition : bool
        What must hold.
    message : str
        What is wrong if it does not.

    Raises
    ------
    AssertionError
        It does not hold.
    """
    if not condition:
        raise AssertionError(message)


class ContractChecks(InheritsDocstrings):
    """What all estimators of a family promise; each check raises AssertionError where it fails.

    A sub-class says by the class attributes what the tables of its family are, makes a sample, and
    adds checks of its own: methods without arguments whose names begin with ``check_``. A family
    whose results are no tables of one row per cluster overrides `predict` and the checks of tables.

    Parameters
    ----------
    estimator : Estimator
        An instance, with the options under which it is to be checked.
    sample : `~szmass.clusters.ClusterSample`, optional
        Clusters that it can take, with cutouts; by default those of `make_sample`.
    """

    #: The class that all of the family are sub-classes of.
    base = Estimator
    #: Columns of their tables.
    columns = ()
    #: Those that are compared when two tables should be the same, beside ``flag``.
    numbers = ()
    #: The bits of ``flag``.
    flags = ()
    #: What they tell, in the plural.
    told = "results"
    #: What must stand in ``meta`` in all families, and in this one.
    meta_of_all = ("method", "estimator", "references", "software", "szmass_version", "date")
    meta = ()
    #: How far numbers may be apart that are computed in other company: relative, and absolute.
    rtol, atol = 0.0, 0.0
    #: Clusters that are taken alone, to see whether others matter.
    parts = (slice(0, 1), slice(1, None))

    def __init__(self, estimator, sample=None):
        self.estimator = estimator
        self.sample = self.make_sample() if sample is None else copy.deepcopy(sample)

    @classmethod
    def functions(cls):
        """Give the checks as functions of an estimator, and a sample if others are to be taken.

        Returns
        -------
        tuple of callable
            For ``pytest.mark.parametrize``; those of all families first.
        """
        names = (name for base in reversed(cls.__mro__) for name in vars(base))
        return tuple(_as_function(cls, n) for n in dict.fromkeys(names) if n.startswith("check_"))

    def make_sample(self):
        """Make clusters that all estimators of the family can take.

        Returns
        -------
        `~szmass.clusters.ClusterSample`
            The sample.
        """
        raise NotImplementedError

    def cases(self):
        """Give what may stand in the row of one cluster.

        Returns
        -------
        list of (str, float, bool)
            A column, or "pixels"; a value; whether the estimator must flag it.
        """
        needs = self.estimator.needs
        columns = sorted(set(needs) & set(self.sample.table.colnames) - {"redshift"})
        cases = [("redshift", z, "redshift" in needs) for z in (0.0, 99.0, np.nan)]
        cases += [(name, value, True) for name in columns for value in (np.nan, 0.0)]
        looks = bool({"cutout", "complete_cutout"} & needs)
        return cases + [("pixels", v, True) for v in (np.nan, 0.0, 1e30) if looks]

    @cached_property
    def result(self):
        """What the estimator gives for the sample."""
        return self.predict(self.sample)

    def predict(self, sample):
        """Predict without the warning about clusters that nothing is told of.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters.

        Returns
        -------
        `~astropy.table.QTable`
            What the estimator gives.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnweighedClustersWarning)
            return self.estimator.predict(sample)

    def same(self, a, b, message, *, exact=True):
        """Require that two tables have the same numbers and flags.

        Parameters
        ----------
        a, b : `~astropy.table.QTable`
            The tables.
        message : str
            What is wrong if they do not.
        exact : bool, optional
            Whether to the last bit.

        Raises
        ------
        AssertionError
            They have not; with the column, and by how much it differs.
        """
        rtol, atol = (0.0, 0.0) if exact else (self.rtol, self.atol)
        for name in self.numbers:
            x = u.Quantity(a[name])
            x, y = x.value, u.Quantity(b[name]).to_value(x.unit)
            if not np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True):
                with np.errstate(invalid="ignore", divide="ignore"):
                    change = np.nanmax(np.abs(x / y - 1), initial=0.0)
                raise AssertionError(f"{message}: column {name!r}, by a part of up to {change:.1g}")
        require(np.array_equal(a["flag"], b["flag"]), f"{message}: column 'flag'")

    def require_texts(self, name, what):
        """Require that a class attribute is a sequence of texts.

        Parameters
        ----------
        name, what : str
            The attribute, and what its texts are.
        """
        value = getattr(type(self.estimator), name)
        texts = not isinstance(value, str) and all(isinstance(r, str) for r in value)
        require(texts, f"{name!r} must be a sequence of {what}")

    def check_declares_itself(self):
        """Tag, requirements, references and software are set."""
        cls = type(self.estimator)
        wanted = self.base.__name__
        require(isinstance(self.estimator, self.base), f"{cls.__name__} is no {wanted}")
        require(isinstance(cls.tag, str) and cls.tag.strip(), "'tag' must be a non-empty string")
        require(isinstance(cls.requires, frozenset), "'requires' must be a frozenset")
        require(isinstance(self.estimator.needs, frozenset), "'needs' must be a frozenset")
        self.require_texts("references", "ADS bibcodes")
        self.require_texts("software", "names of packages")
        require(inspect.getdoc(cls), "the class has no docstring")

    def check_options_are_stored_as_given(self):
        """Take options by keyword alone, keep them unchanged, and rebuild the same estimator."""
        cls = type(self.estimator)
        for name, parameter in inspect.signature(cls).parameters.items():
            keyword_only = parameter.kind is parameter.KEYWORD_ONLY
            require(keyword_only, f"option {name!r} is not keyword-only")
            marker = object()
            require(
                getattr(cls(**{name: marker}), name, None) is marker,
                f"option {name!r} is not stored unchanged under its name",
            )
        options = self.estimator.options
        require(cls(**options).options == options, "options do not round-trip")
        require(repr(self.estimator).startswith(cls.__name__), "repr does not show the class")

    def check_table_has_the_columns(self):
        """One row per cluster in input order, with the columns of the family and known flags."""
        table = self.result
        require(isinstance(table, QTable), "predict must return a QTable")
        require(table.colnames == list(self.columns), f"columns are {table.colnames}")
        in_order = list(table["name"]) == list(self.sample.names)
        require(in_order, "rows are not in the order of the sample")
        require(set(table["method"]) == {self.estimator.tag}, "'method' is not the tag")
        known = sum(self.flags)
        require(np.all(np.asarray(table["flag"]) & ~known == 0), "unknown bits in 'flag'")

    def check_rows_are_independent(self):
        """Order and company of a cluster do not change what is told of it."""
        table = self.predict(self.sample)
        order = np.random.default_rng(0).permutation(len(self.sample))
        found, message = self.predict(self.sample[order]), f"{self.told} depend on the order"
        self.same(found, table[order], message, exact=False)
        for part in self.parts:
            found = self.predict(self.sample[part])
            message = f"{self.told} depend on the other clusters"
            self.same(found, table[part], message, exact=False)

    def check_one_cluster_stops_no_others(self):
        """Whatever stands in the row of one cluster, the others are told of as without it."""
        rest, complete = slice(1, None), self.predict(self.sample)
        for name, value, flagged in self.cases():
            bad, case = copy.deepcopy(self.sample), f"{name} = {value:g}"
            if name == "pixels":
                bad.cutouts.data[0] = value
            else:
                column = bad.table[name]
                column[0] = value if column.unit is None else value * column.unit
            table = self.predict(bad)
            message = f"a cluster of {case} changes the others"
            self.same(table[rest], complete[rest], message, exact=False)
            require(not flagged or table["flag"][0] != 0, f"a cluster of {case} has no flag")

    def check_predict_is_repeatable(self):
        """Twice the same input gives twice the same answer, and the input stays as it was."""
        sample = self.sample
        before = copy.deepcopy(sample.table), sample.cutouts.data.copy()
        first = self.predict(sample)
        self.same(first, self.predict(sample), "predict is not repeatable")
        again = type(self)(copy.deepcopy(self.estimator), sample).predict(sample)
        self.same(first, again, "a copy predicts something else")
        columns = sample.table.colnames == before[0].colnames
        require(columns, "predict changed the sample's columns")
        for name in before[0].colnames:
            now, then = sample.table[name], before[0][name]
            if not isinstance(now, SkyCoord):
                unknown = (now != now) & (then != then)
                require(np.all((now == then) | unknown), f"predict changed column {name!r}")
        unchanged = np.array_equal(sample.cutouts.data, before[1], equal_nan=True)
        require(unchanged, "predict changed the cutouts")

    def check_whole_input_missing_is_an_error(self):
        """No cutouts attached, or no such column: an error that says so."""
        for need in sorted(self.estimator.needs - {"redshift"}):
            lacking, word = copy.deepcopy(self.sample), need
            if need in ("cutout", "complete_cutout"):
                lacking.cutouts, word = None, "cutouts"
            else:
                lacking.table.remove_column(need)
            try:
                self.predict(lacking)
            except SzmassError as err:
                require(word in str(err), f"the error does not name {word!r}: {err}")
            else:
                raise AssertionError(f"no error though the sample lacks {word!r}")

    def check_empty_sample(self):
        """No clusters give no rows."""
        table = self.estimator.predict(self.sample[:0])
        require(len(table) == 0, "an empty sample gave rows")
        require(table.colnames == list(self.columns), "an empty sample gave other columns")

    def check_meta_is_complete_and_survives(self):
        """Say in ``meta`` what numbers were made with, so that ECSV, FITS and VOTable keep it."""
        table = self.result
        for key in (*self.meta_of_all, *self.meta):
            require(key in table.meta, f"meta lacks {key!r}")
        with tempfile.TemporaryDirectory() as folder:
            for suffix in (".ecsv", ".fits", ".vot"):
                path = Path(folder) / f"table{suffix}"
                write_table(table, path)
                back = read_table(path)
                require(back.meta == table.meta, f"meta does not survive {suffix}")
                self.same(back, table, f"{self.told} do not survive {suffix}")


def _as_function(cls, name):
    def check(estimator, sample=None):
        getattr(cls(estimator, sample), name)()

    check.__name__ = check.__qualname__ = name
    check.__doc__ = getattr(cls, name).__doc__
    return check
