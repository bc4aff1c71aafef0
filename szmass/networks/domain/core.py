"""Anomaly score of cutouts: how unlike those of its training what a network sees is."""

import numpy as np

from szmass._utils.pieces import in_pieces
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks.domain._statistics import (
    MULTIPOLES,
    AnomalyScore,
    ConditionalGaussian,
    FieldStatistics,
    PairTemplates,
    SmoothBasis,
    Standardisation,
    inverse_normal,
)

__all__ = ["FEWEST", "DomainScore"]

#: What a score is made of.
_PARTS = ("pair", "noise", "peaks", "holes", "profile", "shape", "texture")
# What the last of these tell is told by all three, a little each: they count as one.
_ALONE = 4
# Pairs are common, hard to see and weighed too heavy: they count double, p of all else is halved.
_HALVED = np.log10(2)
# Statistics that are real numbers, beside the multipoles.
_REAL = ("noise", "peaks", "holes", "texture")
# Combinations of rings that are kept of each multipole: those in which clusters differ most in
# units of the noise.
_KEPT = (6, 5, 5, 3, 2)
_DEGREE, _SLOPES = 3, 1
# Blocks of the core, of 3.4 arcmin, from the middle to where the field is looked at: 20 arcmin.
_REACH = 6.0
# Levels of noise that differ by less than this, in ln, are one.
_SAME_NOISE = 0.02
#: Mocks that a score needs.
FEWEST = 1000
_CHUNK = 1024
# Blocks along the side of the largest field.
_LARGEST_SIDE = 1024
# Clusters that are scored at a time.
_AT_ONCE = 64
# Sums of squares beyond are not told apart.
_LARGEST = 1e12


