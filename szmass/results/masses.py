"""What comes out of an estimator: the mass-table schema, its flags, and tables side by side.

Every estimator gives a `~astropy.table.QTable` with one row per cluster, in the
order of the sample, and the columns of `MASS_COLUMNS`. What could not be
weighed keeps its row: the masses are NaN and ``flag`` says why.
"""

import enum
import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass._io.tables import read_table, write_table
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

__all__ = [
    "MASS_COLUMNS",
    "MassEstimates",
    "MassFlag",
    "one_method",
    "read_masses",
    "side_by_side",
    "write_masses",
]

# Version of the columns and their meaning, in ``meta["schema_version"]``.
SCHEMA_VERSION = 1


class MassFlag(enum.IntFlag):
    """Bits of the column ``flag``; 0 means that nothing is to be said."""

    NO_REDSHIFT = 1  #: The cluster has no redshift and the estimator needs one.
    REDSHIFT_OUT_OF_RANGE = 2  #: The redshift is outside the range the estimator was made for.
    NO_CUTOUT = 4  #: The map does not cover the cluster at all.
    INCOMPLETE_CUTOUT = 8  #: The map covers only a part of the cutout.
    NO_MEASUREMENT = 16  #: A catalogue value that the estimator needs is missing.
    NOT_POSITIVE = 32  #: A value that must be positive, such as Y, is not.
    EXTRAPOLATED = 64  #: The mass is outside the range the estimator was made for.
    NO_ERROR = 128  #: There is a mass but no known error.
    BLENDED = 256  #: A neighbour in the field changes the signal by more than its error.
    CUTOUT_TOO_SMALL = 512  #: The cluster reaches beyond the cutout: only a part of it was used.
    NO_MATCH = 1024  #: The cluster is not in the table that masses are looked up in.
    OUT_OF_DOMAIN = 2048  #: The cutout looks unlike those that the network was trained on.

    @classmethod
    def describe(cls, value):
        """Name the bits of a flag.

        Parameters
        ----------
        value : int
            A value of the column ``flag``.

        Returns
        -------
        str
            Names joined by ``|``, empty for 0.
        """
        return "|".join(bit.name for bit in cls if int(value) & bit)


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
COLUMNS_OF_A_METHOD = ("mass", "mass_errn", "mass_errp", "flag")


