"""Beam, noise and sampling of whatever holds pixels of the sky, and the pixels of a map."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.noise.core import get_noise_model
from szmass.maps.sampling import check_beam, get_sampling


class DescribedPixels:
    """What is known of pixels: a base of maps and cutouts; each fact is checked when it is set."""

    def _describe(self, beam, noise, sampling, interpolation=None):
        self.beam, self.noise = beam, noise
        self.sampling = get_sampling(sampling, interpolation)

    @property
    def beam(self):
        """FWHM of the map's Gaussian beam [arcmin], or None if it is not known."""
        return self._beam

    @beam.setter
    def beam(self, beam):
        self._beam = check_beam(beam)

    @property
    def noise(self):
        """Noise of the map, a `NoiseModel`, or None if it is not known."""
        return self._noise

    @noise.setter
    def noise(self, noise):
        self._noise = None if noise is None else get_noise_model(noise)

    @property
    def sampling(self):
        """How the pixels hold the sky behind the beam, a `~szmass.maps.Sampling`."""
        return self._sampling

    @sampling.setter
    def sampling(self, sampling):
        self._sampling = get_sampling(sampling)

    @property
    def facts(self):
        """Beam, noise and sampling as a dict, to be handed on to what is made of the pixels."""
        return {"beam": self.beam, "noise": self.noise, "sampling": self.sampling}


class DescribedMap(DescribedPixels):
    """What is known of the pixels of a map, in its attribute ``_pixels``."""

    @property
    def nside(self):
        """Resolution of a HEALPix map; None for an image."""
        return None if self.wcs is not None else self._pixels.grid.nside

    @property
    def ordering(self):
        """Either "ring" or "nested"; None for an image."""
        if self.nside is None:
            return None
        return "nested" if self._pixels.grid.nested else "ring"

    @property
    def frame(self):
        """Name of the frame of the pixels, for instance "galactic"."""
        return self._pixels.frame.name

    @property
    def celestial_frame(self):
        """The frame of the pixels, a `~astropy.coordinates.BaseCoordinateFrame` without data."""
        return self._pixels.frame

    @property
    def wcs(self):
        """The WCS of an image; None for a HEALPix map."""
        return getattr(self._pixels, "wcs", None)

    @property
    def shape(self):
        """Shape of the whole map: ``(npix,)`` or ``(ny, nx)``."""
        return self._pixels.shape

    def pixel_to_world(self, x, y):
        """Give the positions of pixels of an image, also where its WCS counts beyond a whole turn.

        Parameters
        ----------
        x, y : array-like
            Columns and rows, counted from 0.

        Returns
        -------
        `~astropy.coordinates.SkyCoord`
            NaN off the sky.

        Raises
        ------
        InvalidInputError
            The map is no image.
        """
        return self._image().pixel_to_world(x, y)

    def world_to_pixel(self, coord):
        """Give the places of positions in an image: inside it, where it covers them.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord`
            Positions.

        Returns
        -------
        `~numpy.ndarray`
            Columns and rows, counted from 0; NaN on the side of the sky that it does not show.

        Raises
        ------
        InvalidInputError
            The map is no image.
        """
        return self._image().world_to_pixel(coord)

    def _image(self):
        if self.wcs is None:
            raise InvalidInputError("A HEALPix map has no columns and rows; only an image has.")
        return self._pixels

    def values(self, pixels=None):
        """Give the values of pixels, NaN for those that are invalid or not in the map.

        Parameters
        ----------
        pixels : array-like of int, optional
            Numbers of HEALPix pixels in the map's ordering. By default all pixels of the map, or
            of the image.

        Returns
        -------
        `~numpy.ndarray`
            Compton-y, float64, of the shape of ``pixels`` or of the map.
        """
        if pixels is None:
            return self._pixels.values()
        return self._pixels.take(np.asarray(pixels))

    @property
    def pixel_side(self):
        """Side of the pixels, a `~astropy.units.Quantity`: its root mean square over an image."""
        return self._pixels.side * u.arcmin

    def __repr__(self):
        beam = None if self.beam is None else str(self.beam)
        if self.nside is None:
            kind = f"shape={self.shape}, projection={str(self.wcs.wcs.ctype[0])[-3:]!r}"
        else:
            kind = f"nside={self.nside}, ordering={self.ordering!r}"
        return f"ComptonMap({kind}, frame={self.frame!r}, beam={beam!r})"

    def _repr_html_(self):
        from szmass._utils import html as _html

        if self.nside is None:
            pixels = f"image of {self.shape[1]} x {self.shape[0]} pixels"
            kind = str(self.wcs.wcs.ctype[0])[-3:]
            rows = {"pixels": f"{pixels}, projection {_html.short(kind)}"}
        else:
            rows = {"pixels": f"HEALPix, nside = {self.nside}, {_html.short(self.ordering)}"}
        rows |= {"frame": _html.short(self.frame), "beam (FWHM)": _html.short(self.beam)}
        rows |= {"noise": _html.short(self.noise), "sampling": _html.short(str(self.sampling))}
        rows |= {str(key): _html.short(value) for key, value in self.meta.items()}
        return _html.facts("ComptonMap", rows)
