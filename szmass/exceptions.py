"""Errors and warnings that szmass raises.

Every error is a `SzmassError` and at the same time the built-in kind a caller
would expect (`ValueError`, `LookupError`, `OSError`, ...), so that both
``except SzmassError`` and ``except ValueError`` work.
"""

from astropy.units import UnitsError
from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    "CardMismatchError",
    "DiskSpaceError",
    "DuplicateNameError",
    "FileFormatError",
    "IntegrityError",
    "InvalidInputError",
    "InvalidUnitError",
    "MissingDependencyError",
    "MixedScalesWarning",
    "RemoteDataError",
    "SzmassError",
    "SzmassWarning",
    "TrainingError",
    "UnknownNameError",
    "UnweighedClustersWarning",
    "WorkerError",
]


class SzmassError(Exception):
    """Base class of all errors of szmass."""


class InvalidInputError(SzmassError, ValueError):
    """An argument has a value that cannot be used; the message names it and what is expected."""


class InvalidUnitError(InvalidInputError, UnitsError):
    """An argument has no unit, or a unit of another physical kind."""


class FileFormatError(SzmassError, ValueError):
    """A file exists but is not what it should be (truncated, other columns, no WCS)."""


class RemoteDataError(SzmassError, OSError):
    """A server did not answer, or answered with something else than asked for."""


class IntegrityError(SzmassError, OSError):
    """A file's SHA-256 is not the one on record."""


class DiskSpaceError(SzmassError, OSError):
    """There is not enough room for a file; the message says how much is missing, and where."""


class UnknownNameError(SzmassError, LookupError):
    """No estimator, profile, relation or catalogue of that name; the message lists them."""


class DuplicateNameError(SzmassError, ValueError):
    """A name is registered a second time."""


class CardMismatchError(SzmassError, ValueError):
    """A cutout differs from what the model card of a network says it was trained on."""


class MissingDependencyError(SzmassError, ImportError):
    """An optional package is not installed; the message gives the pip command."""


class WorkerError(SzmassError, RuntimeError):
    """A process that made part of a data set ended before it was done."""


class TrainingError(SzmassError, RuntimeError):
    """A network could not be trained: its loss became NaN, or a run was lost."""


class SzmassWarning(AstropyUserWarning):
    """Base class of all warnings of szmass.

    Examples
    --------
    >>> import warnings
    >>> from szmass.exceptions import SzmassWarning
    >>> warnings.simplefilter("error", SzmassWarning)  # doctest: +SKIP
    >>> issubclass(SzmassWarning, UserWarning)
    True
    """


class UnweighedClustersWarning(SzmassWarning):
    """Some clusters could not be weighed; their rows carry NaN and a flag.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.exceptions import UnweighedClustersWarning
    >>> sample = make_check_sample(3)
    >>> sample.table["redshift"][1] = np.ma.masked
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnweighedClustersWarning)
    ...     table = estimate_masses(sample, "scaling")
    >>> print(table["flag_scaling"].tolist())
    [0, 1, 0]
    """


class MixedScalesWarning(SzmassWarning):
    """The masses of one table are on different scales, such as 1-b = 1 and 1-b = 0.8."""
