"""1-b and scaling relations: power laws between masses with errors in both and scatter."""

from dataclasses import dataclass
from numbers import Real

import astropy.units as u
import numpy as np
from astropy.table import QTable
from scipy.special import ndtr

from szmass._utils.quantities import as_floats
from szmass.comparison._structural import ALPHA, BETA, LN_SIGMA, LineLikelihood
from szmass.exceptions import InvalidInputError

__all__ = ["RelationFit", "fit_mass_ratio", "fit_relation"]

_METHODS = ("profile", "bootstrap")


@dataclass(frozen=True, kw_only=True)
class RelationFit:
    """A fitted power law y = value (x / pivot)^slope with log-normal scatter.

    Errors are the distances to the ends of the 68 % interval. An error of ``inf`` says that the
    data do not limit the parameter on that side.

    Parameters
    ----------
    value, errn, errp : float or `~astropy.units.Quantity`
        exp(mean of ln y) at the pivot, and its errors; for masses the ratio, which is 1-b.
    scatter, scatter_errn, scatter_errp : float
        Standard deviation of ln y at fixed x, without measurement errors.
    slope, slope_errn, slope_errp : float
        The exponent; its errors are 0 where it was given.
    pivot : `~astropy.units.Quantity`
        Where ``value`` is.
    n : int
        Number of objects.
    method : str
        ``"profile"`` or ``"bootstrap"``.
    selection : str
        The selection cut in words; "none" without one.
    """

    value: float | u.Quantity
    errn: float | u.Quantity
    errp: float | u.Quantity
    scatter: float
    scatter_errn: float
    scatter_errp: float
    slope: float
    slope_errn: float
    slope_errp: float
    pivot: u.Quantity
    n: int
    method: str
    selection: str = "none"

    def to_table(self):
        """Give the result as a table of one row, to be written or stacked.

        Returns
        -------
        `~astropy.table.QTable`
            A column per attribute.
        """
        return QTable({name: [value] for name, value in vars(self).items()})

    def __repr__(self):
        slope = f"slope {self.slope:.4g}" + (
            f" -{self.slope_errn:.2g} +{self.slope_errp:.2g}" if self.slope_errp else " (given)"
        )
        cut = "" if self.selection == "none" else f", {self.selection}"
        return (
            f"<RelationFit: {self.value:.4g} -{self.errn:.2g} +{self.errp:.2g} at "
            f"{self.pivot:.4g}, {slope}, scatter {self.scatter:.3g} -{self.scatter_errn:.2g} "
            f"+{self.scatter_errp:.2g} in ln, {self.n} objects{cut}, {self.method}>"
        )


