"""Probability of a cluster's mass as a curve: what estimators give that know more than a number."""

from __future__ import annotations  # signatures say ArrayLike, not all that it is

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from szmass._tables.files import read_table, write_table
from szmass._utils.kinds import rows_of
from szmass._utils.names import NameIndex
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.results.files import posterior_from_table, posterior_to_table
from szmass.results.flags import MassFlag
from szmass.results.masses import ONE_SIGMA, MassEstimates, MassTable
from szmass.results.scale import MassScale

__all__ = ["LogMassPosterior"]

# A density at an end of the grid above this part of its maximum is cut off.
_CUT_OFF = 0.1

# Densities on the grid, one for all or a row per cluster; or a function of log10 M and redshift.
Prior = ArrayLike | Callable[..., Any]


class LogMassPosterior:
    """Densities of log10(M500c / Msun) on one shared grid, and the prior they were computed under.

    Densities are linear between the nodes of the grid, zero outside, and of integral 1. A cluster
    that could not be weighed has a row of NaN, and every number from it is NaN.

    Parameters
    ----------
    log10_mass : array-like
        The grid, increasing, at least 3 nodes.
    density : array-like
        A row per cluster, shape (N, nodes), at least 0; normalised here.
    prior : array-like
        Density of the prior on the grid, of any norm, at least 0: one for all, or a row per
        cluster.
    names : sequence of str, optional
        Names of the clusters.
    redshift : array-like, optional
        Their redshifts, NaN where unknown; priors that depend on it need it.
    flag : array-like of int, optional
        Bits of `~szmass.results.MassFlag`.
    meta : dict, optional
        What the numbers were made with.

    Attributes
    ----------
    log10_mass, density, prior, names, redshift, flag, meta
        As given; ``density`` and ``prior`` normalised and of shape (N, nodes).

    Raises
    ------
    InvalidInputError
        Shapes do not match, the grid does not increase, a density is negative or zero everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from szmass import LogMassPosterior
    >>> grid = np.linspace(14, 15.5, 151)
    >>> log_likelihood = -0.5 * ((grid - [[14.6], [14.9]]) / 0.1) ** 2
    >>> two = {"names": ["A", "B"]}
    >>> posterior = LogMassPosterior.from_log_likelihood(grid, log_likelihood, "flat", **two)
    >>> print(posterior.median().to("1e14 solMass").round(2))
    [3.98 7.94] 1e+14 solMass
    >>> low, high = posterior["B"].interval(0.95)
    >>> print(f"{low[0]:.3g} to {high[0]:.3g}")
    5.06e+14 solMass to 1.25e+15 solMass
    >>> steep = posterior.reweight(lambda log10_mass, redshift: 10 ** (-3 * log10_mass))
    >>> print((steep.median() / posterior.median()).round(3))
    [0.853 0.853]
    """

    def __init__(
        self,
        log10_mass: ArrayLike,
        density: ArrayLike,
        prior: ArrayLike,
        *,
        names: Sequence[str] | NDArray[np.str_] | None = None,
        redshift: ArrayLike | None = None,
        flag: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        grid = as_floats(log10_mass, "", "log10_mass", finite=True)
        if grid.ndim != 1 or len(grid) < 3 or not np.all(np.diff(grid) > 0):
            raise InvalidInputError(
                "'log10_mass' must be at least 3 increasing numbers. Received: "
                f"{np.array2string(grid, threshold=6)}"
            )
        self.log10_mass = grid
        density = np.array(density, dtype=float, order="C")  # sums go by the order
        if density.ndim != 2 or density.shape[1] != len(grid):
            raise InvalidInputError(
                f"'density' must have the shape (N, {len(grid)}). Received: {density.shape}"
            )
        n = len(density)
        self.names = np.array([""] * n if names is None else names, dtype=str).reshape(-1)
        self.redshift = np.full(n, np.nan) if redshift is None else np.array(redshift, dtype=float)
        self.flag = np.zeros(n, int) if flag is None else np.array(flag, dtype=int)
        for name in ("names", "redshift", "flag"):
            if getattr(self, name).shape != (n,):
                raise InvalidInputError(
                    f"'{name}' must have one entry per cluster ({n}). Received: shape "
                    f"{getattr(self, name).shape}"
                )
        unknown = np.isnan(density).any(axis=1)
        density[unknown] = np.nan
        self.density = self._normalised(density, "density")
        prior = np.array(prior, dtype=float, order="C")
        if prior.shape not in ((len(grid),), density.shape):
            raise InvalidInputError(
                f"'prior' must have the shape ({len(grid)},) or {density.shape}. "
                f"Received: {prior.shape}"
            )
        prior = np.broadcast_to(prior, density.shape).copy()
        prior[unknown] = np.nan
        self.prior = self._normalised(prior, "prior")
        self.meta = {} if meta is None else dict(meta)

    @classmethod
    def from_log_likelihood(
        cls, log10_mass: ArrayLike, log_likelihood: ArrayLike, prior: Prior, **options: Any
    ) -> Self:
        """Multiply likelihoods by a prior.

        Parameters
        ----------
        log10_mass : array-like
            The grid.
        log_likelihood : array-like
            ln L of the data at the masses of the grid, shape (N, nodes), of any offset; -inf where
            it is 0, a row of NaN where it is not known.
        prior : array-like or callable
            As in the class, or a function as in `reweight`.
        **options : dict
            Names, redshift, flag and meta, as in the class.

        Returns
        -------
        LogMassPosterior
            The posterior.

        Raises
        ------
        InvalidInputError
            See the class; for instance, the prior is zero wherever the likelihood is not.
        """
        grid = as_floats(log10_mass, "", "log10_mass", finite=True)
        log_likelihood = np.array(log_likelihood, dtype=float, order="C")
        prior = _prior_on(prior, grid, options.get("redshift"), log_likelihood.shape)
        with np.errstate(divide="ignore"):
            total = log_likelihood + np.log(prior)
        known = ~np.isnan(log_likelihood).any(axis=1)
        highest = np.where(known, total.max(axis=1, initial=-np.inf), np.nan)
        bad = np.flatnonzero(known & ~np.isfinite(highest))
        if len(bad):
            raise InvalidInputError(
                f"'prior' leaves no mass for {len(bad)} of {len(known)} cluster(s), first "
                f"number {bad[0]}: it is zero everywhere, or wherever the likelihood is not. Widen "
                "the prior or the grid."
            )
        density = np.exp(total - highest[:, np.newaxis])
        return cls(grid, density, prior, **options)

    def _normalised(self, density: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        known = ~np.isnan(density[:, 0])
        if not np.all((density[known] >= 0) & np.isfinite(density[known])):
            raise InvalidInputError(f"'{name}' must be finite and at least 0.")
        highest = np.maximum(density.max(axis=1, initial=0.0, keepdims=True), 1e-300)
        relative = density / highest
        norm = np.trapezoid(relative, self.log10_mass, axis=1)
        if bad := np.count_nonzero(known & ~(norm > 0)):
            first = int(np.argmax(known & ~(norm > 0)))
            raise InvalidInputError(
                f"'{name}' is zero everywhere for {bad} of {len(norm)} cluster(s), first number "
                f"{first}: no mass of the grid is possible."
            )
        # What is normalised stays as it is to the bit: files give back what was written.
        with np.errstate(over="ignore"):
            done = np.abs(highest * norm[:, np.newaxis] - 1) < 1e-12
        return np.where(done, density, relative / norm[:, np.newaxis])

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, format: str | None = None) -> Self:
        """Read posteriors that `write` wrote.

        Parameters
        ----------
        path : path-like
            An ECSV, FITS or VOTable file.
        format : str, optional
            ``"ecsv"``, ``"fits"`` or ``"votable"``, where the suffix does not say.

        Returns
        -------
        LogMassPosterior
            The posteriors, equal to rounding.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        FileFormatError
            It is damaged, holds something else, or is of a later version of szmass.
        """
        table = read_table(path, format=format)
        try:
            return cls(**posterior_from_table(table, str(path)))
        except InvalidInputError as err:
            raise FileFormatError(f"{str(path)!r} holds no usable posteriors: {err}") from err

    def write(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, format: str | None = None
    ) -> None:
        """Write the posteriors: a table with one row per cluster, its density in one column.

        Parameters
        ----------
        path : path-like
            The target: ``.ecsv``, ``.fits`` or ``.vot``.
        overwrite, format : optional
            As for `write_masses`.

        Raises
        ------
        InvalidInputError
            The format is not known or is CSV, the file exists, or its folder does not.
        """
        write_table(posterior_to_table(self), path, overwrite=overwrite, format=format)

    def __len__(self) -> int:
        return len(self.density)

    def __repr__(self) -> str:
        low, high = self.log10_mass[[0, -1]]
        return (
            f"<LogMassPosterior of {len(self)}: {len(self.log10_mass)} masses, "
            f"log10(M/Msun) = {low:g} to {high:g}>"
        )

    def _repr_html_(self) -> str:
        from szmass._utils import html as _html

        title = f"<p><b>LogMassPosterior</b> {_html.short(repr(self)[18:-1])}</p>"
        shown, cells = self[: _html.SHOWN], []
        low, high = (np.log10(end.value) for end in shown.interval())
        middle = np.log10(shown.median().value)
        for i, name in enumerate(shown.names):
            about = f"<p><b>{_html.short(name or i)}</b><br>"
            if np.isfinite(middle[i]):
                ends = middle[i] - low[i], high[i] - middle[i]
                number = _html.measured(middle[i], *ends)
                curve = {"low": low[i], "middle": middle[i], "high": high[i]}
                density = shown.density[i]
                picture = _html.density_svg(self.log10_mass, density, **curve, label="log10 M500c")
                cells.append(f"{about}log<sub>10</sub> M = {number}</p>{picture}")
            else:
                flags = MassFlag.describe(shown.flag[i]) or "unknown"
                cells.append(f"{about}not weighed: {_html.short(flags)}</p>")
        left_out = len(self) - len(shown)
        more = f"<p>and {left_out} more</p>" if left_out else ""
        return title + _html.side_by_side(cells) + more

    def __getitem__(self, index: Any) -> Self:
        index = rows_of(index, len(self), lambda: NameIndex(self.names), "cluster", "posterior")
        if isinstance(index, int):
            index = [index]
        part = copy.copy(self)
        for name in ("density", "prior", "names", "redshift", "flag"):
            setattr(part, name, np.array(getattr(self, name)[index]))
        part.meta = dict(self.meta)
        return part

    @classmethod
    def joined(
        cls,
        parts: Sequence[Self],
        rows: Sequence[Any],
        *,
        grid: ArrayLike | None = None,
        names: Sequence[str] | NDArray[np.str_],
        redshift: ArrayLike,
        flag: ArrayLike,
        meta: Mapping[str, Any],
    ) -> Self:
        """Join posteriors of some clusters to those of all; what is in no part stays unknown.

        Parameters
        ----------
        parts : sequence of LogMassPosterior
            All on one grid.
        rows : sequence of array-like
            Numbers of the clusters of each part, or slices.
        grid : array-like, optional
            The grid where there are no parts.
        names : sequence of str
            Names of all clusters.
        redshift, flag : array-like
            Of all clusters, as in the class.
        meta : dict
            As in the class.

        Returns
        -------
        LogMassPosterior
            One row per name.

        Raises
        ------
        InvalidInputError
            The grids differ.
        """
        grid = parts[0].log10_mass if parts else np.asarray(grid, dtype=float)
        if not all(np.array_equal(part.log10_mass, grid) for part in parts):
            raise InvalidInputError("'parts' must be posteriors on one grid of log10_mass.")
        unknown = np.full((len(names), len(grid)), np.nan)
        whole = cls(grid, unknown, unknown, names=names, redshift=redshift, flag=flag, meta=meta)
        for part, where in zip(parts, rows, strict=True):
            whole.density[where], whole.prior[where] = part.density, part.prior
        return whole

    def _cumulative(self) -> NDArray[np.float64]:
        step = np.diff(self.log10_mass)
        cells = 0.5 * step * (self.density[:, 1:] + self.density[:, :-1])
        below = np.zeros_like(self.density)
        np.cumsum(cells, axis=1, out=below[:, 1:])
        return below / below[:, -1:]

    def _log_quantile(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """log10 M at probabilities of shape (N, k)."""
        below = self._cumulative()
        result = np.full(probability.shape, np.nan)
        rows = np.arange(len(self))
        for column in range(probability.shape[1]):
            p = probability[:, column]
            cell = np.clip((below < p[:, np.newaxis]).sum(axis=1) - 1, 0, below.shape[1] - 2)
            rest = p - below[rows, cell]
            left, right = self.density[rows, cell], self.density[rows, cell + 1]
            step = self.log10_mass[cell + 1] - self.log10_mass[cell]
            root = np.sqrt(np.maximum(left**2 + 2 * (right - left) / step * rest, 0.0))
            with np.errstate(invalid="ignore", divide="ignore"):
                inside = np.where(rest > 0, 2 * rest / (left + root), 0.0)
            result[:, column] = self.log10_mass[cell] + np.minimum(inside, step)
        result[np.isnan(self.density[:, 0])] = np.nan
        return result

    def quantile(self, probability: ArrayLike) -> u.Quantity:
        """Give the mass below which there is a given probability.

        Parameters
        ----------
        probability : float or array-like
            Between 0 and 1; k of them, the same for all clusters.

        Returns
        -------
        `~astropy.units.Quantity`
            Masses [solMass], shape (N,) or (N, k).

        Raises
        ------
        InvalidInputError
            A probability is not between 0 and 1.
        """
        p = as_floats(probability, "", "probability", finite=True)
        if p.ndim > 1 or np.any((p < 0) | (p > 1)):
            raise InvalidInputError(
                f"'probability' must be one or some numbers in [0, 1]. Received: {probability!r}"
            )
        wanted = np.broadcast_to(np.atleast_1d(p), (len(self), p.size))
        return 10 ** self._log_quantile(wanted)[:, 0 if p.ndim == 0 else slice(None)] * u.solMass

    def median(self) -> u.Quantity:
        """Give the masses with half the probability below.

        Returns
        -------
        `~astropy.units.Quantity`
            Masses [solMass], shape (N,).
        """
        return self.quantile(0.5)

    def _moment(self, centre: Any, power: int) -> NDArray[np.float64]:
        # Exact for densities that are linear between the nodes (Simpson's rule in each cell).
        grid, density = self.log10_mass, self.density
        middle = 0.5 * (grid[1:] + grid[:-1])
        ends = density * (grid - centre) ** power
        halves = 0.5 * (density[:, 1:] + density[:, :-1]) * (middle - centre) ** power
        return (np.diff(grid) * (ends[:, 1:] + ends[:, :-1] + 4 * halves) / 6).sum(axis=1)

    def mean(self) -> u.Quantity:
        """Give the mean of log10 M, as a mass: the estimate of least squared error in log M.

        Returns
        -------
        `~astropy.units.Quantity`
            Masses [solMass], shape (N,).
        """
        return 10 ** self._moment(0.0, 1) * u.solMass

    def mean_mass(self) -> u.Quantity:
        """Give the mean of M: relative errors (M - M_true) / M of it vanish on average.

        Returns
        -------
        `~astropy.units.Quantity`
            Masses [solMass], shape (N,).

        Examples
        --------
        >>> import numpy as np
        >>> from szmass.results import LogMassPosterior
        >>> grid = np.linspace(14, 15, 101)
        >>> posterior = LogMassPosterior(grid, [np.exp(-((grid - 14.5) ** 2) / 0.02)], 1 + 0 * grid)
        >>> bool(posterior.mean_mass() > posterior.median())
        True
        """
        grid = self.log10_mass
        return np.trapezoid(self.density * 10**grid, grid, axis=1) * u.solMass

    @property
    def cut_off(self) -> NDArray[np.bool_]:
        """Where an end of the grid cuts a density off that is not small there, a bool array."""
        ends = self.density[:, [0, -1]].max(axis=1)
        return ends > _CUT_OFF * self.density.max(axis=1)

    def std(self) -> NDArray[np.float64]:
        """Give the standard deviation of log10 M.

        Returns
        -------
        `~numpy.ndarray`
            In dex, shape (N,).
        """
        return np.sqrt(self._moment(self._moment(0.0, 1)[:, np.newaxis], 2))

    def interval(self, level: float = ONE_SIGMA) -> tuple[u.Quantity, u.Quantity]:
        """Give intervals with equal probability on either side.

        Parameters
        ----------
        level : float, optional
            Probability inside; by default that of one standard deviation, 68.27 %.

        Returns
        -------
        low : `~astropy.units.Quantity`
            Masses [solMass] at the lower ends, shape (N,).
        high : `~astropy.units.Quantity`
            Masses at the upper ends.

        Raises
        ------
        InvalidInputError
            The level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise InvalidInputError(f"'level' must be between 0 and 1. Received: {level!r}")
        low, high = self.quantile([0.5 - level / 2, 0.5 + level / 2]).T
        return low, high

    def cdf(self, mass: u.Quantity) -> NDArray[np.float64]:
        """Give the probability below a mass, for instance the true one (then it is the PIT).

        Parameters
        ----------
        mass : `~astropy.units.Quantity`
            One mass per cluster, or one for all.

        Returns
        -------
        `~numpy.ndarray`
            Between 0 and 1, shape (N,).

        Raises
        ------
        InvalidUnitError
            The mass has no unit of mass.
        """
        value = as_floats(mass, u.solMass, "mass", positive=True)
        value = np.broadcast_to(np.log10(value), len(self))
        below, grid = self._cumulative(), self.log10_mass
        rows = np.arange(len(self))
        cell = np.clip(np.searchsorted(grid, value) - 1, 0, len(grid) - 2)
        step = grid[cell + 1] - grid[cell]
        s = np.clip(value - grid[cell], 0.0, step)
        left, right = self.density[rows, cell], self.density[rows, cell + 1]
        inside = left * s + 0.5 * (right - left) / step * s**2
        return np.clip(below[rows, cell] + inside, 0.0, 1.0)

    def sample(self, n: int, rng: Any) -> u.Quantity:
        """Draw masses.

        Parameters
        ----------
        n : int
            How many of each cluster.
        rng : `~numpy.random.Generator` or seed, or a list of them
            Source of random numbers, or its seed, an integer or several; a list has one per
            cluster.

        Returns
        -------
        `~astropy.units.Quantity`
            Masses [solMass], shape (N, n).
        """
        if isinstance(rng, list):
            uniform = np.stack([np.random.default_rng(own).random(int(n)) for own in rng])
        else:
            uniform = np.random.default_rng(rng).random((len(self), int(n)))
        return 10 ** self._log_quantile(uniform) * u.solMass

    def reweight(self, prior: Prior) -> Self:
        """Exchange the prior.

        Parameters
        ----------
        prior : array-like or callable or {"flat"}
            Density of the new prior in log10 M on the grid, shape (nodes,) or (N, nodes); or a
            function ``prior(log10_mass, redshift)`` that gives it for arrays that broadcast; or
            "flat" in log M.

        Returns
        -------
        LogMassPosterior
            Under the new prior.

        Raises
        ------
        InvalidInputError
            The new prior allows masses that the old one excludes, where the likelihood is not
            known, or it leaves no mass at all.
        """
        new = _prior_on(prior, self.log10_mass, self.redshift, self.density.shape)
        known = ~np.isnan(self.density[:, 0])
        if np.any((new > 0) & (self.prior == 0) & known[:, np.newaxis]):
            raise InvalidInputError(
                "'prior' allows masses that the old prior excludes, for which the likelihood is "
                "not known. Compute the posterior under a wider prior first."
            )
        # One where the old prior is 0, and the density with it.
        old = np.where(self.prior > 0, self.prior, 1.0)
        with np.errstate(divide="ignore"):
            log_likelihood = np.log(self.density / old)
        about = {name: getattr(self, name) for name in ("names", "redshift", "flag", "meta")}
        return self.from_log_likelihood(self.log10_mass, log_likelihood, new, **about)

    def rescaled(self, one_minus_b: float) -> Self:
        """Bring the masses to another 1-b, the prior with them.

        Parameters
        ----------
        one_minus_b : float
            The 1-b that they are to be on.

        Returns
        -------
        LogMassPosterior
            The same densities on a grid moved by the logarithm of the ratio; this one itself where
            ``meta["mass_scale"]`` is not a 1-b, or is that already.

        Raises
        ------
        InvalidInputError
            ``one_minus_b`` is not above 0 and at most 2.

        Examples
        --------
        >>> import numpy as np
        >>> from szmass.results import LogMassPosterior
        >>> meta = {"mass_scale": 1.0}
        >>> posterior = LogMassPosterior([14, 14.5, 15], [[0, 1, 0]], np.ones(3), meta=meta)
        >>> print((posterior.rescaled(0.8).median() / posterior.median()).round(4))
        [1.25]
        """
        scale = MassScale(self.meta.get("mass_scale", "unknown"))
        factor = scale.factor_to(one_minus_b)
        if factor in (None, 1.0):
            return self
        moved = self[:]
        moved.log10_mass = self.log10_mass + np.log10(factor)
        moved.meta = moved.meta | {
            "mass_scale": float(one_minus_b),
            "rescaled_from": scale.one_minus_b,
        }
        return moved

    def to_table(self, method: str = "posterior") -> MassTable:
        """Give the mass table of the medians.

        Parameters
        ----------
        method : str, optional
            Name of the method.

        Returns
        -------
        `~szmass.results.MassTable`
            With the columns of ``szmass.results.MASS_COLUMNS``.
        """
        estimates = MassEstimates.of_posterior(self)
        unknown = np.isnan(estimates.mass) & (estimates.flag == 0)
        estimates.flag[unknown] |= MassFlag.NO_MEASUREMENT
        return estimates.to_table(
            self.names,
            self.redshift,
            method,
            {"method": method, "mass_definition": "500c"} | self.meta,
        )


def _prior_on(
    prior: Prior, grid: NDArray[np.float64], redshift: ArrayLike | None, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Values of a prior on the grid, shape (N, nodes)."""
    if isinstance(prior, str):
        if prior != "flat":
            raise InvalidInputError(
                f"'prior' must be 'flat', an array, or a function of log10 M and redshift. "
                f"Received: {prior!r}"
            )
        prior = np.ones(len(grid))
    elif callable(prior):
        if redshift is None:
            redshift = np.full(shape[0], np.nan)
        redshift = np.asarray(redshift, dtype=float)
        values = np.ones(shape)
        known = np.isfinite(redshift)
        known = known if known.any() else np.ones(len(known), bool)
        if known.any():
            found = prior(grid[np.newaxis], redshift[known, np.newaxis])
            values[known] = _of_shape(found, (int(known.sum()), len(grid)))
        prior = values
    prior = _of_shape(prior, shape)
    known = ~np.isnan(prior)
    if not np.all((prior[known] >= 0) & np.isfinite(prior[known])):
        raise InvalidInputError("'prior' must be finite and at least 0.")
    return np.array(prior)


def _of_shape(prior: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    prior = np.asarray(prior, dtype=float)
    try:
        return np.broadcast_to(prior, shape)
    except ValueError:
        raise InvalidInputError(
            f"'prior' must give values of the shape {shape}. Received: {prior.shape}"
        ) from None
