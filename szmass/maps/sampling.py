"""Sampling of the sky by pixels of maps and cutouts: beam, kinds, windows."""

from dataclasses import dataclass
from typing import NamedTuple

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

__all__ = ["Sampling", "Windows", "check_beam", "healpix_pixel"]

_INTERPOLATED = ("nearest", "bilinear")
_OF_MAPS = ("point", "window", "unknown")
_KINDS = ("point", "window", *_INTERPOLATED, "unknown")


class Windows(NamedTuple):
    """Variances per axis [arcmin2] of what pixels and interpolation do to a map.

    Parameters
    ----------
    signal : float
        Of the window that clusters are seen through, besides the beam.
    noise : float
        Of the window that noise goes through which is in the map's pixels already.
    jitter : float
        Of displacements of the values that are not known.
    """

    signal: float
    noise: float
    jitter: float


@dataclass(frozen=True)
class Sampling:
    """How pixels of a map, or of cutouts of it, hold the sky behind the beam.

    A pixel of a map is a box; linear interpolation between pixels is, averaged over the phase, two
    boxes more; the nearest pixel is displaced by up to half a pixel, a box more. Through a
    beam that is wider than the pixel they all look Gaussian.

    Parameters
    ----------
    kind : {"unknown", "point", "window", "nearest", "bilinear"}, optional
        "point": values at the middles of pixels. "window": means over pixels, as makers of maps
        give them. "nearest", "bilinear": cutouts that were interpolated so from pixels of a map.
    pixel : `~astropy.units.Quantity` or str, optional
        Side of the pixels of the map; of cutouts this is not their own.
    map_kind : {"unknown", "point", "window"}, optional
        What the pixels of the map were that cutouts are interpolated from. Unknown ones are
        taken as means over pixels, which those of nearly all maps are.

    Raises
    ------
    InvalidInputError
        There is no such kind, or the side is not one positive angle.
    """

    kind: str = "unknown"
    pixel: u.Quantity | None = None
    map_kind: str = "unknown"

    def __post_init__(self):
        for name, known in (("kind", _KINDS), ("map_kind", _OF_MAPS)):
            if getattr(self, name) not in known:
                raise InvalidInputError(
                    f"'{name}' of a sampling must be one of {', '.join(map(repr, known))}. "
                    f"Received: {getattr(self, name)!r}"
                )
        if self.pixel is not None:
            side = as_floats(self.pixel, u.arcmin, "pixel", positive=True, finite=True)
            if side.ndim:
                raise InvalidInputError(f"'pixel' must be one angle. Received: {self.pixel!r}")
            object.__setattr__(self, "pixel", float(side) * u.arcmin)

    def __str__(self):
        if self.kind not in _INTERPOLATED:
            return self.kind
        side = "unknown size" if self.pixel is None else f"{self.pixel.value:.4g} arcmin"
        return f"{self.kind}, of pixels ({self.map_kind}) of {side}"

    @property
    def interpolation(self):
        """Either "nearest" or "bilinear"; None for what was not interpolated or is not known."""
        return self.kind if self.kind in _INTERPOLATED else None

    def to_dict(self):
        """Give the arguments as plain values that JSON can hold.

        Returns
        -------
        dict
            For instance ``{"kind": "bilinear", "pixel": "1.72 arcmin", "map_kind": "window"}``.
        """
        pixel = None if self.pixel is None else str(self.pixel)
        return {"kind": self.kind, "pixel": pixel, "map_kind": self.map_kind}

    def interpolated(self, interpolation, pixel):
        """Give the sampling of cutouts of a map.

        Parameters
        ----------
        interpolation : {"nearest", "bilinear"}
            How they are made.
        pixel : `~astropy.units.Quantity`
            Side of the pixels of the map.

        Returns
        -------
        Sampling
            That of the cutouts.
        """
        return Sampling(interpolation, pixel, self.map_kind if self.interpolation else self.kind)

    def windows(self, pixel=None):
        """Give what the sampling does to clusters and to noise.

        Parameters
        ----------
        pixel : `~astropy.units.Quantity` or str, optional
            Side of the pixels of the map, where the sampling does not know it.

        Returns
        -------
        Windows
            Three variances; 0 for an unknown sampling.
        """
        side = self.pixel if self.pixel is not None else pixel
        # How many boxes are the map's own pixels, interpolation, and displacement.
        across, displaced = {"nearest": (0, 1), "bilinear": (2, 0)}.get(self.kind, (0, 0))
        own = int(self.map_kind != "point" if self.interpolation else self.kind == "window")
        if not own + across + displaced:
            return Windows(0.0, 0.0, 0.0)
        if side is None:
            raise InvalidInputError(f"'pixel' is needed: the windows of {self!r} depend on it.")
        box = float(as_floats(side, u.arcmin, "pixel", positive=True, finite=True)) ** 2 / 12
        moved = across + displaced
        return Windows((own + moved) * box, moved * box, displaced * box)


def check_beam(beam):
    """Give a beam as a scalar Quantity in arcmin, or None.

    Parameters
    ----------
    beam : `~astropy.units.Quantity` or str or None
        FWHM.

    Returns
    -------
    `~astropy.units.Quantity` or None
        In arcmin.
    """
    if beam is None:
        return None
    value = as_floats(beam, u.arcmin, "beam", positive=True, finite=True)
    if value.ndim:
        raise InvalidInputError(f"'beam' must be one number. Received: {beam!r}")
    return float(value) * u.arcmin


def get_sampling(sampling, interpolation=None):
    """The `Sampling` that two arguments of a constructor mean; of kind "unknown" by default."""
    if sampling is None:
        sampling = interpolation or "unknown"
    if isinstance(sampling, str):
        return Sampling(sampling)
    if not isinstance(sampling, Sampling):
        raise InvalidInputError(
            f"'sampling' must be a Sampling or one of {', '.join(map(repr, _KINDS))}. "
            f"Received: {sampling!r}"
        )
    return sampling


def healpix_pixel(nside):
    """Give the side of a square of the area of a HEALPix pixel.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    `~astropy.units.Quantity`
        The side [arcmin].
    """
    return np.sqrt(4 * np.pi / (12 * nside**2)) * (180 / np.pi * 60) * u.arcmin
