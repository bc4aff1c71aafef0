"""Matching of rows: its options, pairs by position and by name, and what chance would give.

Positions are unit vectors and distances chords of the unit sphere: the chord c of an
angle t is 2 sin(t / 2), and a cap of radius t has the solid angle pi c^2.
"""

import re
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from scipy.spatial import cKDTree

from szmass._utils.names import name_key
from szmass._utils.quantities import as_floats
from szmass.catalogs.crossmatch._table import Pairs
from szmass.exceptions import InvalidInputError

_CHOICES = {
    "by": ("position", "name", "position_or_name"),
    "mode": ("best", "nearest", "all"),
    "redshift_scale": ("absolute", "1+z"),
}
# Rounding of unit vectors: far below a micro-arcsecond.
_ROUNDING = 1e-14
_CHUNK = 200_000
_MOST_PAIRS = 50_000_000
_SAMPLE = 500
# The density is the median over this many neighbours of that inside their own n-th neighbour.
_NEIGHBOURS = 12
_NTH = 5

_SEPARATORS = re.compile(r"[,;|]")


@dataclass(frozen=True, kw_only=True)
class Matching:
    """The options of `szmass.catalogs.crossmatch` that say what a match is."""

    radius: object = "10 arcmin"
    n_sigma: float | None = None
    delta_redshift: float | None = None
    redshift_scale: str = "absolute"
    keep_unknown_redshift: bool = False
    by: str = "position"
    mode: str = "best"
    density: object = None

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InvalidInputError(
                    f"'{name}' must be one of {', '.join(map(repr, choices))}. Received: {value!r}"
                )
        for name in ("n_sigma", "delta_redshift"):
            value = getattr(self, name)
            number = np.isscalar(value) and not isinstance(value, bool | str)
            if value is not None and not (number and 0 < value < np.inf):
                raise InvalidInputError(f"'{name}' must be a positive number. Received: {value!r}")
        if self.by != "name" and self.radius is None and self.n_sigma is None:
            raise InvalidInputError("Give a 'radius', or 'n_sigma', or both.")

    def to_dict(self):
        """Give the options as numbers and text, for ``meta``."""
        return {
            name: str(value) if isinstance(value, u.Quantity) and value.isscalar
            else f"{np.size(value)} values" if np.ndim(value) else value
            for name, value in vars(self).items()
        }  # fmt: skip

    def match(self, a, b):
        """Match two `Sources`; the chosen pairs come in the order of a."""
        i, j, named, positional = self._candidates(a, b)
        keep = self._redshifts_agree(a, b, i, j)
        i, j, named, positional = i[keep], j[keep], named[keep], positional[keep]
        separation = _separation(a.vectors[i], b.vectors[j])
        rank = separation if self.n_sigma is None else separation / _PairErrors(a, b)(i, j)
        chosen = choose_pairs(i, j, rank, named, self.mode)
        i, j, separation = i[chosen], j[chosen], separation[chosen]
        named, positional = named[chosen], positional[chosen]
        density = self.density
        if density is not None:
            density = as_floats(density, u.sr**-1, "density", positive=True, finite=True)
            if density.ndim:
                raise InvalidInputError(
                    f"'density' must be one number. Received an array of shape {density.shape}."
                )
        return Pairs(
            i=i,
            j=j,
            separation=np.degrees(separation) * 60,
            delta_redshift=b.redshift[j] - a.redshift[i],
            p_chance=chance_probability(separation, b.vectors, j, density),
            matched_by=np.where(named, np.where(positional, "position+name", "name"), "position"),
        )

    def _candidates(self, a, b):
        """Give all pairs: rows of a and b, whether by name, whether by position."""
        i = j = np.empty(0, dtype=np.intp)
        if self.by != "name":
            i, j = self._by_position(a, b)
        if self.by == "position":
            return i, j, np.zeros(len(i), dtype=bool), np.ones(len(i), dtype=bool)
        same = pairs_by_name(a.keys, b.keys)
        n = max(len(b), 1)
        by_position, by_name = i * n + j, same[0] * n + same[1]
        both = np.union1d(by_position, by_name)
        return both // n, both % n, np.isin(both, by_name), np.isin(both, by_position)

    def _by_position(self, a, b):
        for source in (a, b):
            if source.unclear:
                raise InvalidInputError(f"'{source.label}': {source.unclear}")
            if not source.positions:
                raise InvalidInputError(
                    f"'{source.label}' has no positions: neither a SkyCoord column nor ra/dec or "
                    "glon/glat. Say which columns hold them, for instance {'coord': ('lon', "
                    "'lat'), 'frame': 'icrs'} in 'columns', or match by='name'."
                )
        limit = np.full(len(a), np.pi)
        if self.radius is not None:
            limit = as_floats(self.radius, u.rad, "radius", positive=True, finite=True)
            if limit.shape not in ((), (len(a),)):
                raise InvalidInputError(
                    f"'radius' must be one angle, or one per row of '{a.label}' ({len(a)}). "
                    f"Received an array of shape {limit.shape}."
                )
            if np.any(limit > np.pi):
                raise InvalidInputError(
                    f"'radius' must be at most 180 deg. Received: {self.radius!r}"
                )
            limit = np.broadcast_to(limit, (len(a),))
        if self.n_sigma is None:
            return pairs_by_position(a.vectors, b.vectors, limit)
        error = _PairErrors(a, b)
        widest = self.n_sigma * error.widest
        i, j = pairs_by_position(a.vectors, b.vectors, np.minimum(limit, widest))
        close = _separation(a.vectors[i], b.vectors[j]) <= self.n_sigma * error(i, j) + _ROUNDING
        return i[close], j[close]

    def _redshifts_agree(self, a, b, i, j):
        if self.delta_redshift is None:
            return np.ones(len(i), dtype=bool)
        for source in (a, b):
            if len(source) and not np.isfinite(source.redshift).any():
                raise InvalidInputError(
                    f"'{source.label}' has no redshifts to compare. Say which column holds them, "
                    "for instance {'redshift': 'zspec'} in 'columns', or leave 'delta_redshift' "
                    "out."
                )
        z_a, z_b = a.redshift[i], b.redshift[j]
        difference = np.abs(z_b - z_a)
        if self.redshift_scale == "1+z":
            difference = difference / (1 + (z_a + z_b) / 2)
        # 0.13 - 0.10 is within 0.03, whatever their binary forms say.
        agree = difference <= self.delta_redshift + 1e-9
        return agree | np.isnan(difference) if self.keep_unknown_redshift else agree