def fit_mass_ratio(
    mass_a,
    mass_b,
    *,
    err_a=None,
    err_b=None,
    slope=1.0,
    pivot=None,
    min_a=None,
    min_b=None,
    method="profile",
    n_bootstrap=300,
    seed=0,
):
    """Fit the ratio of two masses of the same clusters: 1-b where b are the true masses.

    Parameters
    ----------
    mass_a, mass_b : `~astropy.units.Quantity`, shape (N,)
        The masses, for instance ``msz`` and the lensing masses, of one mass definition.
    err_a, err_b : `~astropy.units.Quantity` or tuple of two, optional
        Their errors, or (errn, errp). None says that the masses are exact.
    slope : float or None, optional
        The exponent of M_b in M_a, None to fit it.
    pivot : `~astropy.units.Quantity`, optional
        The M_b at which the ratio is given; by default the geometric mean of ``mass_b``. With
        a slope of 1 it does not matter.
    min_a, min_b : `~astropy.units.Quantity`, optional
        Selection cut in the measured M_a, or M_b; see `fit_relation`.
    method, n_bootstrap, seed : optional
        See `fit_relation`.

    Returns
    -------
    RelationFit
        ``value`` is exp(mean of ln(M_a / M_b)) at the pivot.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        See `fit_relation`.

    Notes
    -----
    Without a cut and with a given slope this is the mean of ln(M_a / M_b), weighted with the
    inverse of (errors^2 + scatter^2), the scatter being fitted; nothing is assumed about how
    the masses are distributed.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.comparison import fit_mass_ratio
    >>> rng = np.random.default_rng(1)
    >>> truth = 6e14 * np.exp(0.4 * rng.normal(size=65)) * u.solMass
    >>> lensing = truth * np.exp(0.2 * rng.normal(size=65))
    >>> msz = 0.75 * truth * np.exp(0.2 * rng.normal(size=65))
    >>> fit = fit_mass_ratio(msz, lensing, err_b=0.2 * lensing)
    >>> bool(abs(fit.value - 0.75) < 4 * fit.errp)
    True
    """
    return _fit(
        _LogVariable(mass_a, err_a, min_a, u.solMass, ("mass_a", "err_a", "min_a")),
        _LogVariable(mass_b, err_b, min_b, u.solMass, ("mass_b", "err_b", "min_b")),
        slope=slope,
        pivot=pivot,
        ratio=True,
        method=method,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def fit_relation(
    y,
    x,
    *,
    err_y=None,
    err_x=None,
    slope=None,
    pivot=None,
    min_y=None,
    min_x=None,
    method="profile",
    n_bootstrap=300,
    seed=0,
):
    """Fit a power law y = A (x / pivot)^slope with errors in both, scatter, and a selection cut.

    Parameters
    ----------
    y, x : `~astropy.units.Quantity`, shape (N,)
        The measured values, positive.
    err_y, err_x : `~astropy.units.Quantity` or tuple of two, optional
        Their errors, or (errn, errp). None says that the values are exact.
    slope : float, optional
        The exponent; None to fit it.
    pivot : `~astropy.units.Quantity`, optional
        Where A is given; by default the geometric mean of ``x``.
    min_y, min_x : `~astropy.units.Quantity`, optional
        Only objects with a measured value above this are in the sample, one number or one
        per object. Not both.
    method : {"profile", "bootstrap"}, optional
        Errors from the profile likelihood, or as a cross-check from fits to samples drawn
        from this one with replacement.
    n_bootstrap : int, optional
        How many samples.
    seed : int, optional
        Seed of their random numbers.

    Returns
    -------
    RelationFit
        ``value`` is A.

    Raises
    ------
    InvalidInputError
        A value or an error is masked, NaN or not positive, an object is below the cut, the
        lengths differ, or the objects are no more than the parameters.
    InvalidUnitError
        A unit is missing or does not convert.

    Notes
    -----
    The model (Kelly 2007, with one Gaussian): ln x is normally distributed among all objects,
    ln y at fixed x is normal around the line with the scatter, the measured logarithms are
    normal around the true ones. The errors of a value v become arcsinh((errn + errp) / (2 v)),
    which is (errn + errp) / (2 v) if that is small, and the standard deviation of ln v if
    the errors are the 68 % interval of a log-normal distribution around its median v.

    With a cut the likelihood of each object is divided by the probability that an object of its
    errors is measured above the cut (truncated likelihood), so that A, slope and scatter are
    those of all objects and not of the selected ones. What other objects there are is then
    inferred from the selected ones by the model. A cut in y that removes half of all objects can
    make the errors many times larger; where they become infinite the sample cannot tell the
    relation from its selection.

    Intervals are where twice the logarithm of the profile likelihood has fallen by 1, or for small
    samples by a little more, as Student's t demands. The likelihood is the restricted one, so
    that the scatter is not underestimated; with a cut in y it is the plain one. A scatter
    above 1, or three times the standard deviation of ln y if that is more, is not looked for,
    nor a slope beyond 10.

    No library is used because none has all of it: linmix (Kelly's own model) cannot be installed
    from PyPI and knows no cut, nor do bces, hyperfit and ltsfit, which also fit no given slope.

    References
    ----------
    Kelly 2007, ApJ 665, 1489, sections 4 and 5; Patterson & Thompson 1971, Biometrika 58, 545.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.comparison import fit_relation
    >>> rng = np.random.default_rng(1)
    >>> truth = 6e14 * np.exp(0.4 * rng.normal(size=65)) * u.solMass
    >>> lensing = truth * np.exp(0.2 * rng.normal(size=65))
    >>> y = 7e-5 * (truth / (6e14 * u.solMass)) ** 1.79 * u.Mpc**2
    >>> fit = fit_relation(y, lensing, err_x=0.2 * lensing, pivot=6e14 * u.solMass)
    >>> bool(abs(fit.slope - 1.79) < 4 * fit.slope_errp)
    True
    """
    return _fit(
        _LogVariable(y, err_y, min_y, None, ("y", "err_y", "min_y")),
        _LogVariable(x, err_x, min_x, None, ("x", "err_x", "min_x")),
        slope=slope,
        pivot=pivot,
        ratio=False,
        method=method,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _fit(y, x, *, slope, pivot, ratio, method, n_bootstrap, seed):
    if method not in _METHODS:
        raise InvalidInputError(
            f"'method' must be one of {', '.join(map(repr, _METHODS))}. Received: {method!r}"
        )
    if method == "bootstrap" and not (isinstance(n_bootstrap, int) and n_bootstrap >= 10):
        raise InvalidInputError(
            f"'n_bootstrap' must be a whole number of at least 10. Received: {n_bootstrap!r}"
        )
    if len(y) != len(x):
        raise InvalidInputError(
            f"'{y.name}' and '{x.name}' must be of the same objects. Received: {len(y)} and "
            f"{len(x)} values"
        )
    if slope is not None and not (isinstance(slope, Real) and np.isfinite(slope)):
        raise InvalidInputError(f"'slope' must be a number or None. Received: {slope!r}")
    if y.min is not None and x.min is not None:
        raise InvalidInputError(
            f"Give '{y.name_min}' or '{x.name_min}', not both: a sample selected in both "
            "variables is not modelled."
        )
    parameters = 2 if slope is not None and y.min is None and x.min is None else 4
    parameters += slope is None
    if len(y) <= parameters:
        raise InvalidInputError(
            f"{len(y)} object{'s' * (len(y) != 1)} cannot determine {parameters} parameters "
            "(line, scatter and, unless the slope is given and there is no cut, the "
            f"distribution of '{x.name}'). At least {parameters + 1} are needed."
        )
    log_pivot = x.log.mean() if pivot is None else np.log(_checked_values(pivot, x.unit, "pivot"))
    if np.ndim(log_pivot):
        raise InvalidInputError(f"'pivot' must be one value. Received: {pivot!r}")

    def likelihood(rows):
        return LineLikelihood(
            x.log[rows] - log_pivot,
            y.log[rows],
            x.err[rows],
            y.err[rows],
            slope=slope,
            min_x=None if x.min is None else x.min[rows] - log_pivot,
            min_y=None if y.min is None else y.min[rows],
        )

    full = likelihood(slice(None))
    if method == "profile":
        theta, ends = full.intervals()
    else:
        theta, ends = full.maximise()[0], _bootstrap(likelihood, len(y), n_bootstrap, seed)
    value, low, high = np.exp([theta[ALPHA], *ends[ALPHA]])
    unit = y.unit
    if ratio:
        value, low, high = np.array([value, low, high]) / np.exp(log_pivot)
        unit = u.dimensionless_unscaled
    wrap = float if unit == u.dimensionless_unscaled else (lambda number: number * unit)
    scatter, scatter_low, scatter_high = (
        _scatter(ln_sigma, full) for ln_sigma in (theta[LN_SIGMA], *ends[LN_SIGMA])
    )
    cut = y if y.min is not None else x
    return RelationFit(
        value=wrap(value),
        errn=wrap(max(value - low, 0)),
        errp=wrap(max(high - value, 0)),
        scatter=scatter,
        scatter_errn=max(scatter - scatter_low, 0.0),
        scatter_errp=max(scatter_high - scatter, 0.0),
        slope=float(theta[BETA]),
        slope_errn=float(max(theta[BETA] - ends[BETA][0], 0)),
        slope_errp=float(max(ends[BETA][1] - theta[BETA], 0)),
        pivot=np.exp(log_pivot) * x.unit,
        n=len(y),
        method=method,
        selection="none" if cut.min is None else f"cut in {cut.name}",
    )


def _scatter(ln_sigma, likelihood):
    """Give the scatter; the smallest that is looked for stands for none."""
    smallest = likelihood.bounds[LN_SIGMA][0]
    return 0.0 if ln_sigma <= smallest + 1e-6 else float(np.exp(ln_sigma))


def _bootstrap(likelihood, n, n_bootstrap, seed):
    rng = np.random.default_rng(seed)
    fits = np.array([likelihood(rng.integers(n, size=n)).maximise()[0] for _ in range(n_bootstrap)])
    quantiles = np.quantile(fits, ndtr([-1, 1]), axis=0)
    return {which: tuple(quantiles[:, which]) for which in (ALPHA, BETA, LN_SIGMA)}


class _LogVariable:
    """Natural logarithms of values, errors and cut (or None) of a variable: log, err, min, (N,).

    ``names`` are what messages call value, errors and cut.
    """

    def __init__(self, value, err, minimum, unit, names):
        self.name, name_err, self.name_min = names
        self.unit = u.Unit(unit or getattr(value, "unit", None) or u.dimensionless_unscaled)
        values = _checked_values(value, self.unit, self.name)
        if values.ndim != 1:
            raise InvalidInputError(
                f"'{self.name}' must be an array of one axis. Received: shape {values.shape}"
            )
        self.log = np.log(values)
        self.err = np.zeros(len(values))
        if err is not None:
            self.err = _log_errors(values, err, self.unit, name_err)
        self.min = None
        if minimum is not None:
            minimum = _checked_values(minimum, self.unit, self.name_min)
            if minimum.shape not in ((), values.shape):
                raise InvalidInputError(
                    f"'{self.name_min}' must be one number or one per object ({len(values)}). "
                    f"Received: shape {minimum.shape}"
                )
            below = values < minimum
            if below.any():
                raise InvalidInputError(
                    f"'{self.name}' is below '{self.name_min}' in {_rows(below)}: such objects "
                    "cannot be in a sample with this cut. Remove them."
                )
            self.min = np.broadcast_to(np.log(minimum), values.shape)

    def __len__(self):
        return len(self.log)


def _checked_values(value, unit, name):
    """Give values in a unit, none of them masked, NaN or not positive."""
    values = as_floats(value, unit, name)
    for bad, what in ((~np.isfinite(values), "masked or NaN"), (values <= 0, "not positive")):
        if np.any(bad):
            raise InvalidInputError(
                f"'{name}' is {what} in {_rows(np.atleast_1d(bad))}: select the objects that have "
                "a value first."
            )
    return values


def _rows(bad):
    rows = np.flatnonzero(bad)
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row {', '.join(map(str, rows[:5]))}{more}"


def _log_errors(values, err, unit, name):
    pair = err if isinstance(err, tuple | list) and len(err) == 2 else (err, err)
    down, up = (_checked_values(part, unit, name) for part in pair)
    if down.shape != values.shape or up.shape != values.shape:
        raise InvalidInputError(
            f"'{name}' must have one error per object ({len(values)}), or be (errn, errp) of "
            f"such. Received: shapes {down.shape}, {up.shape}"
        )
    return np.arcsinh((down + up) / (2 * values))
