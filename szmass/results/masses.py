"""Mass tables: what comes out of an estimator.

Every estimator gives a `MassTable` with one row per cluster, in the order of the sample, and the
columns of `MASS_COLUMNS`. What could not be weighed keeps its row: the masses are NaN and
``flag`` says why.
"""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass._utils.names import did_you_mean
from szmass.exceptions import InvalidInputError, UnknownNameError

__all__ = [
    "MASS_COLUMNS",
    "ONE_SIGMA",
    "SCHEMA_VERSION",
    "MassEstimates",
    "MassTable",
    "column_suffix",
]

#: Version of the columns and of the meta of a mass table, in ``meta["schema_version"]``.
SCHEMA_VERSION = 2

#: Probability inside one standard deviation of a normal distribution.
ONE_SIGMA = 0.682689492137086

#: Column name to (unit, description): the schema of every mass table.
MASS_COLUMNS = {
    "name": (None, "Name of the cluster"),
    "redshift": (None, "Redshift, masked where unknown"),
    "mass": (u.solMass, "Mass, NaN where the cluster could not be weighed"),
    "mass_errn": (u.solMass, "Distance from the mass down to the 16 % quantile"),
    "mass_errp": (u.solMass, "Distance from the mass up to the 84 % quantile"),
    "method": (None, "Name of the estimator"),
    "flag": (None, "Sum of bits, see szmass.results.MassFlag"),
}


class MassTable(QTable):
    """Table of masses, of one method or of several.

    It is a `~astropy.table.QTable` in all; its ``read`` and ``write`` keep flags, masks of text and
    all of ``meta`` in ECSV, FITS and VOTable, as `read_masses` and `write_masses` do.

    Parameters
    ----------
    data, masked, names, dtype, meta, copy, rows, copy_indices, units, descriptions : optional
        As in `~astropy.table.QTable`.
    **kwargs : dict
        As in `~astropy.table.QTable`.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> table = estimate_masses(make_check_sample(3), "scaling")
    >>> table.write("masses.fits")  # doctest: +SKIP
    >>> type(table).__name__, len(table)
    ('MassTable', 3)
    """

    def __getitem__(self, item):
        try:
            return super().__getitem__(item)
        except KeyError:
            if not isinstance(item, str) or item in self.colnames:
                raise
        hint = did_you_mean(item, self.colnames)
        if "name" in self.colnames and item in self.columns["name"]:
            hint = f" The row of that name is table[table['name'] == {item!r}]."
        raise _NoColumnError(
            f"The table has no column {item!r}.{hint} It has {', '.join(self.colnames)}."
        )


class _NoColumnError(UnknownNameError, KeyError):
    """No column of that name; also what astropy expects where there is none."""

    __str__ = Exception.__str__


@dataclass
class MassEstimates:
    """Plain arrays that an estimator fills, one entry per cluster.

    Parameters
    ----------
    mass, errn, errp : array-like
        Mass and its lower and upper 68 % distances [solMass]; NaN where unknown.
    flag : array-like of int, optional
        Bits of `MassFlag`.
    posterior : `~szmass.results.LogMassPosterior`, optional
        What the masses were taken from, one row per cluster.
    mean : array-like, optional
        Mean of M [solMass], where there is a posterior.
    """

    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray | None = None
    posterior: object = None
    mean: np.ndarray | None = None

    def __post_init__(self):
        if self.mean is None:
            self.mean = np.full(np.shape(self.mass), np.nan)
        for name in ("mass", "errn", "errp", "mean"):
            setattr(self, name, np.atleast_1d(np.asarray(getattr(self, name), dtype=float)))
        flag = np.zeros(len(self.mass), int) if self.flag is None else self.flag
        self.flag = np.atleast_1d(np.asarray(flag, dtype=int))
        parts = (self.mass, self.errn, self.errp, self.flag, self.mean)
        parts += () if self.posterior is None else (self.posterior,)
        if len(lengths := {len(part) for part in parts}) > 1:
            raise InvalidInputError(
                "'mass', 'errn', 'errp', 'flag', 'mean' and 'posterior' must be of one length. "
                f"Received: {lengths}"
            )

    @classmethod
    def unknown(cls, flag):
        """Make estimates that are all NaN.

        Parameters
        ----------
        flag : array-like of int
            Why, one entry per cluster.

        Returns
        -------
        MassEstimates
            As many as there are flags.
        """
        nan = np.full(len(flag), np.nan)
        return cls(nan, nan.copy(), nan.copy(), np.array(flag))

    @classmethod
    def of_posterior(cls, posterior, flag=None):
        """Take medians and the 16-84 % intervals about them from posteriors.

        Parameters
        ----------
        posterior : `~szmass.results.LogMassPosterior`
            One row per cluster.
        flag : array-like of int, optional
            Bits of `MassFlag`; by default those of the posterior.

        Returns
        -------
        MassEstimates
            With the posterior in it, and the mean of M.

        Examples
        --------
        >>> import numpy as np
        >>> from szmass.results import LogMassPosterior, MassEstimates
        >>> posterior = LogMassPosterior([14.0, 14.5, 15.0], [[0, 1, 0]], np.ones(3))
        >>> round(float(np.log10(MassEstimates.of_posterior(posterior).mass[0])), 3)
        14.5
        """
        quantiles = [0.5 - ONE_SIGMA / 2, 0.5, 0.5 + ONE_SIGMA / 2]
        low, middle, high = posterior.quantile(quantiles).value.T
        flag = np.array(posterior.flag if flag is None else flag)
        mean = posterior.mean_mass().value
        return cls(middle, middle - low, high - middle, flag, posterior, mean)

    def put(self, rows, found):
        """Fill in what was found for some of the clusters.

        Parameters
        ----------
        rows : array-like
            Numbers of these clusters, or a slice.
        found : MassEstimates
            One entry for each; its posterior is left out.
        """
        for name in ("mass", "errn", "errp", "flag", "mean"):
            getattr(self, name)[rows] = getattr(found, name)

    def to_table(self, names, redshift, method, meta):
        """Build the mass table.

        Parameters
        ----------
        names : array-like of str
            Names of the clusters.
        redshift : array-like of float
            Redshifts, NaN where unknown.
        method : str
            Name of the estimator.
        meta : dict
            What the numbers were made with.

        Returns
        -------
        MassTable
            With the columns of `MASS_COLUMNS`.
        """
        n = len(self.mass)
        values = {
            "name": np.asarray(names, dtype=str),
            "redshift": MaskedColumn(redshift, dtype=float, mask=np.isnan(redshift)),
            "mass": self.mass,
            "mass_errn": self.errn,
            "mass_errp": self.errp,
            "method": np.full(n, method),
            "flag": self.flag,
        }
        table = MassTable(meta={"schema_version": SCHEMA_VERSION, **meta}, masked=False)
        for name, (unit, description) in MASS_COLUMNS.items():
            table[name] = values[name] if unit is None else u.Quantity(values[name], unit)
            table[name].info.description = description
        return table


def column_suffix(method):
    """Turn a method's name into the ending of its columns in a table of several methods.

    Parameters
    ----------
    method : str
        For instance ``"cnn-deandres2022"``.

    Returns
    -------
    str
        For instance ``"cnn_deandres2022"``: safe as a column name in FITS and VOTable.
    """
    return "".join(c if c.isalnum() else "_" for c in method)
