"""The checks that estimators of all families share; each family adds what it alone promises."""

import copy
import inspect
import tempfile
import warnings
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._tables.files import read_table, write_table
from szmass.exceptions import SzmassError, UnweighedClustersWarning

__all__ = ["Family", "require"]


def require(condition, message):
    """Raise an AssertionError with a message unless a condition holds.

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


@dataclass(frozen=True)
class Family:
    """What all estimators of a family promise, whose results are tables of one row per cluster.

    A family whose results are something else overrides `predict`, `same` and `check_table`.

    Parameters
    ----------
    base : type
        The class that all of them are sub-classes of.
    columns : sequence of str
        Columns of their tables.
    numbers : sequence of str
        Those that are compared when two tables should be the same, beside ``flag``.
    flags : type
        The bits of ``flag``.
    of : str
        What they tell, in the plural: "masses".
    meta : sequence of str
        What must stand in ``meta``, beside what it holds for all families.
    rtol, atol : float, optional
        How far the last bits of numbers may be apart that are computed in other company.
    """

    base: type
    columns: tuple
    numbers: tuple
    flags: type[IntFlag]
    of: str
    meta: tuple = ()
    rtol: float = 0.0
    atol: float = 0.0

    def predict(self, estimator, sample):
        """Predict without the warning about clusters that nothing is told of.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            The clusters.

        Returns
        -------
        `~astropy.table.QTable`
            What it gives.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnweighedClustersWarning)
            return estimator.predict(sample)

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

    def check_declares_itself(self, estimator):
        """Tag, requirements, references and software are set.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        """
        cls = type(estimator)
        wanted = self.base.__name__
        require(isinstance(estimator, self.base), f"{cls.__name__} is no {wanted}")
        require(isinstance(cls.tag, str) and cls.tag.strip(), "'tag' must be a non-empty string")
        require(isinstance(cls.requires, frozenset), "'requires' must be a frozenset")
        require(isinstance(estimator.needs, frozenset), "'needs' must be a frozenset")
        self.check_texts(estimator, "references", "ADS bibcodes")
        self.check_texts(estimator, "software", "names of packages")
        require(inspect.getdoc(cls), "the class has no docstring")

    def check_texts(self, estimator, name, what):
        """A class attribute is a sequence of texts.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        name, what : str
            The attribute, and what its texts are.
        """
        value = getattr(type(estimator), name)
        texts = not isinstance(value, str) and all(isinstance(r, str) for r in value)
        require(texts, f"{name!r} must be a sequence of {what}")

    def check_options(self, estimator):
        """Take options by keyword alone, keep them unchanged, and rebuild the same estimator.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        """
        cls = type(estimator)
        for name, parameter in inspect.signature(cls).parameters.items():
            keyword_only = parameter.kind is parameter.KEYWORD_ONLY
            require(keyword_only, f"option {name!r} is not keyword-only")
            marker = object()
            require(
                getattr(cls(**{name: marker}), name, None) is marker,
                f"option {name!r} is not stored unchanged under its name",
            )
        require(cls(**estimator.options).options == estimator.options, "options do not round-trip")
        require(repr(estimator).startswith(cls.__name__), "repr does not show the class")

    def check_table(self, estimator, sample):
        """One row per cluster in input order, with the columns of the family and known flags.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.

        Returns
        -------
        `~astropy.table.QTable`
            What it gives.
        """
        table = self.predict(estimator, sample)
        require(isinstance(table, QTable), "predict must return a QTable")
        require(table.colnames == list(self.columns), f"columns are {table.colnames}")
        in_order = list(table["name"]) == list(sample.names)
        require(in_order, "rows are not in the order of the sample")
        require(set(table["method"]) == {estimator.tag}, "'method' is not the tag")
        known = sum(self.flags)
        require(np.all(np.asarray(table["flag"]) & ~known == 0), "unknown bits in 'flag'")
        return table

    def check_rows_are_independent(self, estimator, sample, parts):
        """Order and company of a cluster do not change what is told of it.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.
        parts : sequence of slice
            Which of them to take alone.
        """
        table = self.predict(estimator, sample)
        order = np.random.default_rng(0).permutation(len(sample))
        found, message = self.predict(estimator, sample[order]), f"{self.of} depend on the order"
        self.same(found, table[order], message, exact=False)
        for part in parts:
            found = self.predict(estimator, sample[part])
            message = f"{self.of} depend on the other clusters"
            self.same(found, table[part], message, exact=False)

    def check_one_stops_no_others(self, estimator, sample, cases):
        """Whatever stands in the row of one cluster, the others are told of as without it.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.
        cases : iterable of (str, float, bool)
            A column, or "pixels"; what the first cluster has there; whether that must be flagged.
        """
        rest, complete = slice(1, None), self.predict(estimator, sample)
        for name, value, told in cases:
            bad, case = copy.deepcopy(sample), f"{name} = {value:g}"
            if name == "pixels":
                bad.cutouts.data[0] = value
            else:
                column = bad.table[name]
                column[0] = value if column.unit is None else value * column.unit
            table = self.predict(estimator, bad)
            message = f"a cluster of {case} changes the others"
            self.same(table[rest], complete[rest], message, exact=False)
            require(not told or table["flag"][0] != 0, f"a cluster of {case} has no flag")

    def check_repeats(self, estimator, sample):
        """Twice the same input gives twice the same answer, and the input stays as it was.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.
        """
        before = copy.deepcopy(sample.table), sample.cutouts.data.copy()
        first = self.predict(estimator, sample)
        self.same(first, self.predict(estimator, sample), "predict is not repeatable")
        again = self.predict(copy.deepcopy(estimator), sample)
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

    def check_whole_input(self, estimator, sample):
        """No cutouts attached, or no such column: an error that says so.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.
        """
        for need in sorted(estimator.needs - {"redshift"}):
            lacking, word = copy.deepcopy(sample), need
            if need in ("cutout", "complete_cutout"):
                lacking.cutouts, word = None, "cutouts"
            else:
                lacking.table.remove_column(need)
            try:
                self.predict(estimator, lacking)
            except SzmassError as err:
                require(word in str(err), f"the error does not name {word!r}: {err}")
            else:
                raise AssertionError(f"no error though the sample lacks {word!r}")

    def check_empty(self, estimator, sample):
        """No clusters give no rows.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.
        """
        table = estimator.predict(sample[:0])
        require(len(table) == 0, "an empty sample gave rows")
        require(table.colnames == list(self.columns), "an empty sample gave other columns")

    def check_meta(self, estimator, sample):
        """``meta`` says what the numbers were made with, and ECSV, FITS and VOTable keep it.

        Parameters
        ----------
        estimator : instance of ``base``
            The estimator.
        sample : `~szmass.clusters.ClusterSample`
            Clusters that it can take.

        Returns
        -------
        dict
            The ``meta``.
        """
        table = self.predict(estimator, sample)
        everywhere = ("method", "estimator", "references", "software", "szmass_version", "date")
        for key in (*everywhere, *self.meta):
            require(key in table.meta, f"meta lacks {key!r}")
        with tempfile.TemporaryDirectory() as folder:
            for suffix in (".ecsv", ".fits", ".vot"):
                path = Path(folder) / f"table{suffix}"
                write_table(table, path)
                back = read_table(path)
                require(back.meta == table.meta, f"meta does not survive {suffix}")
                self.same(back, table, f"{self.of} do not survive {suffix}")
        return table.meta
