"""Depth of a map: its noise amplitude over the sky, as a distribution or as a map.

A factor multiplies the noise of the field or pixel; the median of the sky is about 1.
"""

import numpy as np
from astropy.coordinates import SkyCoord

from szmass._utils.docs import InheritsDocstrings
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_positions, check_whole_sky
from szmass.maps.frames import frame_named, lonlat
from szmass.maps.noise._power import draw_sky, upgrade

__all__ = ["DepthMap", "LogNormalDepth", "TabulatedDepth"]

# Size of the patches whose depth is drawn where only a distribution is known: that of the 417
# patches of the Planck noise table, which cover 62 % of the sky.
_PATCH = np.radians(8.0)


class _Depth(InheritsDocstrings):
    """Factor of the noise amplitude that varies over the sky."""

    def sample(self, n, rng):
        """Draw the factors of fields at random positions where they are known.

        Parameters
        ----------
        n : int
            Number of fields.
        rng : `~numpy.random.Generator` or int
            Source of random numbers, or a seed.

        Returns
        -------
        `~numpy.ndarray`
            Of length n.
        """
        raise NotImplementedError


class _DepthDistribution(_Depth):
    """Depth whose distribution is known, but not where on the sky which value is."""

    def sample(self, n, rng):
        from scipy.special import ndtri

        uniform = np.random.default_rng(rng).random(n)
        return self._at_normal(ndtri(np.maximum(uniform, np.finfo(float).tiny)))

    def on_sky(self, nside, rng, *, frame="galactic"):
        """Draw a sky whose factors have this distribution and vary over about 8 deg.

        Parameters
        ----------
        nside : int
            HEALPix resolution of the result.
        rng : `~numpy.random.Generator` or int
            Source of random numbers, or a seed.
        frame : str, optional
            Frame of the result; of no consequence here.

        Returns
        -------
        `~numpy.ndarray`
            One factor per pixel, in RING ordering.
        """
        frame_named(frame)
        ell = np.arange(97)
        power = np.exp(-ell * (ell + 1) * (_PATCH / 2.355) ** 2)
        power *= 4 * np.pi / np.sum((2 * ell + 1) * power)
        coarse = draw_sky(power, 32, np.random.default_rng(rng))
        return self._at_normal(upgrade(coarse, nside))


class LogNormalDepth(_DepthDistribution):
    """Noise amplitude that is log-normal over the sky with median 1.

    Parameters
    ----------
    sigma_ln : float, optional
        Standard deviation of the natural logarithm of the factor. 0.18 describes the 417
        patches of the Planck noise table for small clusters.

    Raises
    ------
    InvalidInputError
        The value is negative or not finite.
    """

    def __init__(self, sigma_ln=0.18):
        sigma_ln = as_floats(sigma_ln, "", "sigma_ln", finite=True)
        if sigma_ln.ndim or sigma_ln < 0:
            raise InvalidInputError(f"'sigma_ln' must be a number >= 0. Received: {sigma_ln}")
        self.sigma_ln = float(sigma_ln)

    def __repr__(self):
        return f"LogNormalDepth({self.sigma_ln:g})"

    def _at_normal(self, normal):
        return np.exp(self.sigma_ln * normal)

    def to_dict(self):
        """Give the distribution as plain values.

        Returns
        -------
        dict
            For JSON.
        """
        return {"kind": "lognormal", "sigma_ln": self.sigma_ln}


class TabulatedDepth(_DepthDistribution):
    """Noise amplitude with the distribution of given factors.

    Parameters
    ----------
    factors : array-like
        Factors, > 0.
    weights : array-like, optional
        How much of the sky has each; equal if not given.

    Raises
    ------
    InvalidInputError
        A factor is not positive and finite, a weight is negative, or lengths differ.
    """

    def __init__(self, factors, weights=None):
        factors = as_floats(factors, "", "factors", positive=True, finite=True)
        weights = np.ones_like(factors) if weights is None else weights
        weights = as_floats(weights, "", "weights", finite=True)
        if factors.ndim != 1 or not factors.size or weights.shape != factors.shape:
            raise InvalidInputError(
                "'factors' and 'weights' must be one-dimensional, of one length and not empty. "
                f"Received: shapes {factors.shape} and {weights.shape}"
            )
        if np.any(weights < 0) or not weights.sum() > 0:
            raise InvalidInputError("'weights' must be >= 0 and not all 0.")
        order = np.argsort(factors)
        self.factors, self.weights = factors[order], weights[order] / weights.sum()
        self._cumulative = np.cumsum(self.weights)

    def __repr__(self):
        low, middle, high = self._quantile(np.array([0.05, 0.5, 0.95]))
        return (
            f"<TabulatedDepth of {len(self.factors)}: 5-50-95 % {low:.2f}-{middle:.2f}-{high:.2f}>"
        )

    def _quantile(self, fraction):
        index = np.searchsorted(self._cumulative, fraction)
        return self.factors[np.minimum(index, len(self.factors) - 1)]

    def _at_normal(self, normal):
        from scipy.special import ndtr

        return self._quantile(ndtr(normal))

    def to_dict(self):
        """Give the distribution as plain values.

        Returns
        -------
        dict
            For JSON.
        """
        return {
            "kind": "tabulated",
            "factors": self.factors.tolist(),
            "weights": self.weights.tolist(),
        }


