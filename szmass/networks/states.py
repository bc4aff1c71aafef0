"""Ensembles of networks that give densities of numbers of the dynamical state."""

import itertools

import numpy as np

from szmass._utils.pieces import in_pieces
from szmass.exceptions import FileFormatError, UnknownNameError
from szmass.networks._densities import Calibration, Scale, averaged
from szmass.networks._inputs import state_context
from szmass.networks._members import AT_ONCE, Members

__all__ = ["StateNetworks", "state_metrics"]

_NODES = 321
# From here the context is of sizes and signal-to-noise ratios, not of the cluster.
_SIZE = 3
# Knots are signal-to-noise ratios, the level is that of the redshift.
_SCALE = Scale(np.log([1.5, 5.0, 15.0, 50.0]), 0.0, 0.25, 0.0)


class StateNetworks(Members):
    """An ensemble of trained networks that gives densities of numbers of the dynamical state.

    As in `DensityNetworks`, each member sees each cluster in eight orientations, and logarithms of
    densities are averaged: how an image is turned makes no difference.

    Parameters
    ----------
    card : ModelCard
        What the networks are. Options of the architecture name ``bands`` and, by definition of the
        state, ``ranges`` of log10 of its number.
    arrays : dict of str to `~numpy.ndarray`
        Weights named ``member-0/layer/weight``; ``calibration/<definition>/<bands>``,
        ``range/low`` and ``range/high`` of the context of the training, and what the prior is made
        of as ``prior/...``.

    Attributes
    ----------
    card : ModelCard
        As given.
    bands : tuple of str
        Bands of the images.
    definitions : tuple of str
        Names of the definitions of the state.
    prior : dict of str to `~numpy.ndarray`
        Arrays of the prior, without ``prior/``.

    Raises
    ------
    InvalidInputError, FileFormatError, MissingDependencyError
        As `AmplitudeNetworks` raises them, also when they are built; the card must be one of
        networks of states.
    """

    target = "log10_state_density"
    groups = ("calibration", "range", "prior")

    def _take(self, groups):
        options = self.card.architecture_options
        bands, ranges = options.get("bands"), options.get("ranges")
        if not _are_bands(bands) or not _are_ranges(ranges):
            raise FileFormatError(
                f"'architecture_options' of the model card {self.card.name!r} must have 'bands' of "
                "y and X, and 'ranges' of two increasing numbers by the name of a definition. "
                f"Received: {options!r:.200}"
            )
        self.bands, self.definitions, self._ranges = tuple(bands), tuple(ranges), ranges
        self.prior = groups["prior"]
        known = {f"{name}/{bands}" for name in ranges for bands in _patterns(self.bands)}
        fitted = groups["calibration"]
        if unknown := fitted.keys() - known:
            raise FileFormatError(f"The calibration is of {min(unknown)!r}, and no density is.")
        self._calibrations = {
            key: Calibration.from_arrays(
                {"coefficients": fitted[key]} if key in fitted else {}, _SCALE
            )
            for key in known
        }
        number = len(state_context(bands))
        everything = np.full(number, np.inf)
        limits = groups["range"] or {"low": -everything, "high": everything}
        if limits.keys() != {"low", "high"} or {a.shape for a in limits.values()} != {(number,)}:
            raise FileFormatError(
                f"The range of the context must be 'low' and 'high' of {number} numbers. "
                f"Received: { {name: array.shape for name, array in limits.items()} }"
            )
        self._low, self._high = limits["low"], limits["high"]

    def grid(self, definition):
        """Give the grid of a density.

        Parameters
        ----------
        definition : str
            Name of the definition.

        Returns
        -------
        ndarray
            log10 of the number of the state.

        Raises
        ------
        UnknownNameError
            The networks do not know the definition.
        """
        if definition not in self.definitions:
            raise UnknownNameError(
                f"The networks {self.card.name!r} are not of the state {definition!r}: they know "
                f"{', '.join(self.definitions)}."
            )
        return np.linspace(*self._ranges[definition], _NODES)

    def log_density(self, planes, context, definition):
        """Give the densities of clusters.

        Parameters
        ----------
        planes : ndarray
            What `szmass.morphology.see_for_states` makes of images, shape (N, 24, 24, 2 B).
        context : ndarray
            Numbers that go with them, shape (N, 4 + 2 B). What is beyond those of the training
            counts as its end.
        definition : str
            Name of the definition.

        Returns
        -------
        ndarray
            ln of the density per dex at the grid, shape (N, nodes).

        Raises
        ------
        UnknownNameError
            The networks do not know the definition.
        """
        return self.calibrated(self.from_planes(planes, context, definition), context, definition)

    def from_planes(self, planes, context, definition):
        """Give densities before calibration.

        Parameters
        ----------
        planes, context, definition : ndarray, str
            As for `log_density`.

        Returns
        -------
        ndarray
            As `log_density` gives it.
        """
        grid, which = self.grid(definition), self.definitions.index(definition)
        context = np.clip(context, self._low, self._high).astype(np.float32)

        def density(planes, context):
            return averaged(self._passes, planes, context, grid, which)

        return in_pieces(density, AT_ONCE, planes, context)

    def beyond(self, context):
        """Say for which clusters signal-to-noise ratios or sizes are beyond those of the training.

        Parameters
        ----------
        context : ndarray
            Numbers that go with the planes, shape (N, 4 + 2 B).

        Returns
        -------
        ndarray of bool
            Shape (N,).
        """
        told = context[:, _SIZE:]
        return ((told < self._low[_SIZE:]) | (told > self._high[_SIZE:])).any(axis=1)

    def calibrated(self, log_density, context, definition):
        """Recalibrate densities.

        Parameters
        ----------
        log_density : ndarray
            What `from_planes` gave.
        context, definition : ndarray, str
            As for `log_density`.

        Returns
        -------
        ndarray
            As `log_density` gives it.
        """
        grid, result = self.grid(definition), np.array(log_density, dtype=float)
        signal, level = self._signal_and_level(context)
        seen = self.bands_seen(context)
        for bands in np.unique(seen):
            rows = seen == bands
            calibration = self._calibrations[f"{definition}/{bands}"]
            result[rows] = calibration.apply(result[rows], grid, signal[rows], level[rows])
        return result

    def bands_seen(self, context):
        """Give the bands in which each cluster is seen.

        Parameters
        ----------
        context : ndarray
            As for `log_density`: of the numbers after the first four, one for each band, those
            above 0 are of bands that are seen.

        Returns
        -------
        ndarray of str
            Their names in one word, such as "yX", shape (N,).
        """
        told = np.asarray(context)[:, 4 : 4 + len(self.bands)] > 0
        return np.array(["".join(np.compress(row, self.bands)) for row in told])

    def fit_calibration(self, log_density, context, definition, truth):
        """Fit the calibration of a definition.

        Parameters
        ----------
        log_density : ndarray
            What `from_planes` gave for clusters that the networks have not seen, all in the same
            bands.
        context : ndarray
            Numbers that go with their images.
        definition : str
            Name of the definition.
        truth : ndarray
            True log10 of the number of the state, shape (N,).

        Returns
        -------
        ndarray
            Coefficients, the array ``calibration/<definition>/<bands>``.
        """
        told = self._signal_and_level(context)
        grid = self.grid(definition)
        return Calibration.fit(log_density, grid, *told, truth, _SCALE).coefficients

    def _signal_and_level(self, context):
        """The largest signal-to-noise ratio, and log10 redshift as the context has it."""
        context = np.asarray(context, dtype=float)
        number = len(self.bands)
        told = context[:, 4 : 4 + number] > 0
        ratios = np.where(told, 10 ** (context[:, 4 + number :] + 1), 1.0)
        return ratios.max(axis=1), context[:, 2]

    def quantiles(self, log_density, definition, levels):
        """Give quantiles of densities.

        Parameters
        ----------
        log_density : ndarray
            What `log_density` gave, shape (N, nodes).
        definition : str
            Name of the definition.
        levels : sequence of float
            L probabilities.

        Returns
        -------
        ndarray
            log10 of the number of the state, shape (N, L).
        """
        grid = self.grid(definition)
        return np.array([np.interp(levels, row, grid) for row in _cumulated(log_density, grid)])

    def below(self, log_density, definition, value):
        """Give the probability of less than a value.

        Parameters
        ----------
        log_density, definition : ndarray, str
            As for `quantiles`.
        value : float or ndarray
            log10 of the number of the state, one or N.

        Returns
        -------
        ndarray
            Shape (N,).
        """
        grid = self.grid(definition)
        rows = zip(
            np.broadcast_to(value, len(log_density)), _cumulated(log_density, grid), strict=True
        )
        return np.array([np.interp(v, grid, row) for v, row in rows])


