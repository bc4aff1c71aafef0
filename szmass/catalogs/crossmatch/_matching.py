"""What makes two rows a pair: the options of cross-matching, and the match itself."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.catalogs.crossmatch._name_keys import pairs_by_name
from szmass.catalogs.crossmatch._pairs import chance_probability, choose_pairs, pairs_by_position
from szmass.catalogs.crossmatch._table import Pairs
from szmass.exceptions import InvalidInputError

__all__ = ["Matching"]

_CHOICES = {
    "by": ("position", "name", "position_or_name"),
    "mode": ("best", "nearest", "all"),
    "redshift_scale": ("absolute", "1+z"),
}
# Rounding of unit vectors: far below a micro-arcsecond.
_ROUNDING = 1e-14


@dataclass(frozen=True, kw_only=True)
class Matching:
    """The options of `szmass.catalogs.crossmatch.core` that say what a match is.

    Parameters
    ----------
    radius, n_sigma, delta_redshift, redshift_scale, keep_unknown_redshift, by, mode, density
        See there.
    """

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
        """Give the options as numbers and text, for ``meta``.

        Returns
        -------
        dict
            By name.
        """
        return {
            name: str(value) if isinstance(value, u.Quantity) and value.isscalar
            else f"{np.size(value)} values" if np.ndim(value) else value
            for name, value in vars(self).items()
        }  # fmt: skip

    def match(self, a, b):
        """Match two catalogues.

        Parameters
        ----------
        a, b : `~szmass.catalogs.crossmatch._sources.Sources`
            The catalogues.

        Returns
        -------
        Pairs
            The chosen pairs, in the order of a.
        """
        i, j, named, positional = self._candidates(a, b)
        keep = self._redshifts_agree(a, b, i, j)
        i, j, named, positional = i[keep], j[keep], named[keep], positional[keep]
        separation = _separation(a.vectors[i], b.vectors[j])
        rank = separation if self.n_sigma is None else separation / _errors(a, b)(i, j)
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
        error = _errors(a, b)
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


class _errors:  # noqa: N801 - used as a function
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
