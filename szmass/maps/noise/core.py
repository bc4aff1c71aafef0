"""Noise of Compton-y maps: its spectrum, its depth over the sky, and draws of it."""

from functools import lru_cache

import astropy.units as u
import numpy as np

from szmass._io.stored import Stored
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps.noise import _files as _noise_files
from szmass.maps.noise._measure import estimate_spectrum
from szmass.maps.noise._power import FieldSampler, NoiseSpectrum, draw_sky, grid_of
from szmass.maps.noise.depth import DepthMap, LogNormalDepth, TabulatedDepth, field_factors
from szmass.maps.noise.mmf import fit_noise, planck_noise

__all__ = ["NoiseModel", "get_noise_model"]

_DEPTHS = DepthMap | LogNormalDepth | TabulatedDepth
_PLANCK_DEPTH = LogNormalDepth(0.18)


class NoiseModel(Stored, NoiseSpectrum):
    """Gaussian noise of a Compton-y map: power spectrum, beam, and depth over the sky.

    The spectrum is that of the noise **in the map, as its pixels hold it**: noise that went through
    the map's beam has the beam in it. ``beam`` says which, and ``deconvolved=True`` divides by it.
    Between the given multipoles the spectrum is a power law; below the first one it is constant;
    beyond the last one there is none, and a matched filter uses no modes there.

    Parameters
    ----------
    ell : array-like
        Multipoles, > 0 and increasing.
    spectrum : `~astropy.units.Quantity`
        N_l of the map at these multipoles, > 0, as a solid angle (y has no unit).
    beam : `~astropy.units.Quantity` or str, optional
        FWHM of the map's Gaussian beam. Without it whatever needs the beam says so.
    depth : LogNormalDepth, TabulatedDepth or DepthMap, optional
        Factor of the noise amplitude, by position or as a distribution; the spectrum is that of
        factor 1. None means the same noise everywhere.
    meta : dict, optional
        Where the model comes from.

    Raises
    ------
    InvalidInputError
        Multipoles do not increase, or a value is negative, zero or not finite.
    InvalidUnitError
        The spectrum is no solid angle, or the beam no angle.

    Notes
    -----
    Files are FITS or ECSV by their suffix; ECSV has no place for a depth map.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.maps import CutoutGeometry, NoiseModel
    >>> noise = NoiseModel.planck("total")
    >>> print(f"{noise.rms(CutoutGeometry()):.3g}")
    1.63e-06
    >>> print(noise.sigma_y500([2, 10] * u.arcmin).round(6))
    [0.000104 0.000274] arcmin2
    >>> noise.draw(CutoutGeometry(), 2, rng=1).shape
    (2, 96, 96)
    """

    def __init__(self, ell, spectrum, *, beam=None, depth=None, meta=None):
        super().__init__(ell, spectrum, beam)
        if not isinstance(depth, _DEPTHS | None):
            raise InvalidInputError(
                "'depth' must be a LogNormalDepth, TabulatedDepth, DepthMap or None. "
                f"Received: {depth!r}"
            )
        self._depth = depth
        self.meta = {} if meta is None else dict(meta)
        self._samplers = {}

    depth = property(lambda self: self._depth, doc="Factor of the amplitude over the sky, or None.")

    @classmethod
    def planck(cls, kind="total", *, depth=_PLANCK_DEPTH):
        """Noise of the Planck y-maps from a fitting formula, with their beam of 10 arcmin.

        N_l = A (l / 500)^a [1 + (l / l0)^4] B_l^2, constant below l = 30.

        Parameters
        ----------
        kind : {"total", "instrument"}, optional
            "total" is what surrounds a cluster in the map: instrument, CMB, foregrounds. A, a and
            l0 are fitted to the noise of Planck's matched filters, in the median of the sky: rms
            1.64e-6 above l = 66. "instrument" has the shape of half the difference of the FIRST
            and LAST halves of MILCA in the Coma field and the rms 1.23e-6, in the middle of
            the 1.2-1.26e-6 that the published networks of de Andres et al. (2022) were trained
            with. Half the difference itself has 1.15e-6 in that field, whose total noise is
            8 % below the median.
        depth : LogNormalDepth, TabulatedDepth, DepthMap or None, optional
            By default log-normal with 0.18.

        Returns
        -------
        NoiseModel
            The model.

        Raises
        ------
        UnknownNameError
            There is no such kind.
        """
        return cls(**planck_noise(kind), depth=depth)

    @classmethod
    def from_mmf_table(cls, table, *, patch=None):
        """Noise from the table of Planck's matched filters.

        Parameters
        ----------
        table : MMFNoiseTable or path-like
            The table, or what `MMFNoiseTable.read` reads it from.
        patch : int, optional
            Fit this patch alone. Otherwise the spectrum is that of the median patch, and the depth
            has the distribution of the patches.

        Returns
        -------
        NoiseModel
            With the beam of the y-maps, 10 arcmin. ``meta`` has the fitted parameters and the
            misfit of the filter noise.

        Raises
        ------
        FileFormatError
            The files are not that table.
        InvalidInputError
            There is no such patch.
        """
        return cls(**fit_noise(table, patch))

    @classmethod
    def from_half_difference(
        cls, first, second, *, mask=None, apodisation=None, bands=None, depth_nside=None
    ):
        """Noise from two maps of the same sky with independent noise, such as the half missions.

        The noise of their mean is that of half their difference: sky and foregrounds drop out. The
        coupling of modes by mask and edges is undone.

        Parameters
        ----------
        first, second : ComptonMap or CutoutStack
            Two HEALPix maps of one nside, ordering and frame; two images on one pixel grid;
            or two stacks of the same cutouts, whose spectra are averaged.
        mask : array-like of bool, optional
            True for pixels that are not to be used, one per pixel of a map.
        apodisation : `~astropy.units.Quantity` or str, optional
            Width of the cosine taper towards edges and masked pixels. By default three times the
            beam, or 30 arcmin where that is not known.
        bands : array-like, optional
            Edges of the bands in l. By default they follow from the size of the field and
            end where the beam has taken the power, or at 0.8 of the Nyquist multipole.
        depth_nside : int, optional
            For HEALPix maps: measure the depth in the pixels of this lower resolution.

        Returns
        -------
        NoiseModel
            ``meta["bands"]`` has edges, spectrum [sr] and relative sampling error of each band.

        Raises
        ------
        InvalidInputError
            The maps differ in kind, grid, nside, ordering, frame or beam, or the mask in shape;
            the message says in what. Or nothing is left to measure.
        """
        return cls(
            **estimate_spectrum(
                first,
                second,
                mask=mask,
                apodisation=apodisation,
                bands=bands,
                depth_nside=depth_nside,
            )
        )

    @classmethod
    def from_empty_fields(
        cls, ymap, *, exclude=None, radius=None, mask=None, apodisation=None, bands=None,
        fields=None,
    ):  # fmt: skip
        """Noise from parts of a map without clusters: all that is there counts as noise.

        Parameters
        ----------
        ymap : ComptonMap or CutoutStack
            A map, or cutouts around empty positions.
        exclude : `~astropy.coordinates.SkyCoord`, optional
            Positions of known clusters.
        radius : `~astropy.units.Quantity` or str, optional
            How far around them pixels are left out: one angle, or one per position.
        mask : array-like of bool, optional
            As in `from_half_difference`.
        apodisation : `~astropy.units.Quantity` or str, optional
            As in `from_half_difference`.
        bands : array-like, optional
            As in `from_half_difference`. The mean of each field is subtracted, which spoils
            the lowest band: it is solved for and left out.
        fields : int, optional
            For an image: measure in about so many square parts of it, 256 pixels wide, instead of
            in the whole. A map that is too large to be flat, such as a wide survey's in plate
            carree projection, needs that.

        Returns
        -------
        NoiseModel
            As from `from_half_difference`.

        Raises
        ------
        InvalidInputError
            Only one of ``exclude`` and ``radius`` is given, the mask has another shape, or nothing
            is left to measure.
        """
        return cls(
            **estimate_spectrum(
                ymap,
                None,
                mask=mask,
                exclude=exclude,
                radius=radius,
                apodisation=apodisation,
                bands=bands,
                fields=fields,
            )
        )

    def __eq__(self, other):
        return isinstance(other, NoiseModel) and self._content() == other._content()

    def __hash__(self):
        return hash(self._content())

    def _content(self):
        """What makes two models the same: all but ``meta``; depth maps are compared as objects."""
        depth = self.depth and str(self.depth.to_dict())
        by_position = id(self.depth) if isinstance(self.depth, DepthMap) else None
        beam = None if self.beam is None else self.beam.value
        return self._power.ell.tobytes(), self._power.power.tobytes(), beam, depth, by_position

    def __repr__(self):
        beam = None if self.beam is None else f"{self.beam:g}"
        source = f", source={self.meta['source']!r}" if "source" in self.meta else ""
        low, high = self._power.ell[[0, -1]]
        return (
            f"<NoiseModel: rms={self.rms():.3g}, ell={low:.0f}-{high:.0f}, beam={beam!r}, "
            f"depth={self.depth!r}{source}>"
        )

    def scaled(self, factor):
        """Give the model with another amplitude.

        Parameters
        ----------
        factor : float
            What the noise is multiplied by, > 0; the spectrum by its square.

        Returns
        -------
        NoiseModel
            With the same beam and depth.
        """
        factor = float(as_floats(factor, "", "factor", positive=True, finite=True))
        meta = {**self.meta, "scaled": factor * self.meta.get("scaled", 1.0)}
        meta.pop("bands", None)
        power = factor**2 * self._power.power * u.sr
        return NoiseModel(self._power.ell, power, beam=self.beam, depth=self.depth, meta=meta)

    def _sampler(self, *key):
        if key not in self._samplers:
            # A handful of grids is in use at a time.
            if len(self._samplers) >= 8:
                self._samplers.clear()
            self._samplers[key] = FieldSampler(self._power, *key)
        return self._samplers[key]

    def draw(self, geometry, n, rng, *, coord=None, depth=None, dtype=np.float32, padding=2.0):
        """Draw realisations of the noise of cutouts.

        Each is cut out of a field ``padding`` times larger, so that it is not periodic, and has
        the power on scales beyond that field as a random offset. Draws are independent: for
        overlapping cutouts take them out of a `draw_healpix`.

        Parameters
        ----------
        geometry : CutoutGeometry
            The grid.
        n : int
            How many, 0 or more.
        rng : `~numpy.random.Generator` or int or list of these
            Source of random numbers, or a seed. A list of n gives each field a source of its own,
            so that it does not depend on what else is drawn in the same call.
        coord : `~astropy.coordinates.SkyCoord`, optional
            The n positions, for a model whose depth is a map.
        depth : float or array-like, optional
            Factor of the amplitude, one or n; 1 for the same depth everywhere. By default it comes
            from the model's depth: at the positions, or drawn, one per field.
        dtype : dtype, optional
            float32 or float64.
        padding : float, optional
            How many times larger the field is, in each direction, at least 1.

        Returns
        -------
        `~numpy.ndarray`
            Compton-y, shape (n, ny, nx).

        Raises
        ------
        InvalidInputError
            An argument is out of range, or the depth at a position is not known.
        """
        shape, pixel = grid_of(geometry)
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise InvalidInputError(f"'n' must be a whole number >= 0. Received: {n!r}")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise InvalidInputError(f"'dtype' must be float32 or float64. Received: {dtype!r}")
        padding = float(as_floats(padding, "", "padding", finite=True))
        if padding < 1:
            raise InvalidInputError(f"'padding' must be at least 1. Received: {padding:g}")
        rng = _sources(rng, n)
        factors = field_factors(self.depth, n, rng, coord, depth)
        fields = self._sampler(shape, pixel, padding, np.dtype(dtype)).draw(int(n), rng)
        if factors is not None:
            fields *= factors.astype(dtype)[:, np.newaxis, np.newaxis]
        return fields

    def draw_healpix(self, nside, rng, *, frame="galactic", depth=None):
        """Draw a realisation of the noise of a whole map.

        Parameters
        ----------
        nside : int
            Resolution; multipoles above 3 nside - 1 are left out.
        rng : `~numpy.random.Generator` or int
            Source of random numbers, or a seed.
        frame : str, optional
            Frame of the map, in which the model's depth map is looked up.
        depth : float, optional
            One factor for the whole sky instead of the model's depth.

        Returns
        -------
        `~numpy.ndarray`
            Compton-y, 12 nside^2 pixels in RING ordering, float32; NaN where the depth is not
            known.

        Raises
        ------
        InvalidInputError
            An argument is out of range.
        """
        if not isinstance(nside, int | np.integer) or nside < 1:
            raise InvalidInputError(f"'nside' must be a whole number >= 1. Received: {nside!r}")
        rng = np.random.default_rng(rng)
        ell = np.arange(min(3 * nside, int(self._power.ell[-1]) + 1), dtype=float)
        power = self._power(ell)
        variance = np.cumsum((2 * ell + 1) * power)
        top = int(np.searchsorted(variance, (1 - 1e-6) * variance[-1])) + 1
        sky = draw_sky(power[:top], int(nside), rng).astype(np.float32)
        if depth is not None:
            sky *= float(as_floats(depth, "", "depth", positive=True, finite=True))
        elif self.depth is not None:
            sky *= self.depth.on_sky(int(nside), rng, frame=frame)
        return sky

    def write(self, path, *, overwrite=False):
        _noise_files.write(self, path, overwrite)

    def to_hdus(self):
        """Give extensions of a FITS file that hold the model.

        Returns
        -------
        list
            A `~astropy.io.fits.BinTableHDU` named NOISE, and an image DEPTH if that is a map.
        """
        return _noise_files.model_to_hdus(self)

    @classmethod
    def from_hdus(cls, hdus, path=""):
        """Read a model from extensions that `to_hdus` gave.

        Parameters
        ----------
        hdus : `~astropy.io.fits.HDUList`
            An open file.
        path : path-like, optional
            Its name, for messages.

        Returns
        -------
        NoiseModel
            The model, with its depth map if it had one.

        Raises
        ------
        FileFormatError
            It is not there, or has lost its depth.
        """
        return cls(**_noise_files.model_from_hdus(hdus, path))

    @classmethod
    def read(cls, path):
        return cls(**_noise_files.read(path))


def _sources(rng, n):
    """A generator of random numbers, or a list of n."""
    if not isinstance(rng, list | tuple):
        return np.random.default_rng(rng)
    if len(rng) != n:
        raise InvalidInputError(
            f"'rng' must be one source of random numbers, or one per field ({n}). "
            f"Received: {len(rng)}"
        )
    return [np.random.default_rng(own) for own in rng]


@lru_cache(maxsize=1)
def _planck():
    return NoiseModel.planck()


def get_noise_model(noise):
    """Give the noise model that an argument stands for.

    Parameters
    ----------
    noise : NoiseModel or {"planck"}
        A model; "planck" is ``NoiseModel.planck()``, the median of the sky.

    Returns
    -------
    NoiseModel
        The model, as it is, or that of Planck.

    Raises
    ------
    InvalidInputError
        It is neither.
    """
    if isinstance(noise, NoiseModel):
        return noise
    if isinstance(noise, str) and noise == "planck":
        return _planck()
    raise InvalidInputError(
        "'noise' must be a NoiseModel of the map, for instance NoiseModel.from_empty_fields(ymap, "
        f"...), or 'planck'. Received: {noise!r}"
    )