def _patterns(bands):
    """Bands that a cluster may be seen in, their names in one word."""
    some = [itertools.combinations(bands, number) for number in range(1, len(bands) + 1)]
    return ["".join(names) for names in itertools.chain(*some)]


def _cumulated(log_density, grid):
    p = np.exp(log_density)
    steps = (p[:, 1:] + p[:, :-1]) / 2
    total = np.concatenate([np.zeros((len(p), 1)), np.cumsum(steps, axis=1)], axis=1)
    return total / total[:, -1:]


def _are_bands(bands):
    listed = isinstance(bands, list | tuple) and len(bands) > 0
    return listed and all(band in ("y", "X") for band in bands) and len(set(bands)) == len(bands)


def _are_ranges(ranges):
    try:
        ends = np.array(list(ranges.values()), float)
    except (AttributeError, TypeError, ValueError):
        return False
    shaped = ends.ndim == 2 and ends.shape[1:] == (2,)
    return shaped and bool(np.all(np.isfinite(ends)) and np.all(ends[:, 0] < ends[:, 1]))


def state_metrics(value, truth, rank, p_relaxed, relaxed):
    """Score states that were told, of clusters that were not learned from.

    Parameters
    ----------
    value, truth : array-like
        Median of log10 of the number of the state, and the true one.
    rank : array-like
        Probability of less than the truth.
    p_relaxed : array-like
        Probability of being relaxed.
    relaxed : array-like of bool
        Whether they are.

    Returns
    -------
    dict
        Their ``number``; ``r_log_chi``, the correlation of value and truth; ``auc``, the area under
        the curve of P(relaxed); ``inside_68`` and ``inside_95``, how often central intervals hold
        the truth; the mean of P(relaxed), and the part that is relaxed.
    """
    p_relaxed, relaxed = np.asarray(p_relaxed, float), np.asarray(relaxed, bool)
    order = np.argsort(np.argsort(p_relaxed)) + 1.0
    n, positive = len(p_relaxed), relaxed.sum()
    area = order[relaxed].sum() - positive * (positive + 1) / 2
    off = np.abs(np.asarray(rank) - 0.5)
    found = {
        "r_log_chi": np.corrcoef(value, truth)[0, 1],
        "auc": area / max(positive * (n - positive), 1),
        "inside_68": np.mean(off < 0.34),
        "inside_95": np.mean(off < 0.475),
        "mean_p_relaxed": p_relaxed.mean(),
        "relaxed": relaxed.mean(),
    }
    return {"number": n} | {name: round(float(number), 3) for name, number in found.items()}
