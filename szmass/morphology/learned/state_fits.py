"""Fits of the dynamical state to mock clusters as the data see them, for each signal-to-noise."""

import functools
import importlib.resources

import astropy.units as u
import numpy as np

from szmass._utils.kinds import as_path
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.morphology._state_signal import TOLD_FROM, XRAY_RING
from szmass.morphology.flags import StateFlag
from szmass.morphology.learned._arrays import thinned
from szmass.morphology.learned._files import FORMAT_VERSION, read_fits, write_fits
from szmass.morphology.learned._mocks import DEFINITIONS, Mocks, joined
from szmass.morphology.learned._prior import BEFORE, fit_priors, told_before
from szmass.morphology.state_measurement import measure_for_states
from szmass.morphology.states import StateRegression
from szmass.networks import state_metrics
from szmass.version import __version__

__all__ = ["StateFits", "shipped_fits"]

_SHIPPED = importlib.resources.files("szmass") / "data" / "states"
_KNOWN_FOR = 120  # clusters of a class, for a parameter that counts there
_FEWEST = 150  # clusters of a class that has a fit of its own


class StateFits:
    """Regressions of the state on morphology, one for each class of signal-to-noise ratios.

    Below a signal-to-noise ratio of 1 a band is left out; without any there is the prior, the
    distribution of the state in the mocks at that mass and redshift.

    Parameters
    ----------
    card : dict
        What the fits are about: "name", "beam_arcmin", "pixel_arcmin", "shape", "bands", "edges"
        (of the classes, by band), "preset", "center", "log10_mass" and "redshift" (ranges of the
        mocks), "training" and "metrics".
    regressions : dict of str to dict of tuple to StateRegression
        By the name of the definition and the class, a number for each band.
    priors : dict of str to StateRegression
        By the name of the definition, on mass and redshift alone.

    Examples
    --------
    >>> from szmass.morphology import StateFits
    >>> fits = StateFits.read("planck")
    >>> fits.card["bands"], sorted(fits.priors)
    (['y'], ['cui2018', 'deluca2021'])
    """

    def __init__(self, card, regressions, priors):
        self.card, self.regressions, self.priors = card, regressions, priors

    def __repr__(self):
        return f"<StateFits {self.card['name']!r} of {', '.join(self.priors)}>"

    @classmethod
    def train(cls, samples, *, name, edges, cosmology, mass="mass_true", mass_scatter=0.06,
              depth=None, definitions=DEFINITIONS, preset="standard", center="peak",
              seed=0, about=None, workers=1):  # fmt: skip
        """Fit mock clusters.

        Parameters
        ----------
        samples : iterable of `~szmass.clusters.ClusterSample` or callable
            Samples, or functions without arguments that make one each, in the process that
            measures it. They are from `~szmass.simulations.simulate`, with states in the truth; all
            of one beam and geometry, of noise and exposures as wide as those of the data.
        name : str
            Name of the fits.
        edges : dict of str to sequence of float
            For each band, "y" and perhaps "X", where a new class of signal-to-noise ratios begins.
        cosmology : str or `~astropy.cosmology.FLRW`
            For R500.
        mass : str, optional
            Column of the true masses.
        mass_scatter : float, optional
            Scatter of log10 of the masses that R500 is computed from, which data have as well.
        depth : str, optional
            Column of the factor of the noise's amplitude, by default 1 or that of its depth map.
        definitions : sequence of str, optional
            Definitions of the state.
        preset, center : optional
            As in `measure_morphology`.
        seed : int, optional
            Seed of the scatter, and of the division for the metrics.
        about : dict, optional
            What else the card says of the training.
        workers : int, optional
            Number of processes.

        Returns
        -------
        StateFits
            The fits; metrics in the card are of clusters that were predicted by fits to others.

        Raises
        ------
        InvalidInputError
            A class has too few clusters, or a sample lacks what is needed.
        """
        bands = list(edges)
        options = {
            "cosmology": cosmology, "bands": bands, "preset": preset, "center": center
        }  # fmt: skip
        job = Mocks(
            measure_for_states, mass, mass_scatter, depth, tuple(definitions), seed, options
        )
        found, truths, (beam, geometry) = job.look_at(samples, workers)
        table = joined([one.table for one in found])
        columns, number = table.colnames, len(table)
        snr = {band: np.concatenate([one.snr[band] for one in found]) for band in bands}
        card = {
            "format_version": FORMAT_VERSION,
            "name": name,
            "beam_arcmin": beam.to_value(u.arcmin),
            "pixel_arcmin": geometry.pixel_scale.to_value(u.arcmin),
            "shape": list(geometry.shape),
            "bands": bands,
            "edges": {band: [float(edge) for edge in values] for band, values in edges.items()},
            "preset": preset,
            "center": center,
            "xray_ring": list(XRAY_RING),
            "log10_mass": [float(f(table["log10_mass"])) for f in (np.min, np.max)],
            "redshift": [float(f(table["redshift"])) for f in (np.min, np.max)],
            "training": {
                "number": number,
                "seed": int(seed),
                "mass_scatter_dex": float(mass_scatter),
                "cosmology": str(cosmology),
                "szmass_version": __version__,
                **(about or {}),
            },
            "metrics": {},
        }
        fits = cls(card, {}, {})
        classes, seen = fits._classes(table, snr)
        fits.priors |= fit_priors(table, truths)
        for definition, truth in truths.items():
            options = {"state": definition}
            one = fits.regressions[definition] = {}
            parts = []
            for key in sorted({tuple(k) for k in classes[seen].tolist()}):
                rows = np.flatnonzero(seen & np.all(classes == key, axis=1))
                if len(rows) < _FEWEST:  # its neighbours tell these
                    continue
                here = table[rows]
                known = [np.isfinite(np.asarray(here[c], float)).sum() for c in columns]
                # A fold for the residuals is left out of each fit.
                often = [c for c, n in zip(columns, known, strict=True) if n >= _KNOWN_FOR]
                options["parameters"] = often
                fit = StateRegression.fit(here, truth[rows], **options)
                one[key] = _with_columns(fit, columns, table)
                held = StateRegression.held_out(table[rows], truth[rows], seed=seed, **options)
                parts.append((key, held))
            if not one:
                raise InvalidInputError(
                    f"No class of signal-to-noise ratios has {_FEWEST} of the {number} clusters."
                )
            card["metrics"][definition] = _metrics(parts, fits.priors[definition], truth)
        return fits._thinned()

    def _classes(self, table, snr):
        """Classes (N, B), and which rows have a band at all; bands without signal become NaN."""
        classes = np.zeros((len(table), len(self.card["bands"])), int)
        seen = np.zeros(len(table), bool)
        for k, band in enumerate(self.card["bands"]):
            told = np.nan_to_num(snr[band], nan=-1.0) >= TOLD_FROM
            classes[:, k] = np.where(told, np.searchsorted(self.card["edges"][band], snr[band]), 0)
            names = [name for name in table.colnames if name.startswith(f"{band}:")]
            for name in names:
                table[name][~told] = np.nan
            some = [np.isfinite(np.asarray(table[name], float)) for name in names]
            seen |= told & np.any(some, axis=0)
        return classes, seen

    def predict(self, measured, definition, levels):
        """Give quantiles and P(relaxed) of clusters.

        Parameters
        ----------
        measured : StateMeasurement
            Of N clusters, by `measure_for_states`.
        definition : str
            Name of the definition.
        levels : sequence of float
            Probabilities of L quantiles.

        Returns
        -------
        tuple of `~numpy.ndarray`
            Quantiles of the number of the state (N, L), probabilities and flags, as
            `MapState.quantiles` gives them.

        Raises
        ------
        UnknownNameError
            There are no fits of that definition.
        """
        table, ranges = measured.table.copy(), [self.card[name] for name in BEFORE]
        quantiles, p_prior, flag = told_before(
            f"fits {self.card['name']!r}", self.priors, ranges, table, definition, levels
        )
        flag |= measured.flag
        for band in self.card["bands"]:
            with np.errstate(invalid="ignore"):
                flag[measured.snr[band] < TOLD_FROM] |= StateFlag.LOW_SNR
        classes, seen = self._classes(table, measured.snr)
        flag[~seen] |= StateFlag.PRIOR
        p_relaxed = p_prior.copy()
        known = self.regressions[definition]
        # A class without mocks has the fit of the nearest; bands that are left out do not count.
        keys, bands = np.array(list(known)), self.card["bands"]
        told = np.array([np.nan_to_num(measured.snr[b], nan=-1.0) >= TOLD_FROM for b in bands]).T
        for i in np.flatnonzero(seen):
            classes[i] = keys[np.argmin(np.abs(keys - classes[i]) @ told[i].astype(int))]
        for key, fit in known.items():
            rows = np.flatnonzero(seen & np.all(classes == key, axis=1))
            if len(rows):
                quantiles[rows] = fit.quantile(table[rows], levels)
                found = fit.predict(table[rows])
                p_relaxed[rows] = found["p_relaxed"]
                flag[rows[found["outside"] > 0.2 * found["used"]]] |= StateFlag.EXTRAPOLATED
        return quantiles, p_relaxed, p_prior, flag

    def _thinned(self):
        """Keep what files keep: every fourth quantile, and 32 bits."""
        regressions = {
            definition: {key: thinned(fit) for key, fit in fits.items()}
            for definition, fits in self.regressions.items()
        }
        return StateFits(
            self.card, regressions, {name: thinned(fit) for name, fit in self.priors.items()}
        )

    def write(self, path, *, overwrite=False):
        """Write the fits: a card, and plain arrays beside it.

        Parameters
        ----------
        path : path-like
            Of the card; its name ends in ``.json``. The arrays have ``.npz`` instead.
        overwrite : bool, optional
            Replace existing files.

        Raises
        ------
        InvalidInputError
            The name has another ending, a file exists, or the folder does not.
        """
        write_fits(self, path, overwrite)

    @classmethod
    def read(cls, path):
        """Read fits that `write` wrote, or that ship with szmass.

        Parameters
        ----------
        path : str or path-like
            Name of shipped fits, "planck" or "resolved", or path of a card.

        Returns
        -------
        StateFits
            The fits.

        Raises
        ------
        UnknownNameError
            There are no such fits, and no such file.
        FileFormatError
            The card or the arrays cannot be used.
        IntegrityError
            The arrays are not those of the card.
        """
        if isinstance(path, str) and path in shipped_fits():
            return _shipped(path)
        path = as_path(path, "fits")
        if not path.is_file():
            raise UnknownNameError(
                f"No fits of states are named {str(path)!r}, and there is no such file. Known: "
                f"{', '.join(shipped_fits())}."
            )
        return cls(*read_fits(path))