@dataclass
class MassEstimates:
    """Plain arrays that an estimator fills, one entry per cluster.

    Parameters
    ----------
    mass, errn, errp : array-like
        Mass and its lower and upper 68 % distances [solMass]; NaN where unknown.
    flag : array-like of int, optional
        Bits of `MassFlag`.
    """

    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray | None = None

    def __post_init__(self):
        for name in ("mass", "errn", "errp"):
            setattr(self, name, np.atleast_1d(np.asarray(getattr(self, name), dtype=float)))
        flag = np.zeros(len(self.mass), int) if self.flag is None else self.flag
        self.flag = np.atleast_1d(np.asarray(flag, dtype=int))
        lengths = {len(getattr(self, name)) for name in ("mass", "errn", "errp", "flag")}
        if len(lengths) > 1:
            raise InvalidInputError(
                f"'mass', 'errn', 'errp' and 'flag' must be of one length. Received: {lengths}"
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
        `~astropy.table.QTable`
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
        table = QTable(meta={"schema_version": SCHEMA_VERSION, **meta}, masked=False)
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


def side_by_side(tables):
    """Join the mass tables of several methods: one row per cluster, columns per method.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Mass tables of the same clusters in the same order, by method.

    Returns
    -------
    `~astropy.table.QTable`
        Columns ``name``, ``redshift``, and for each method ``mass_<method>``,
        ``mass_errn_<method>``, ``mass_errp_<method>``, ``flag_<method>``. The methods' own
        ``meta`` stand in ``meta["methods"]``.

    Raises
    ------
    InvalidInputError
        The tables are not of the same clusters, or two methods would share a column name.
    """
    if not tables:
        raise InvalidInputError("'tables' must hold at least one mass table.")
    first = next(iter(tables.values()))
    joined = QTable()
    joined["name"], joined["redshift"] = first["name"], first["redshift"]
    for method, table in tables.items():
        if len(table) != len(first) or np.any(table["name"] != first["name"]):
            raise InvalidInputError(
                f"The table of {method!r} does not hold the clusters of the first in their order."
            )
        suffix = column_suffix(method)
        if f"mass_{suffix}" in joined.colnames:
            raise InvalidInputError(f"Two methods would share the column name 'mass_{suffix}'.")
        for name in COLUMNS_OF_A_METHOD:
            joined[f"{name}_{suffix}"] = table[name]
            joined[f"{name}_{suffix}"].info.description = f"{MASS_COLUMNS[name][1]} ({method})"
    joined.meta["schema_version"] = SCHEMA_VERSION
    joined.meta["methods"] = {method: dict(table.meta) for method, table in tables.items()}
    return joined


def one_method(table, method):
    """Take the mass table of one method out of a table of several.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        As `side_by_side` makes it.
    method : str
        Name of the method, as in ``table.meta["methods"]``.

    Returns
    -------
    `~astropy.table.QTable`
        With the columns of `MASS_COLUMNS`.

    Raises
    ------
    FileFormatError
        The table has no such method; the message lists those it has.
    """
    suffix = column_suffix(method)
    if f"mass_{suffix}" not in table.colnames:
        raise FileFormatError(
            f"The table has no masses of method {method!r}. "
            f"It has: {', '.join(table.meta.get('methods', {})) or 'none'}."
        )
    lost = [
        name
        for name in ("name", "redshift", *(f"{c}_{suffix}" for c in COLUMNS_OF_A_METHOD))
        if name not in table.colnames
    ]
    if lost:
        raise FileFormatError(
            f"The table lacks the column {lost[0]!r} of method {method!r}. If it is from an older "
            "version of szmass, read it with szmass.results.read_masses."
        )
    single = QTable(meta=dict(table.meta.get("methods", {}).get(method, {})))
    single["name"], single["redshift"] = table["name"], table["redshift"]
    for name in ("mass", "mass_errn", "mass_errp"):
        single[name] = table[f"{name}_{suffix}"]
    single["method"] = np.full(len(table), method)
    single["flag"] = table[f"flag_{suffix}"]
    return single


def read_masses(path, *, format=None):
    """Read a mass table, of one method or of several, and bring it to the present schema.

    Parameters
    ----------
    path : path-like
        An ECSV, FITS, VOTable or CSV file.
    format : str, optional
        ``"ecsv"``, ``"fits"``, ``"votable"`` or ``"csv"``, where the suffix does not say.

    Returns
    -------
    `~astropy.table.QTable`
        With masses in solMass and all columns of the schema; others are kept as they are.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    FileFormatError
        It is damaged, no mass table, or of a later version of szmass.
    InvalidUnitError
        A mass has another unit, or none and numbers that cannot be in solMass.

    Warns
    -----
    SzmassWarning
        Columns that the schema has were missing and have been added: errors as NaN with the flag
        ``NO_ERROR``, flags as 0, redshifts as unknown. ``meta["added_columns"]`` lists them.
    """
    from szmass.results._mass_files import completed

    table, note = completed(read_table(path, format=format), str(path))
    if note:
        warnings.warn(note, SzmassWarning, stacklevel=2)
    return table


def write_masses(table, path, *, overwrite=False, format=None):
    """Write a mass table, completely or not at all.

    In contrast to the method ``write`` of the table, this keeps the masks of text and bool columns
    and all of ``meta`` in FITS and VOTable, and says in both what the columns are (UCDs).

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table; any other table will do as well.
    path : path-like
        The target: ``.ecsv``, ``.fits``, ``.vot`` or ``.csv``.
    overwrite : bool, optional
        Replace an existing file.
    format : str, optional
        The format, where the suffix does not say.

    Raises
    ------
    InvalidInputError
        The format is not known or cannot hold the table, the file exists, or its folder does not.

    Warns
    -----
    SzmassWarning
        The format is CSV, which keeps neither units nor ``meta``.
    """
    write_table(table, path, overwrite=overwrite, format=format)
