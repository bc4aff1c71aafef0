"""Mass tables: what comes out of an estimator.

Every estimator gives a `MassTable` with one row per cluster, in the order of the sample, and the
columns of `MASS_COLUMNS`. What could not be weighed keeps its row: the masses are NaN and
``flag`` says why.
"""

from __future__ import annotations  # signatures say ArrayLike, not all that it is

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import astropy.units as u
import numpy as np
from astropy.io.registry import UnifiedReadWriteMethod
from astropy.table import MaskedColumn, QTable, Table
from astropy.table.connect import TableWrite
from numpy.typing import ArrayLike, NDArray

from szmass._tables.columns import FEW_DIGITS, without_few_digits
from szmass._utils.kinds import check_kind
from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.results.flags import flags_in

__all__ = [
    "MASS_COLUMNS",
    "ONE_SIGMA",
    "SCHEMA_VERSION",
    "MassEstimates",
    "MassTable",
    "column_suffix",
    "format_masses",
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


Tables = TypeVar("Tables", bound=Table)

_MASSES = re.compile(r"(mass|mass_errn|mass_errp|mean)(_.*)?|(msz|m500c?|m200[cm])(_err[np]?)?")


def format_masses(table: Tables) -> Tables:
    """Let masses and their errors print with four digits; the values are not changed.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table of masses; columns that have a format keep it.

    Returns
    -------
    `~astropy.table.Table`
        The same table.
    """
    for name in table.colnames:
        info = table[name].info
        if _MASSES.fullmatch(name) and info.format is None and info.dtype.kind == "f":
            info.format = FEW_DIGITS
    return table


class _Write(TableWrite):
    """Write the table in any format that astropy knows, with all digits.

    Elsewhere text formats of astropy write what is shown.

    Parameters
    ----------
    *args : tuple
        As for `astropy.table.Table.write`, the target first.
    **options : dict
        As for `astropy.table.Table.write`.

    Notes
    -----
    Formats of szmass, which keep masks, ``meta`` and flags, are ECSV, FITS, VOTable and CSV.
    """

    _instance: Any

    def __call__(self, *args: Any, **options: Any) -> Any:
        self._instance = without_few_digits(self._instance)
        return super().__call__(*args, **options)


class MassTable(QTable):
    """Table of masses, of one method or of several.

    It is a `~astropy.table.QTable` in all; its ``read`` and ``write`` keep flags, masks of text and
    all of ``meta`` in ECSV, FITS and VOTable, as `read_masses` and `write_masses` do. Masses and
    errors are shown with four digits (``info.format``), and written with all.

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

    write = UnifiedReadWriteMethod(_Write)

    def __getitem__(self, item: Any) -> Any:
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

    Raises
    ------
    InvalidInputError
        An argument does not hold one number per cluster, or they are not of one length.
    InvalidUnitError
        Masses come in a unit that does not convert to solMass.

    Examples
    --------
    >>> import numpy as np
    >>> from szmass.results import MassEstimates, MassFlag
    >>> mass = np.array([4e14, np.nan])
    >>> found = MassEstimates(mass, 0.1 * mass, 0.1 * mass, [0, MassFlag.NO_CUTOUT])
    >>> table = found.to_table(["A", "B"], [0.1, 0.2], "mine", {})
    >>> print(f"{table['mass'][0]:.2g}, {MassFlag.describe(table['flag'][1])}")
    4e+14 solMass, NO_CUTOUT
    """

    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: Any = None
    posterior: Any = None
    mean: Any = None

    def __post_init__(self) -> None:
        for name in ("mass", "errn", "errp", "mean"):
            if name == "mean" and self.mean is None:
                self.mean = np.full(len(self.mass), np.nan)
            setattr(self, name, np.atleast_1d(_solar_masses(getattr(self, name), name)))
        flag = np.zeros(len(self.mass), int) if self.flag is None else self.flag
        try:
            self.flag = np.atleast_1d(flags_in(flag, "flag"))
        except (FileFormatError, ValueError):  # numpy's, of rows of unequal length
            self.flag = None
        if self.flag is None or self.flag.ndim > 1:
            raise InvalidInputError(f"'flag' must hold whole numbers. Received: {flag!r:.80}")
        if self.posterior is not None:
            check_kind(self.posterior, "LogMassPosterior", "posterior", able="quantile")
        parts = [self.mass, self.errn, self.errp, self.flag, self.mean]
        parts += [] if self.posterior is None else [self.posterior]
        if len(lengths := {len(part) for part in parts}) > 1:
            raise InvalidInputError(
                "'mass', 'errn', 'errp', 'flag', 'mean' and 'posterior' must be of one length. "
                f"Received: {lengths}"
            )

    @classmethod
    def unknown(cls, flag: ArrayLike) -> Self:
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
        nan = np.full(np.shape(flag), np.nan)
        return cls(nan, nan.copy(), nan.copy(), flag)

    @classmethod
    def of_posterior(cls, posterior: Any, flag: ArrayLike | None = None) -> Self:
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
        check_kind(posterior, "LogMassPosterior", "posterior", able="quantile")
        quantiles = [0.5 - ONE_SIGMA / 2, 0.5, 0.5 + ONE_SIGMA / 2]
        low, middle, high = posterior.quantile(quantiles).value.T
        flag = np.array(posterior.flag if flag is None else flag)
        mean = posterior.mean_mass().value
        return cls(middle, middle - low, high - middle, flag, posterior, mean)

    def put(self, rows: Any, found: Self) -> None:
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

    def to_table(
        self, names: ArrayLike, redshift: ArrayLike, method: str, meta: Mapping[str, Any]
    ) -> MassTable:
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
        return format_masses(table)


def _solar_masses(value: Any, name: str) -> NDArray[np.float64]:
    """Give masses as floats; what has a unit is converted, plain numbers are in solMass."""
    try:
        if getattr(value, "unit", None) is not None:
            value = as_floats(value, u.solMass, name)
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as err:
        if isinstance(err, InvalidInputError):
            raise
        array = None
    if array is None or array.ndim > 1:
        raise InvalidInputError(
            f"'{name}' must hold one number per cluster, in solMass. Received: {value!r:.80}"
        )
    return array


def column_suffix(method: str) -> str:
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