@functools.cache
def _shipped(name):
    with importlib.resources.as_file(_SHIPPED) as folder:
        return StateFits(*read_fits(folder / f"{name}.json"))


def shipped_fits():
    """Give the names of the fits that ship with szmass.

    Returns
    -------
    list of str
        Their names, for `StateFits.read`.
    """
    if not _SHIPPED.is_dir():
        return []
    return sorted(f.name[:-5] for f in _SHIPPED.iterdir() if f.name.endswith(".json"))


def _with_columns(fit, columns, table):
    """Add columns that the class rarely has: they tell nothing there."""
    at = [0] + [1 + columns.index(name) for name in fit.names]
    correlation = np.eye(1 + len(columns))
    correlation[np.ix_(at, at)] = fit.correlation
    values = [np.asarray(table[name], float) for name in columns]
    quantiles = np.array([np.nanquantile(v, fit.levels) for v in (values[0], *values)])
    quantiles[at] = fit.quantiles
    return StateRegression(
        fit.state, columns, fit.levels, quantiles, correlation,
        number=fit.number, shrinkage=fit.shrinkage, residuals=fit.residuals,
    )  # fmt: skip


def _metrics(parts, prior, truth):
    """Figures of merit of clusters that were predicted by fits to others, all and by class."""

    def of(tables):
        value, true, rank, p = (
            np.concatenate([np.asarray(t[name], float) for t in tables])
            for name in ("value", "truth", "rank", "p_relaxed")
        )
        relaxed = true > prior.state.limit
        return state_metrics(np.log10(value), np.log10(true), rank, p, relaxed)

    return {
        "all": of([table for _, table in parts]),
        "by_class": {" ".join(map(str, key)): of([table]) for key, table in parts},
        "below_signal_to_noise_1": len(truth) - sum(len(table) for _, table in parts),
    }