class DepthMap(_Depth):
    """Noise amplitude known at each position, as a HEALPix map.

    Parameters
    ----------
    values : array-like
        One factor per pixel of the sky, in RING ordering, or a map of the noise standard deviation
        with ``normalise``; NaN, UNSEEN and values <= 0 mark pixels where it is not known.
    frame : str or `~astropy.coordinates.BaseCoordinateFrame`, optional
        Frame of the pixels.
    normalise : bool, optional
        Divide by the median, so that the noise spectrum describes the median of the sky.

    Raises
    ------
    InvalidInputError
        The length is not 12 nside^2, or no pixel is valid.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import DepthMap
    >>> values = np.linspace(0.8, 1.2, 12 * 8**2)  # HEALPix pixels in rings, from North to South
    >>> depth = DepthMap(values)
    >>> depth.at(SkyCoord([0, 0], [80, -80], unit="deg", frame="galactic")).round(2)
    array([0.8 , 1.19])
    """

    def __init__(self, values, frame="galactic", *, normalise=False):
        values = as_floats(values, "", "values")
        self.nside = check_whole_sky(values)
        self._frame = frame_named(frame)
        known = np.isfinite(values) & (values > 0)
        if not known.any():
            raise InvalidInputError("'values' must be positive somewhere. Received: no such pixel")
        self.values = np.where(known, values, np.nan)
        if normalise:
            self.values /= np.nanmedian(self.values)

    def __repr__(self):
        low, middle, high = np.nanpercentile(self.values, [5, 50, 95])
        return (
            f"<DepthMap: nside={self.nside}, frame={self.frame!r}, "
            f"5-50-95 % {low:.2f}-{middle:.2f}-{high:.2f}>"
        )

    @property
    def frame(self):
        """Name of the frame of the pixels."""
        return self._frame.name

    def to_dict(self):
        """Give the frame as a plain value; the pixels are apart, in ``values``.

        Returns
        -------
        dict
            For JSON.
        """
        return {"kind": "map", "frame": self.frame}

    def at(self, coord):
        """Give the factors at positions.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord`
            N positions, or one.

        Returns
        -------
        `~numpy.ndarray`
            Of length N; NaN where it is not known.
        """
        import healpy

        lon, lat = lonlat(check_positions(coord), self._frame)
        result = np.full(lon.shape, np.nan)
        known = np.isfinite(lon)
        pixels = healpy.ang2pix(self.nside, np.pi / 2 - lat[known], lon[known])
        result[known] = self.values[pixels]
        return result

    def sample(self, n, rng):
        return np.random.default_rng(rng).choice(self.values[np.isfinite(self.values)], n)

    def on_sky(self, nside, rng=None, *, frame="galactic"):
        """Give the factors on another HEALPix grid.

        Parameters
        ----------
        nside : int
            Resolution of the result.
        rng : object, optional
            Not used: the depth of a map is known.
        frame : str, optional
            Frame of the result.

        Returns
        -------
        `~numpy.ndarray`
            One factor per pixel, in RING ordering; NaN where it is not known.
        """
        import healpy

        if frame_named(frame).is_equivalent_frame(self._frame):
            return upgrade(self.values, nside)
        lon, lat = healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)
        return self.at(SkyCoord(lon, lat, unit="deg", frame=frame_named(frame)))


def depth_from_dict(stored, values=None):
    """Undo ``to_dict`` of the distributions; a map's pixels come apart."""
    if stored is None:
        return None
    if stored["kind"] == "lognormal":
        return LogNormalDepth(stored["sigma_ln"])
    if stored["kind"] == "tabulated":
        return TabulatedDepth(stored["factors"], stored["weights"])
    return DepthMap(values, stored["frame"])


def check_factors(depth, n, thing):
    """Factors of the noise amplitude, one or one per thing, as (n,)."""
    depth = as_floats(depth, "", "depth", positive=True, finite=True)
    if depth.shape not in ((), (n,)):
        raise InvalidInputError(
            f"'depth' must be one factor or one per {thing} ({n}). Received: shape {depth.shape}"
        )
    return np.broadcast_to(depth, n)


def field_factors(model, n, rng, coord, depth):
    """Factors (n,) of fields, or None if they are 1: ``depth`` if given, else those of a model.

    The model's are looked up at ``coord``, or drawn from ``rng``: one generator, or one per field.
    """
    if depth is not None:
        if coord is not None:
            raise InvalidInputError("Give either 'depth' or 'coord', which looks the depth up.")
        return check_factors(depth, n, "field")
    if coord is None:
        if model is None:
            return None
        if isinstance(rng, list):
            return np.array([model.sample(1, own)[0] for own in rng])
        return model.sample(n, rng)
    if not isinstance(model, DepthMap):
        raise InvalidInputError(
            f"'coord' needs a depth that is known by position. That of the model is {model!r}: "
            "leave 'coord' out."
        )
    factors = model.at(coord)
    if factors.shape != (n,):
        raise InvalidInputError(f"'coord' must hold {n} positions. Received: {factors.size}")
    if np.isnan(factors).any():
        raise InvalidInputError(
            f"The depth is not known at {np.isnan(factors).sum()} of the {n} positions. Leave them "
            "out, or give 'depth'."
        )
    return factors
