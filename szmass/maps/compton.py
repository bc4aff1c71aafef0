"""Compton-y maps of any pixelisation, and the cutouts that are taken from them."""

import copy
import os
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass._utils.memory import check_memory
from szmass._utils.progress import progress_bar
from szmass._utils.workers import run_tasks
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.maps._checks import (
    check_geometry,
    check_mask,
    check_nside,
    check_ordering,
    check_scale,
    check_values,
    check_whole_sky,
    is_celestial,
    positions_and_names,
)
from szmass.maps._described import DescribedMap
from szmass.maps._healpix import HealpixPixels
from szmass.maps._image import ImagePixels
from szmass.maps._map_files import read_map
from szmass.maps._marks import checked_zeros, look_at, warn_of_zeros, zeros_stand_out
from szmass.maps._releases import noise_of_file
from szmass.maps.cutouts import CutoutStack
from szmass.maps.frames import frame_named, lonlat
from szmass.maps.geometry import CutoutGeometry

__all__ = ["ComptonMap"]

_INTERPOLATIONS = ("nearest", "bilinear")


class ComptonMap(DescribedMap):
    """A map of the Compton-y parameter: HEALPix, or an image with a celestial WCS.

    Made by `read`, `from_healpix` or `from_image`. A map in a file stays there until its pixels
    are used, in the file's order and precision.

    Parameters
    ----------
    pixels : object
        The pixels, made by one of the three.
    beam : `~astropy.units.Quantity` or None
        FWHM of the Gaussian beam.
    meta : dict
        Where the map comes from.
    noise : NoiseModel or {"planck"}, optional
        Noise of the map. It can be set later: ``ymap.noise = NoiseModel.from_empty_fields(ymap)``.
    sampling : Sampling or {"point", "window", "unknown"}, optional
        Whether pixels hold the value at their middle or the mean over them. Unknown ones are
        taken as means where it matters, and results say so.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass import ComptonMap
    >>> y = np.zeros(12 * 64**2)
    >>> ymap = ComptonMap.from_healpix(y, ordering="ring", frame="galactic", beam="10 arcmin")
    >>> ymap
    ComptonMap(nside=64, ordering='ring', frame='galactic', beam='10.0 arcmin')
    >>> coma = SkyCoord(57.8, 88.0, unit="deg", frame="galactic")
    >>> ymap.cutout(coma).data.shape
    (96, 96)
    """

    def __init__(self, pixels, beam, meta, noise=None, sampling=None):
        self._pixels = pixels
        self._describe(beam, noise, sampling)
        if self.sampling.interpolation:
            raise InvalidInputError(
                "'sampling' of a map must be 'point', 'window' or 'unknown'; cutouts of it are "
                f"interpolated. Received: {self.sampling.kind!r}"
            )
        self.meta = meta
        self._source = self._zeros = None

    def __reduce_ex__(self, protocol):
        # The pixels of a file stay there: another process opens it again.
        if self._source is None:
            return super().__reduce_ex__(protocol)
        path, options = self._source
        return _reopen, (path, self.facts, self.meta, options | {"zeros": self._zeros})

    def _opened(self, zeros, name):
        """Look at the values of a map that was made, and settle what exact zeros are."""
        self._zeros = checked_zeros(zeros)
        if look_at(self._pixels, zeros, name):
            self._zeros = "unobserved"
            self._pixels.marks += (0,)
        return self

    @classmethod
    def read(
        cls,
        path,
        *,
        column=None,
        ordering=None,
        frame=None,
        beam=None,
        unit=None,
        hdu=None,
        mask=None,
        noise=None,
        sampling=None,
        zeros=None,
    ):
        """Open a map in a FITS file.

        A HEALPix table may hold the whole sky or a part of it (with a column PIXEL, whose numbers
        may be in any order), in RING or NESTED ordering; an image may have any celestial
        projection. What the file says and what is stated here must agree. NaN, infinities, UNSEEN
        (-1.6375e30), BAD_DATA of the header, BLANK and TNULL mark invalid pixels, and so do exact
        zeros where ``zeros`` says so. A few thousand pixels are looked at: a warning says where
        their values are implausible for y, as those of a map in uK are.

        Parameters
        ----------
        path : path-like or `~astropy.io.fits.HDUList` or an HDU
            The file, possibly gzipped, or what astropy opened. A file that is not compressed is
            memory-mapped, unless it holds scaled integers: only what cutouts need is read, of
            one column.
        column : str, optional
            Column of a HEALPix table; by default the only one, or "FULL".
        ordering : {"ring", "nested"}, optional
            Ordering of HEALPix pixels, for a file without the keyword ORDERING.
        frame : str or `~astropy.coordinates.BaseCoordinateFrame`, optional
            "galactic", "icrs", "fk5" or "ecliptic", for a file without the keyword COORDSYS.
        beam : `~astropy.units.Quantity` or str, optional
            FWHM of the Gaussian beam. By default that of the keyword BEAM_FWHM or FWHM, if
            its comment says the unit, as in "[arcmin]", or of BMAJ in deg; else
            it stays None, and what needs a beam will say so.
        unit : str or `~astropy.units.UnitBase`, optional
            ``""`` states that the numbers are y although the file has a unit that is not
            understood.
        hdu : int or str, optional
            By default the first HDU with an image or a table.
        mask : array-like of bool, optional
            One per pixel of the whole map, in its ordering; True for pixels that are not to be
            used.
        noise : NoiseModel or {"planck"}, optional
            Noise of the map. By default that which stands in the file; and a file that is called as
            a release in `MAP_PRODUCTS`, such as milca_ymaps.fits, and has its beam and column, has
            the noise of the release. That of any other map is not known.
        sampling : Sampling or {"point", "window", "unknown"}, optional
            Whether pixels hold the value at their middle or the mean over them.
        zeros : {"observed", "unobserved"}, optional
            Whether pixels that are exactly 0 hold a value or were not observed, as outside the
            survey in many maps. By default they were not where the map, or a cutout of it, is noise
            and they are many; a warning says so.

        Returns
        -------
        ComptonMap
            The map; pixels that are not compressed stay in the file until they are needed.

        Raises
        ------
        FileFormatError
            The file is truncated or is not FITS; column, ordering, frame or WCS are missing; the
            number of pixels is not one of HEALPix.
        InvalidInputError
            File and arguments disagree, or the mask has other pixels.
        InvalidUnitError
            The map is in another unit than y, which is dimensionless.
        """
        checked_zeros(zeros)
        options = {
            "column": column,
            "ordering": ordering,
            "frame": frame,
            "unit": unit,
            "hdu": hdu,
            "mask": mask,
        }
        pixels, beam, meta, told = read_map(path, beam=beam, **options)
        if noise is None:
            noise = told["noise"] or noise_of_file(meta["MAPFILE"], meta.get("MAPCOL"), beam)
        ymap = cls(pixels, beam, meta, noise, sampling or told["sampling"])
        if isinstance(path, str | os.PathLike):
            ymap._source = Path(path).resolve(), options
        return ymap._opened(zeros or told["zeros"], meta["MAPFILE"])

    @classmethod
    def from_healpix(
        cls, values, *, ordering, frame, beam=None, mask=None, noise=None, sampling=None, zeros=None
    ):
        """Make a map from an array of HEALPix pixels, which is not copied.

        Parameters
        ----------
        values : array-like
            Compton-y of all pixels of the sky; NaN, UNSEEN and masks mark invalid ones.
        ordering : {"ring", "nested"}
            Ordering of the pixels.
        frame : str or `~astropy.coordinates.BaseCoordinateFrame`
            "galactic", "icrs", "fk5" or "ecliptic".
        beam : `~astropy.units.Quantity` or str, optional
            FWHM of the Gaussian beam.
        mask : array-like of bool, optional
            True for pixels that are not to be used.
        noise : NoiseModel or {"planck"}, optional
            Noise of the map, for estimators that need it.
        sampling, zeros : Sampling or str, optional
            How pixels hold the sky, and what exact zeros are, as for `read`.

        Returns
        -------
        ComptonMap
            The map of the whole sky.

        Raises
        ------
        InvalidInputError
            The length is not 12 nside^2, nside is not a power of two in NESTED ordering, or the
            mask has another nside.
        InvalidUnitError
            The values have a unit.
        """
        values, mask = check_values(values, mask, "values", ndim=1)
        nested = check_ordering(ordering) == "nested"
        nside = check_whole_sky(values)
        check_nside(nside, nested)
        mask = check_mask(mask, values.shape)
        pixels = HealpixPixels(values, nside, nested, frame_named(frame), mask=mask)
        ymap = cls(pixels, beam, {"PIXELS": "healpix"}, noise, sampling)
        return ymap._opened(zeros, "'values'")

    @classmethod
    def from_image(cls, data, wcs, *, beam=None, mask=None, noise=None, sampling=None, zeros=None):
        """Make a map from an image, which is not copied.

        Parameters
        ----------
        data : array-like or `~astropy.nddata.NDData`
            Compton-y, two-dimensional; NaN and masks mark invalid pixels.
        wcs : `~astropy.wcs.WCS`
            With two celestial axes.
        beam, mask, noise, sampling, zeros : optional
            As for `from_healpix`.

        Returns
        -------
        ComptonMap
            The map.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            As `from_healpix` raises them; the image does not have two dimensions, or the WCS not
            two celestial axes.
        """
        data, mask = check_values(data, mask, "data", ndim=2)
        if not is_celestial(wcs):
            raise InvalidInputError(
                "'wcs' must be an astropy WCS with two celestial axes and no other (as "
                f"wcs.celestial gives). Received: {wcs!r}"
            )
        pixels = ImagePixels(data, wcs, check_mask(mask, data.shape))
        ymap = cls(pixels, beam, {"PIXELS": "image"}, noise, sampling)
        return ymap._opened(zeros, "'data'")

    def _has_unobserved(self, sample, place):
        """Whether a cutout has zeros that stand out, among values that are not interpolated."""
        if not zeros_stand_out(sample):
            return False
        return zeros_stand_out(next(self._pixels.samples(*place, "nearest")))

    def _without_zeros(self):
        pixels = copy.copy(self._pixels)
        pixels.marks += (0,)
        return pixels

    def _grid(self, geometry):
        return CutoutGeometry.for_beam(self.beam) if geometry is None else check_geometry(geometry)

    def cutouts(
        self,
        coord,
        *,
        names=None,
        geometry=None,
        interpolation="bilinear",
        angular_scale=None,
    ):
        """Cut out the surroundings of many positions.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord` or `~szmass.clusters.ClusterSample`
            N positions in any frame, or one, or the clusters there: a sample, a
            `~szmass.clusters.Cluster`, or a list of these. A position that is masked or NaN gives a
            cutout without valid pixels.
        names : sequence of str, optional
            Their names; by default those of the clusters.
        geometry : CutoutGeometry, optional
            The grid: shape, pixel scale, frame and rotation. By default `CutoutGeometry.for_beam`
            of the map's beam.
        interpolation : {"nearest", "bilinear"}, optional
            "nearest" takes the pixel in which a position falls, as the published networks were
            trained on. "bilinear" takes the four around it; if any of them is invalid, so is the
            result.
        angular_scale : `~astropy.units.Quantity`, optional
            For a geometry whose pixel scale has no unit: the angles that it is in units of, one per
            position, for instance theta500. NaN gives a cutout without valid pixels.

        Returns
        -------
        CutoutStack
            One cutout per position, in their order. What the map does not cover with valid values
            is NaN with footprint False.

        Raises
        ------
        InvalidInputError
            An argument has the wrong type, length or value.
        """
        coord, names = positions_and_names(coord, names)
        geometry = self._grid(geometry)
        if interpolation not in _INTERPOLATIONS:
            raise InvalidInputError(
                f"'interpolation' must be one of {', '.join(map(repr, _INTERPOLATIONS))}. "
                f"Received: {interpolation!r}"
            )
        n = len(coord)
        scale = check_scale(angular_scale, n, geometry)
        size = 5.0 * n * geometry.shape[0] * geometry.shape[1] + 200.0 * np.prod(geometry.shape)
        check_memory(
            size,
            f"{n} cutouts of {geometry.shape[0]} x {geometry.shape[1]} pixels",
            "Take fewer at once, as 'iter_cutouts' does, or a geometry of fewer pixels.",
        )
        data = np.full((n, *geometry.shape), np.nan, dtype=np.float32)
        lon, lat = lonlat(coord, geometry.frame)
        scales = np.ones(n) if scale is None else scale.to_value(u.rad)
        known = np.flatnonzero(np.isfinite(lon + lat + scales))
        samples = self._pixels.samples(
            geometry, lon[known], lat[known], scales[known], interpolation
        )
        bar = progress_bar(samples, total=len(known), desc="cutouts", leave=False)
        empty = 0
        for i, sample in zip(known, bar, strict=True):
            place = geometry, lon[[i]], lat[[i]], scales[[i]]
            if self._zeros is None and self._has_unobserved(sample, place):
                empty += 1
                sample = next(self._without_zeros().samples(*place, interpolation))
            data[i] = sample
        if empty:
            warn_of_zeros(f"{empty} of {n} cutouts have many pixels that are")
        return CutoutStack(
            data,
            None,
            coord,
            names=names,
            geometry=geometry,
            beam=self.beam,
            noise=self.noise,
            sampling=self.sampling.interpolated(interpolation, self.pixel_side),
            angular_scale=scale,
            meta=self.meta,
        )

    def cutout(
        self, coord, *, name=None, geometry=None, interpolation="bilinear", angular_scale=None
    ):
        """Cut out the surroundings of one position.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord` or `~szmass.clusters.Cluster`
            The position, or the cluster there.
        name : str, optional
            Its name; by default that of the cluster.
        geometry, interpolation, angular_scale : optional
            As in `cutouts`.

        Returns
        -------
        Cutout
            The cutout.

        Raises
        ------
        InvalidInputError
            An argument has the wrong type or value.
        """
        coord, names = positions_and_names(coord, None if name is None else [name])
        if len(coord) != 1:
            raise InvalidInputError(
                f"'coord' must be one position. Received: {len(coord)}; use 'cutouts' for many."
            )
        return self.cutouts(
            coord,
            names=names,
            geometry=geometry,
            interpolation=interpolation,
            angular_scale=angular_scale,
        )[0]

    def iter_cutouts(
        self,
        coord,
        *,
        chunk_size=1024,
        names=None,
        angular_scale=None,
        client=None,
        **options,
    ):
        """Cut out the surroundings of any number of positions in bounded memory.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord` or `~szmass.clusters.ClusterSample`
            N positions, or the clusters there.
        chunk_size : int, optional
            Number of cutouts at a time.
        names : sequence of str, optional
            Names of the N positions.
        angular_scale : `~astropy.units.Quantity`, optional
            As in `cutouts`.
        client : `distributed.Client` or str, optional
            A Dask client, or the address of a scheduler ("tcp://host:8786"), to make the chunks
            on its workers. A map that was read from a file is opened by each of them, so
            they need to have the file under the same path.
        **options : dict
            ``geometry`` and ``interpolation``, as in `cutouts`.

        Yields
        ------
        CutoutStack
            The next ``chunk_size`` cutouts, the last time what is left.

        Raises
        ------
        InvalidInputError
            An argument has the wrong type, length or value.
        MissingDependencyError
            A client is given and the package distributed is not installed.
        WorkerError
            The cluster lost its workers.
        """
        coord, names = positions_and_names(coord, names)
        if not isinstance(chunk_size, int | np.integer) or chunk_size < 1:
            raise InvalidInputError(f"'chunk_size' must be 1 or more. Received: {chunk_size!r}")
        scale = check_scale(angular_scale, len(coord), self._grid(options.get("geometry")))
        parts = (slice(i, i + chunk_size) for i in range(0, len(coord), chunk_size))
        chunks = (
            (
                coord[part],
                options
                | {
                    "names": names[part],
                    "angular_scale": None if scale is None else scale[part],
                },
            )
            for part in parts
        )
        if client is None:
            yield from (_cut(self, *chunk) for chunk in chunks)
        else:
            yield from run_tasks(_cut, self, chunks, scheduler=client, in_order=True)


def _cut(ymap, coord, options):
    return ymap.cutouts(coord, **options)


def _reopen(path, facts, meta, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SzmassWarning)  # whoever opened it first was told
        ymap = ComptonMap.read(path, **options, **facts)
    ymap.meta = meta
    return ymap
