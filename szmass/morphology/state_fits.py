"""Fits of the dynamical state to mock clusters as the data see them, for each signal-to-noise."""

import functools
import hashlib
import importlib.resources
import json
import zipfile
import zlib
from typing import NamedTuple

import astropy.units as u
import joblib
import numpy as np
from astropy.table import Table

from szmass._io.download import check_sha256
from szmass._io.files import atomic_path
from szmass._io.limits import check_npz
from szmass._utils.kinds import as_path
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed
from szmass._utils.workers import check_workers
from szmass.exceptions import (
    CardMismatchError,
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    SzmassError,
    UnknownNameError,
)
from szmass.maps import CutoutGeometry
from szmass.morphology.definitions import get_morphology_preset
from szmass.morphology.flags import StateFlag
from szmass.morphology.state_measurement import XRAY_RING, measure_for_states
from szmass.morphology.states import StateRegression
from szmass.physics import get_dynamical_state
from szmass.version import __version__

__all__ = ["StateFits", "shipped_fits"]

_SHIPPED = importlib.resources.files("szmass") / "data" / "states"
_FORMAT_VERSION = 1
_DAMAGES = (  # what reading something else, or less, raises
    *(AttributeError, LookupError, TypeError, ValueError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)
#: What is known of a cluster before it is looked at.
_BEFORE = ("log10_mass", "redshift")
_TOLD_FROM = 1.0  # signal over noise
_KNOWN_FOR = 120  # clusters of a class, for a parameter that counts there
_FEWEST = 150  # clusters of a class that has a fit of its own
_EVERY = 4  # quantiles that are kept, of those of a regression


class _Mocks(NamedTuple):
    """How mock clusters are measured, in whatever process."""

    mass: str
    scatter: float
    depth: str | None
    definitions: tuple
    seed: int
    options: dict

    def measure(self, i, sample):
        """Give what is measured of a sample, true states, and beam and geometry."""
        sample = sample() if callable(sample) else sample
        rng = np.random.default_rng([self.seed, i])
        mass = sample.quantity(self.mass) * 10 ** (self.scatter * rng.standard_normal(len(sample)))
        depth = None if self.depth is None else sample.quantity(self.depth).value
        measured = measure_for_states(sample, mass, depth=depth, **self.options)
        truth = {d: get_dynamical_state(d).measure(sample.table) for d in self.definitions}
        return measured, truth, (sample.cutouts.beam, sample.cutouts.geometry)


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
              depth=None, definitions=("deluca2021", "cui2018"), preset="standard", center="peak",
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
        check_seed(seed)
        bands = list(edges)
        options = {
            "cosmology": cosmology, "bands": bands, "preset": preset, "center": center
        }  # fmt: skip
        job = _Mocks(mass, mass_scatter, depth, tuple(definitions), seed, options)
        done = joblib.Parallel(n_jobs=check_workers(workers))(
            joblib.delayed(job.measure)(i, sample) for i, sample in enumerate(samples)
        )
        found, truths, (beam, geometry) = [d[0] for d in done], [d[1] for d in done], done[0][2]
        numbers = {d: [truth[d] for truth in truths] for d in definitions}
        number = sum(len(one.flag) for one in found)
        columns = found[0].table.colnames
        table = Table({c: np.concatenate([one.table[c] for one in found]) for c in columns})
        snr = {band: np.concatenate([one.snr[band] for one in found]) for band in bands}
        card = {
            "format_version": _FORMAT_VERSION,
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
        for definition, values in numbers.items():
            truth = np.concatenate(values)
            options = {"state": definition}
            fits.priors[definition] = StateRegression.fit(
                table, truth, parameters=list(_BEFORE), **options
            )
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
            told = np.nan_to_num(snr[band], nan=-1.0) >= _TOLD_FROM
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
        quantiles : `~numpy.ndarray`
            Of the number of the state, (N, L).
        p_relaxed, p_prior : `~numpy.ndarray`
            Probability of being relaxed, and that without the map, (N,).
        flag : `~numpy.ndarray` of int
            Bits of `StateFlag`.

        Raises
        ------
        UnknownNameError
            There are no fits of that definition.
        """
        if definition not in self.priors:
            raise UnknownNameError(
                f"The fits {self.card['name']!r} are not of the state {definition!r}: they know "
                f"{', '.join(self.priors)}."
            )
        table, flag = measured.table.copy(), measured.flag.copy()
        for name in _BEFORE:
            low, high = self.card[name]
            flag[(table[name] < low) | (table[name] > high)] |= StateFlag.BEYOND_MOCKS
        for band in self.card["bands"]:
            with np.errstate(invalid="ignore"):
                flag[measured.snr[band] < _TOLD_FROM] |= StateFlag.LOW_SNR
        classes, seen = self._classes(table, measured.snr)
        flag[~seen] |= StateFlag.PRIOR
        prior = self.priors[definition]
        quantiles = prior.quantile(table, levels)
        p_prior = np.asarray(prior.predict(table)["p_relaxed"], float)
        p_relaxed = p_prior.copy()
        known = self.regressions[definition]
        # A class without mocks has the fit of the nearest; bands that are left out do not count.
        keys, bands = np.array(list(known)), self.card["bands"]
        told = np.array([np.nan_to_num(measured.snr[b], nan=-1.0) >= _TOLD_FROM for b in bands]).T
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

    def check(self, stack):
        """Refuse cutouts, or images of another field, that the fits were not made for.

        Parameters
        ----------
        stack : `~szmass.maps.CutoutStack` or `~szmass.simulations.FieldStack`
            The cutouts.

        Raises
        ------
        CardMismatchError
            Their beam is not known or differs by more than a tenth, or their pixels by more than a
            third.
        """
        card = self.card
        if stack.beam is None:
            raise CardMismatchError(
                f"The fits {card['name']!r} are for a beam of {card['beam_arcmin']:.3g} arcmin. "
                "That of the cutouts is not known: open the map with "
                "ComptonMap.read(..., beam=10 * u.arcmin)."
            )
        beam = stack.beam.to_value(u.arcmin)
        pixel = stack.geometry.pixel_scale
        pixel = pixel.to_value(u.arcmin) if pixel.unit.is_equivalent(u.arcmin) else np.nan
        for what, own, made, most in (
            ("a beam", beam, card["beam_arcmin"], 0.1),
            ("pixels", pixel, card["pixel_arcmin"], 1 / 3),
        ):
            if not abs(own / made - 1) <= most:
                raise CardMismatchError(
                    f"The fits {card['name']!r} are for {what} of {made:.3g} arcmin. The cutouts "
                    f"have {own:.3g} arcmin. Take other fits, or train some on mocks of such "
                    "cutouts (StateFits.train)."
                )

    def _thinned(self):
        """Keep what files keep: every fourth quantile, and 32 bits."""
        regressions = {
            definition: {key: _thinned(fit) for key, fit in fits.items()}
            for definition, fits in self.regressions.items()
        }
        return StateFits(
            self.card, regressions, {name: _thinned(fit) for name, fit in self.priors.items()}
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
        path = as_path(path)
        if path.suffix != ".json":
            raise InvalidInputError(f"'path' must end in .json. Received: {str(path)!r}")
        arrays = {}
        for definition, prior in self.priors.items():
            fits = self.regressions[definition]
            _pack(arrays, f"{definition}/prior", [prior])
            _pack(arrays, definition, list(fits.values()))
            arrays[f"{definition}/classes"] = np.array(list(fits), np.int16)
        names = {
            "prior": list(_BEFORE),
            "fit": list(next(iter(next(iter(self.regressions.values())).values())).names),
        }
        card = self.card | {"names": names, "definitions": list(self.priors)}
        with (  # both are written before either takes its place
            atomic_path(path, overwrite=overwrite) as text,
            atomic_path(path.with_suffix(".npz"), overwrite=overwrite) as binary,
        ):
            with open(binary, "wb") as stream:
                np.savez_compressed(stream, **arrays)
            card["sha256"] = hashlib.sha256(binary.read_bytes()).hexdigest()
            text.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

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
        return cls._read(path)

    @classmethod
    def _read(cls, path):
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            if card["format_version"] != _FORMAT_VERSION:
                raise ValueError(f"its format has version {card['format_version']}")
            file = path.with_suffix(".npz")
            check_sha256(file, card.pop("sha256"), remedy="Train or install the fits again.")
            check_npz(file)
            names, regressions, priors = card.pop("names"), {}, {}
            _check_card(card, names)
            with np.load(file, allow_pickle=False) as arrays:
                for definition in card.pop("definitions"):
                    own = (arrays, definition, names)
                    priors[definition] = _unpack(*own, "prior")[0]
                    keys = [tuple(key) for key in arrays[f"{definition}/classes"].tolist()]
                    if {len(key) for key in keys} != {len(card["bands"])}:
                        raise ValueError(f"its classes of {definition!r} are not those of bands")
                    regressions[definition] = dict(zip(keys, _unpack(*own, "fit"), strict=True))
            return cls(card, regressions, priors)
        except (*_DAMAGES, SzmassError) as err:
            if isinstance(err, FileFormatError | IntegrityError):
                raise
            raise FileFormatError(f"{path} are no fits of states: {err}") from err


def _check_card(card, names):
    """Raise an error where a card lacks what is asked of it later, or has something else there."""
    bands = card["bands"]
    if not bands or not set(bands) <= {"y", "X"}:
        raise ValueError(f"its bands must be of y and X, not {bands}")
    for key in ("beam_arcmin", "pixel_arcmin"):
        as_floats(card[key], "", key, positive=True, finite=True)
    for key in ("log10_mass", "redshift"):
        edges = as_floats(card[key], "", key, finite=True)
        if edges.shape != (2,) or edges[0] > edges[1]:
            raise ValueError(f"{key!r} must be two rising numbers, not {card[key]}")
    for band in bands:
        edges = as_floats(card["edges"][band], "", f"edges of {band!r}", finite=True)
        if edges.ndim != 1 or np.any(np.diff(edges) <= 0):
            raise ValueError(f"the edges of {band!r} must rise, and are {card['edges'][band]}")
    CutoutGeometry(tuple(card["shape"]), card["pixel_arcmin"] * u.arcmin)
    get_morphology_preset(card["preset"])
    if card["center"] not in ("peak", "centroid", "middle"):
        raise ValueError(f"'center' must be 'peak', 'centroid' or 'middle', not {card['center']!r}")
    if not isinstance(card["name"], str) or names["prior"] != list(_BEFORE):
        raise ValueError("its name is no text, or its prior is of something else")
    dict(card["training"])
    for found in card["metrics"].values():
        dict(found["all"])


@functools.cache
def _shipped(name):
    with importlib.resources.as_file(_SHIPPED) as folder:
        return StateFits._read(folder / f"{name}.json")


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


def _thinned(fit):
    single = [np.asarray(a, np.float32).astype(float) for a in (fit.quantiles, fit.correlation)]
    return StateRegression(
        fit.state, fit.names, fit.levels[::_EVERY], single[0][:, ::_EVERY], single[1],
        number=fit.number, shrinkage=fit.shrinkage, residuals=fit.residuals[::_EVERY],
    )  # fmt: skip


def _pack(arrays, name, fits):
    for what in ("quantiles", "correlation"):
        arrays[f"{name}/{what}"] = np.array([getattr(fit, what) for fit in fits], np.float32)
    for what in ("levels", "residuals", "number", "shrinkage"):
        arrays[f"{name}/{what}"] = np.array([getattr(fit, what) for fit in fits])


def _unpack(arrays, definition, names, what):
    start = f"{definition}/prior" if what == "prior" else definition
    columns = ("levels", "quantiles", "correlation", "residuals", "number", "shrinkage")
    packed = zip(*(arrays[f"{start}/{column}"] for column in columns), strict=True)
    return [
        StateRegression(
            definition, names[what], levels, quantiles, correlation,
            number=int(number), shrinkage=float(shrinkage), residuals=residuals,
        )
        for levels, quantiles, correlation, residuals, number, shrinkage in packed
    ]  # fmt: skip


def _metrics(parts, prior, truth):
    """Figures of merit of clusters that were predicted by fits to others, all and by class."""

    def of(tables):
        value, true, rank, p = (
            np.concatenate([np.asarray(t[name], float) for t in tables])
            for name in ("value", "truth", "rank", "p_relaxed")
        )
        relaxed = true > prior.state.limit
        order = np.argsort(np.argsort(p)) + 1.0
        n, positive = len(p), relaxed.sum()
        area = order[relaxed].sum() - positive * (positive + 1) / 2
        off = np.abs(rank - 0.5)
        return {
            "number": n,
            "r_log_chi": round(float(np.corrcoef(np.log10(value), np.log10(true))[0, 1]), 3),
            "auc": round(float(area / max(positive * (n - positive), 1)), 3),
            "inside_68": round(float(np.mean(off < 0.34)), 3),
            "inside_95": round(float(np.mean(off < 0.475)), 3),
            "mean_p_relaxed": round(float(p.mean()), 3),
            "relaxed": round(float(relaxed.mean()), 3),
        }

    return {
        "all": of([table for _, table in parts]),
        "by_class": {" ".join(map(str, key)): of([table]) for key, table in parts},
        "below_signal_to_noise_1": len(truth) - sum(len(table) for _, table in parts),
    }