class DomainScore:
    """Score of how unlike its training what a network sees is.

    It looks at the inner 20 arcmin, and at the noise of the whole field. Seven parts are held
    against what they are in domain for clusters of that mass, redshift and noise: evidence for a
    second cluster of equal mass within 10 arcmin ("pair"), typical small-scale differences away
    from the cluster ("noise"), highest and lowest values ("peaks", "holes"), mean at each radius
    ("profile"), multipoles about the middle ("shape"), and small-scale energy by radius
    ("texture"). Means and covariances are regressions on log mass, log redshift and noise. Nothing
    is fitted to anything out of domain. The score is that of the most anomalous part, where the
    last three count as one and pairs count double, turned into a rate of false alarms.

    Made by `fit` or `from_arrays`.

    Parameters
    ----------
    state : dict
        What `fit` found.
    """

    def __init__(self, state):
        self._state = state
        self._statistics = FieldStatistics(state["side"], state["reach"])

    @classmethod
    def fit(cls, planes, context, log10_mass, *, false_alarm=0.01, seed=0):
        """Fit to mocks in domain.

        Two thirds of them give means and covariances, one third the shares and the threshold.

        Parameters
        ----------
        planes : array-like
            What the network sees, shape (N, n, n, 4), of clusters that it was not trained on: at
            least 1000, better 20 000, since rates in each bin of mass and redshift are learned from
            them. Make them as cutouts will be: with the same interpolation.
        context : array-like
            Numbers that go with them: two of redshift, the second its logarithm, and any of the
            noise, shape (N, 2 + k).
        log10_mass : array-like
            What the network gives: posterior means of log10 of M500c [solMass], shape (N,).
        false_alarm : float, optional
            Share of clusters in domain that are beyond the threshold.
        seed : int, optional
            Seed of the division.

        Returns
        -------
        DomainScore
            The score.

        Raises
        ------
        InvalidInputError
            Shapes do not match, there are too few, or a value is not finite.
        """
        planes, context, log10_mass = _checked(planes, context, log10_mass)
        bad = ~_finite(planes, context, log10_mass)
        if len(planes) < FEWEST or bad.any():
            raise InvalidInputError(
                f"'planes' must be of at least {FEWEST} maps in domain, all finite with finite "
                f"masses. Received: {len(planes)}, of which {bad.sum()} are not finite"
            )
        if not 0 < false_alarm < 1:
            raise InvalidInputError(
                f"'false_alarm' must be between 0 and 1. Received: {false_alarm!r}"
            )
        order = np.random.default_rng(seed).permutation(len(planes))
        first, second = np.sort(order[len(order) // 3 :]), np.sort(order[: len(order) // 3])
        noise = _noise_directions(context[first, 2:])
        x = _variables(context, log10_mass, noise)
        low, high = x[first].min(axis=0), x[first].max(axis=0)
        basis, few = _bases(low, high, _REACH)
        statistics = FieldStatistics(planes.shape[1], _REACH)
        found = _in_chunks(statistics, planes[first])
        directions = [
            _directions(rings, found["amplitude"], kept)
            for rings, kept in zip(found["multipoles"], _KEPT, strict=True)
        ]
        numbers = {
            f"m{m}": rings @ kept.T
            for m, rings, kept in zip(MULTIPOLES, found["multipoles"], directions, strict=True)
        } | {name: found[name] for name in _REAL}
        terms = basis(x[first])
        state = {
            "side": planes.shape[1],
            "reach": _REACH,
            "false_alarm": float(false_alarm),
            "noise_directions": noise,
            "basis": basis,
            "few": few,
            "directions": directions,
            "densities": {
                name: ConditionalGaussian.fit(values, terms, few(x[first]))
                for name, values in numbers.items()
            },
            "pairs": PairTemplates.fit(
                np.sinh(planes[first][..., 1]), terms, statistics, directions
            ),
        }
        score = cls(state)
        raw, terms = score._distances(planes[second], x[second])
        inverse = inverse_normal(terms)
        state["standardised"] = [Standardisation.fit(values, terms, inverse) for values in raw.T]
        even = np.stack(
            [f(values, terms) for f, values in zip(state["standardised"], raw.T, strict=True)]
        )
        state["scores"] = [AnomalyScore.fit(values) for values in even]
        parts = np.array([f(values) for f, values in zip(state["scores"], even, strict=True)])
        state["form"] = AnomalyScore.fit(parts[_ALONE:].sum(axis=0))
        state["joint"] = AnomalyScore.fit(score._largest(parts))
        return score

    @property
    def false_alarm(self):
        """Share of clusters in domain that are beyond the threshold."""
        return self._state["false_alarm"]

    @property
    def threshold(self):
        """Scores above are out of domain: -log10 of the share of false alarms."""
        return -np.log10(self.false_alarm)

    def score(self, planes, context, log10_mass):
        """Give the score.

        Parameters
        ----------
        planes : array-like
            What the network sees, shape (N, n, n, 4).
        context : array-like
            Numbers that go with them: two of redshift, the second its logarithm, and any of the
            noise, shape (N, 2 + k).
        log10_mass : array-like
            What the network gives: posterior means of log10 of M500c [solMass], shape (N,).

        Returns
        -------
        ndarray
            -log10 of the share of clusters in domain, of that mass, redshift and noise, that are
            as anomalous; beyond 1.3 extrapolated in part. Infinite where a value is not finite.

        Raises
        ------
        InvalidInputError
            Shapes do not match, or are not those that it was fitted to.
        """
        return self._evaluate(planes, context, log10_mass)[0]

    def outside(self, planes, context, log10_mass):
        """Say which are out of domain.

        Parameters
        ----------
        planes, context, log10_mass : array-like
            As for `score`.

        Returns
        -------
        ndarray of bool
            Whether the score is above the threshold, or is none.
        """
        return ~(self.score(planes, context, log10_mass) <= self.threshold)

    def parts(self, planes, context, log10_mass):
        """Give the anomaly scores of the parts.

        Parameters
        ----------
        planes, context, log10_mass : array-like
            What N cutouts are for networks, as for `score`.

        Returns
        -------
        dict of str to ndarray
            By name: "pair", "noise", "peaks", "holes", "profile", "shape" and "texture" alone.
        """
        return dict(zip(_PARTS, self._evaluate(planes, context, log10_mass)[1], strict=True))

    def _evaluate(self, planes, context, log10_mass):
        """Scores (N,), and those of the parts (parts, N)."""
        planes, context, log10_mass = _checked(planes, context, log10_mass)
        state = self._state
        if planes.shape[1] != state["side"]:
            raise InvalidInputError(
                f"'planes' must have {state['side']} blocks along a side, as those that the score "
                f"was fitted to. Received: shape {planes.shape}"
            )
        known = 2 + len(state["noise_directions"])
        if context.shape[1] != known:
            raise InvalidInputError(
                f"'context' must have {known} columns, as that which the score was fitted to. "
                f"Received: shape {context.shape}"
            )
        good = _finite(planes, context, log10_mass)
        found = np.full((len(planes), 1 + len(_PARTS)), np.inf)
        if good.any():
            given = planes[good], context[good], log10_mass[good]
            found[good] = in_pieces(self._scores, _AT_ONCE, *given)
        return found[:, 0], found[:, 1:].T

    def _scores(self, planes, context, log10_mass):
        """Scores, and those of the parts, (N, 1 + parts)."""
        state = self._state
        x = _variables(context, log10_mass, state["noise_directions"])
        raw, terms = self._distances(planes, x)
        parts = np.array(
            [
                score(even(values, terms))
                for even, score, values in zip(
                    state["standardised"], state["scores"], raw.T, strict=True
                )
            ]
        )
        return np.column_stack([state["joint"](self._largest(parts)), parts.T])

    def _largest(self, parts):
        """The largest of the scores of parts (parts, N), of which some count as one."""
        form = self._state["form"](parts[_ALONE:].sum(axis=0))
        others = np.maximum(parts[1:_ALONE].max(axis=0), form)
        return np.maximum(parts[0], others - _HALVED)

    def _distances(self, planes, x):
        """Distances (N, parts) from what is expected, and the basis at x."""
        rows = [np.zeros((0, len(_PARTS)))]
        for start in range(0, len(planes), _CHUNK):
            part = slice(start, start + _CHUNK)
            rows.append(self._distances_of(self._statistics(planes[part]), x[part]))
        return np.concatenate(rows), self._state["basis"](x)

    def _distances_of(self, found, x):
        state = self._state
        density = state["densities"]
        terms, few = state["basis"](x), state["few"](x)
        rings = [
            values @ kept.T
            for values, kept in zip(found["multipoles"], state["directions"], strict=True)
        ]
        white = [density[f"m{m}"].whiten(values, terms, few) for m, values in enumerate(rings)]
        pair = state["pairs"].log_evidence(
            white, found["amplitude"], terms, few, [density[f"m{m}"] for m in MULTIPOLES]
        )
        groups = {"profile": white[:1], "shape": white[1:]} | {
            name: [density[name].whiten(found[name], terms, few)] for name in _REAL
        }
        columns = [np.arcsinh(pair)]
        for name in _PARTS[1:]:
            square = sum((np.abs(values) ** 2).sum(axis=1) for values in groups[name])
            columns.append(np.log(np.clip(square, 1e-9, _LARGEST)))
        return np.stack(columns, axis=1)

    def to_arrays(self):
        """Give what the score is made of as plain arrays.

        Returns
        -------
        dict of str to ndarray
            Less than 1 MB, for ``numpy.savez``.
        """
        state = self._state
        arrays = {
            "side": np.array(state["side"]),
            "reach": np.array(state["reach"]),
            "false_alarm": np.array(state["false_alarm"]),
            "noise_directions": state["noise_directions"],
            "range": np.stack([state["basis"].low, state["basis"].high]),
            "pair_brightness": state["pairs"].brightness,
            "evened": np.stack([[f.middle, f.width] for f in state["standardised"]]),
        }
        for m, kept in enumerate(state["directions"]):
            arrays[f"directions_{m}"] = kept
            arrays[f"pair_rings_{m}"] = state["pairs"].rings[m]
        for name, density in state["densities"].items():
            for part in ("means", "slopes", "variances"):
                arrays[f"{name}_{part}"] = np.concatenate(getattr(density, part))
        scores = [*state["scores"], state["form"], state["joint"]]
        arrays["quantiles"] = np.stack([f.quantiles for f in scores])
        arrays["tails"] = np.array([f.scale for f in scores])
        return arrays

    @classmethod
    def from_arrays(cls, arrays):
        """Make a score from what `to_arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            The arrays; others are ignored.

        Returns
        -------
        DomainScore
            The same score.

        Raises
        ------
        FileFormatError
            An array is missing or has another shape.
        """
        try:
            for name, array in arrays.items():
                values = np.asarray(array)
                if values.dtype.kind not in "fiuc" or not np.all(np.isfinite(values)):
                    raise ValueError(f"{name} must be finite numbers")
            score = cls(_state(arrays))
            # Arrays that do not go together are told now, not when clusters are weighed.
            side = score._state["side"]
            with np.errstate(all="ignore"):
                context = np.zeros((1, 2 + len(score._state["noise_directions"])))
                score._scores(np.zeros((1, side, side, 4)), context, np.full(1, 14.5))
            return score
        except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
            raise FileFormatError(
                "The arrays are not those of a DomainScore of this version of szmass: "
                f"{error}. Fit it again, or take the arrays from DomainScore.to_arrays()."
            ) from error


def _bases(low, high, reach):
    """What everything, and what slopes on other numbers, depend on mass, redshift and noise by."""
    full = 2 if np.isfinite(reach) else len(low)
    return [SmoothBasis(low, high, degree, full) for degree in (_DEGREE, _SLOPES)]


def _state(arrays):
    low, high = arrays["range"]
    # Scores without look at the whole field.
    reach = float(arrays.get("reach", np.inf))
    basis, few = _bases(low, high, reach)
    densities = {}
    for name in (*(f"m{m}" for m in MULTIPOLES), *_REAL):
        variances = np.reshape(arrays[f"{name}_variances"], (-1, len(basis)))
        number = len(variances)
        # Multipoles but the first have no mean.
        terms = 0 if name in [f"m{m}" for m in MULTIPOLES if m] else len(basis)
        means = np.reshape(arrays[f"{name}_means"], (number, terms))
        ends = np.cumsum(len(few) * np.arange(number))
        slopes = np.split(arrays[f"{name}_slopes"], ends[:-1])
        if any(len(slope) != k * len(few) for k, slope in enumerate(slopes)):
            raise ValueError(f"{name}_slopes has {arrays[f'{name}_slopes'].shape}")
        densities[name] = ConditionalGaussian(list(means), slopes, list(variances))
    rings = [np.asarray(arrays[f"pair_rings_{m}"]) for m in MULTIPOLES]
    for name, array, length in (
        ("evened", arrays["evened"], len(_PARTS)),
        ("quantiles", arrays["quantiles"], len(_PARTS) + 2),
        ("pair_brightness", arrays["pair_brightness"], len(basis)),
        *((f"pair_rings_{m}", rings[m], len(basis)) for m in MULTIPOLES),
    ):
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} rows, expected {length}")
    low, high = np.asarray(arrays["range"])
    for name, kept in {
        "side": np.ndim(arrays["side"]) == 0 and 4 <= arrays["side"] <= _LARGEST_SIDE,
        "reach": np.ndim(arrays.get("reach", 1.0)) == 0 and arrays.get("reach", 1.0) > 0,
        "false_alarm": np.ndim(arrays["false_alarm"]) == 0 and 0 < arrays["false_alarm"] < 1,
        "range": low.ndim == 1 and np.all(low <= high),
        "quantiles": np.all(np.diff(arrays["quantiles"], axis=1) >= 0),
        "tails": np.all(np.asarray(arrays["tails"]) > 0),
    }.items():
        if not kept:
            raise ValueError(f"{name} has values that it cannot have")
    scores = [
        AnomalyScore(quantiles, scale)
        for quantiles, scale in zip(arrays["quantiles"], arrays["tails"], strict=True)
    ]
    return {
        "side": int(arrays["side"]),
        "reach": reach,
        "false_alarm": float(arrays["false_alarm"]),
        "noise_directions": np.asarray(arrays["noise_directions"]),
        "basis": basis,
        "few": few,
        "directions": [np.asarray(arrays[f"directions_{m}"]) for m in MULTIPOLES],
        "densities": densities,
        "pairs": PairTemplates(rings, np.asarray(arrays["pair_brightness"])),
        "standardised": [Standardisation(*pair) for pair in arrays["evened"]],
        "scores": scores[:-2],
        "form": scores[-2],
        "joint": scores[-1],
    }


def _checked(planes, context, log10_mass):
    planes = np.asarray(planes)
    context = as_floats(context, "", "context")
    log10_mass = as_floats(log10_mass, "", "log10_mass")
    n = len(log10_mass) if log10_mass.ndim == 1 else -1
    square = planes.ndim == 4 and planes.shape[1] == planes.shape[2] and planes.shape[3] == 4
    if not square or len(planes) != n or context.ndim != 2 or len(context) != n:
        raise InvalidInputError(
            "'planes', 'context' and 'log10_mass' must have the shapes (N, n, n, 4), (N, k) and "
            f"(N,). Received: {planes.shape}, {context.shape} and {log10_mass.shape}"
        )
    return planes, context, log10_mass


def _finite(planes, context, log10_mass):
    finite = np.isfinite(planes).all(axis=(1, 2, 3)) & np.isfinite(context).all(axis=1)
    return finite & np.isfinite(log10_mass)


def _variables(context, log10_mass, noise):
    """What everything depends on: log mass, log redshift, noise as far as it differs."""
    return np.column_stack([log10_mass, context[:, 1], context[:, 2:] @ noise])


def _noise_directions(levels):
    """Directions (levels, kept) in which levels of noise differ."""
    _, width, directions = np.linalg.svd(levels - levels.mean(axis=0), full_matrices=False)
    return directions[width / np.sqrt(len(levels)) > _SAME_NOISE].T


def _in_chunks(statistics, planes):
    parts = [statistics(planes[i : i + _CHUNK]) for i in range(0, len(planes), _CHUNK)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in ("amplitude", *_REAL)}
    rings = zip(*(part["multipoles"] for part in parts), strict=True)
    return found | {"multipoles": [np.concatenate(values) for values in rings]}


def _directions(rings, amplitude, kept):
    """Combinations of rings in which bright clusters differ most in units of the noise."""
    faint, bright = (
        rings[where]
        for where in (
            amplitude < np.quantile(amplitude, 0.3),
            amplitude > np.quantile(amplitude, 0.7),
        )
    )
    if not np.iscomplexobj(rings):
        faint, bright = faint - faint.mean(axis=0), bright - bright.mean(axis=0)
    covariance = (faint.conj().T @ faint).real / len(faint)
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    signal = bright @ inverse.T
    # Every cluster counts the same, however bright.
    signal /= np.sqrt((np.abs(signal) ** 2).sum(axis=1, keepdims=True))
    _, vectors = np.linalg.eigh((signal.conj().T @ signal).real)
    return vectors[:, ::-1][:, :kept].T @ inverse