def _separation(a, b):
    chord = np.linalg.norm(a - b, axis=1)
    return 2 * np.arcsin(np.minimum(chord / 2, 1))


class _PairErrors:
    """Position errors of pairs [rad], and the largest for each row of a."""

    def __init__(self, a, b):
        if a.pos_err is None and b.pos_err is None:
            raise InvalidInputError(
                f"'n_sigma' needs a column of position errors in '{a.label}' or '{b.label}': "
                "'pos_err', or say which it is, for instance {'pos_err': 'e_pos'} in 'columns'."
            )
        self._a, self._b = (_known_errors(source) for source in (a, b))
        self.widest = np.hypot(self._a, self._b.max(initial=0))

    def __call__(self, i, j):
        return np.hypot(self._a[i], self._b[j])


def _known_errors(source):
    if source.pos_err is None:
        return np.zeros(len(source))
    lost = source.known & ~np.isfinite(source.pos_err)
    if lost.any():
        raise InvalidInputError(
            f"'{source.label}': the position error is not known in {np.count_nonzero(lost)} rows, "
            f"the first of them {np.argmax(lost)}. Fill it in, or match by 'radius'."
        )
    return np.radians(np.nan_to_num(source.pos_err) / 60)


def pairs_by_position(a, b, radius):
    """Find all pairs of unit vectors, (N, 3) and (M, 3), within a radius of each row of a [rad]."""
    rows_a = np.flatnonzero(np.isfinite(a[:, 0]) & (radius > 0))
    rows_b = np.flatnonzero(np.isfinite(b[:, 0]))
    empty = np.empty(0, dtype=np.intp)
    if not len(rows_a) or not len(rows_b):
        return empty, empty
    # Rows of like radius share a tree, so that one large radius does not search for all; among
    # themselves they go by latitude, since compact trees are compared twice as fast.
    size = np.ceil(np.log2(radius[rows_a]))
    order = np.lexsort((a[rows_a, 2], size))
    rows_a, starts = rows_a[order], np.flatnonzero(np.diff(size[order], prepend=np.nan) != 0)
    limit = 2 * np.sin(np.minimum(radius, np.pi) / 2) + _ROUNDING
    tree = cKDTree(b[rows_b])
    found, total = [], 0
    for rows in _chunks(rows_a, starts):
        most = limit[rows].max()
        sample = rows[:: max(len(rows) // _SAMPLE, 1)]
        counts = tree.query_ball_point(a[sample], most, return_length=True)
        if total + counts.mean() * len(rows) > _MOST_PAIRS:
            raise InvalidInputError(
                f"'radius' (up to {np.degrees(radius.max()) * 60:.4g} arcmin) gives more than "
                f"{_MOST_PAIRS:.0e} pairs of {len(a)} and {len(b)} positions. Make it smaller."
            )
        pairs = cKDTree(a[rows]).sparse_distance_matrix(tree, most, output_type="ndarray")
        i = rows[pairs["i"]]
        close = pairs["v"] <= limit[i]
        total += np.count_nonzero(close)
        found.append((i[close], rows_b[pairs["j"][close]]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _chunks(rows, starts):
    for part in np.split(rows, starts[1:]):
        yield from np.split(part, range(_CHUNK, len(part), _CHUNK))


def choose_pairs(i, j, rank, first, mode):
    """Choose among pairs (i, j); give their indices, by row of a, the better one first.

    A smaller rank is better, NaN the worst, pairs in ``first`` are better than all others, and
    equal ones go by row of a, then of b. ``"best"`` is one-to-one, in the order of goodness.
    """
    keys = (rank, ~first) if first.any() else (rank,)
    if mode != "best":
        order = np.lexsort((j, *keys, i))
        if mode == "all" or not len(i):
            return order
        by_row = i[order]
        return order[np.concatenate(([True], by_row[1:] != by_row[:-1]))]
    order = np.lexsort((j, i, *keys))
    taken_a, taken_b = bytearray(i.max(initial=-1) + 1), bytearray(j.max(initial=-1) + 1)
    chosen = []
    for pair, row_a, row_b in zip(
        order.tolist(), i[order].tolist(), j[order].tolist(), strict=True
    ):
        if not (taken_a[row_a] or taken_b[row_b]):
            taken_a[row_a] = taken_b[row_b] = True
            chosen.append(pair)
    chosen = np.array(chosen, dtype=np.intp)
    return chosen[np.argsort(i[chosen], kind="stable")]


def chance_probability(separation, b, rows, density=None):
    """Compute the probability that a random row of b is as close, of separations (P,) [rad].

    ``b`` are unit vectors (M, 3), ``rows`` (P,) into it; density [1/sr] is measured there if None.
    """
    cap = 4 * np.pi * np.sin(separation / 2) ** 2
    probability = np.full(len(cap), np.nan)
    use = np.isfinite(cap)
    if use.any():
        if density is None:
            wanted, inverse = np.unique(rows[use], return_inverse=True)
            density = _local_density(b, wanted)[inverse]
        with np.errstate(invalid="ignore"):  # rows at one place: no cap times infinite density
            expected = np.where(cap[use] > 0, density * cap[use], 0)
        probability[use] = -np.expm1(-expected)
    return probability


def _local_density(b, wanted):
    """Measure the density around rows of b [1/sr].

    The cap to the n-th neighbour of a row holds a Gamma-distributed multiple of the mean
    area per row, whose median is n - 1/3 to one per cent. The median over the row and its
    neighbours ignores clumps; and since the caps reach over a few mean distances only, few of
    them reach over the edge of a survey.
    """
    known = np.flatnonzero(np.isfinite(b[:, 0]))
    if len(known) < 2:
        return np.full(len(wanted), len(known) / (4 * np.pi))
    tree = cKDTree(b[known])
    nth = min(_NTH, len(known) - 1)
    # In the order of the tree's leaves queries are three times as fast.
    place = np.empty(len(b), dtype=np.intp)
    place[known[tree.indices]] = np.arange(len(known))
    order = np.argsort(place[wanted])
    _, around = tree.query(b[wanted[order]], k=min(_NEIGHBOURS, len(known)), workers=-1)
    needed = np.zeros(len(known), dtype=bool)
    needed[around] = True
    needed = tree.indices[needed[tree.indices]]
    chord = np.empty(len(known))
    chord[needed] = tree.query(b[known[needed]], k=[nth + 1], workers=-1)[0][:, 0]
    density = np.empty(len(wanted))
    with np.errstate(divide="ignore"):
        density[order] = (nth - 1 / 3) / (np.pi * np.median(chord[around], axis=1) ** 2)
    return density


def name_keys(columns, *, split=()):
    """Give rows and keys of the names in columns (values, mask); a row can have none or several.

    Columns numbered in ``split`` hold lists of names, separated by ``,``, ``;`` or ``|``.
    """
    rows, keys = [], []
    for number, (values, mask) in enumerate(columns):
        for row in np.flatnonzero(~mask):
            text = str(values[row])
            for name in _SEPARATORS.split(text) if number in split else (text,):
                key = name_key(name)
                if key is not None:
                    rows.append(row)
                    keys.append(key)
    return np.array(rows, dtype=np.intp), np.array(keys, dtype=str)


def pairs_by_name(a, b):
    """Find the pairs of rows that share a key, each once, sorted; a and b are of `name_keys`."""
    by_key = {}
    for row, key in zip(*b, strict=True):
        by_key.setdefault(key, []).append(row)
    pairs = {(i, j) for i, key in zip(*a, strict=True) for j in by_key.get(key, ())}
    pairs = np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
