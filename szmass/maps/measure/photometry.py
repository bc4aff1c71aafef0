"""Integrated Y in circular apertures, and radial profiles, of cutouts."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass.maps.measure._apertures import check_depth, mean_radius, noise_covariance, ring_sums
from szmass.maps.measure._input import as_cutouts, as_edges, as_radii, as_ring, as_scale, on_sky

__all__ = ["aperture_photometry", "radial_profile"]

_SR = u.sr.to(u.arcmin**2)


def aperture_photometry(
    cutouts, radius, *, angular_scale=None, background=None, noise=None, depth=None
):
    """Integrate Compton-y over circles around the middle of cutouts.

    Y is the sum of y times the solid angle of each pixel, over the part of the circle
    that the footprint covers; pixels that the circle cuts count with the part inside. Pixels of a
    tangent plane away from its middle subtend less, and the radius is an angle on the sky: both
    matter at the level of 0.5 % at 4 deg.

    Parameters
    ----------
    cutouts : Cutout or CutoutStack or ~szmass.clusters.ClusterSample
        N cutouts, or a sample that has them.
    radius : `~astropy.units.Quantity` or str or array-like
        One radius or R of them: angles, or numbers in units of ``angular_scale``.
    angular_scale : `~astropy.units.Quantity`, optional
        N angles that radii without unit are in units of, for instance theta500; NaN gives NaN. By
        default those of the cutouts, if their geometry is relative.
    background : (`~astropy.units.Quantity`, `~astropy.units.Quantity`), optional
        Inner and outer radius of an annulus, in the same ways as ``radius``, the mean y of which is
        subtracted. None subtracts nothing.
    noise : NoiseModel, optional
        Noise of the map that the cutouts are from, for errors.
    depth : float or array-like, optional
        Factor of the noise amplitude, one or N. By default what a depth *map* of the noise model
        has at the positions; 1 if the model knows its depth only as a distribution.

    Returns
    -------
    `~astropy.table.QTable`
        One row per cutout, in their order; for R radii (but not for one) the columns have R
        entries per row.

        =====================  ==========================================================
        name
        radius                 Radius [arcmin].
        y                      Y [arcmin2]; NaN where nothing is covered.
        y_err                  Standard deviation due to noise [arcmin2].
        y_cov                  Its covariance, R x R [arcmin4]; for several radii.
        coverage               Part of the circle that the footprint covers.
        complete               Whether that is all of it, and all of the background annulus.
        background             Mean y of the annulus.
        background_coverage    Part of the annulus that the footprint covers.
        =====================  ==========================================================

        Without ``noise`` or ``background`` their columns are absent. **Y of an incomplete circle
        lacks what is not covered**: it is not scaled up.

    Raises
    ------
    InvalidInputError
        A radius is not positive and finite, the annulus is not one, a radius without unit comes
        without ``angular_scale``, or the noise has another beam.
    InvalidUnitError
        A radius is neither an angle nor a number.

    Notes
    -----
    The errors hold the noise in aperture *and* background annulus, with the correlations of
    pixels that follow from the spectrum. They hold no error of the signal.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import aperture_photometry
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([1e15, 6e14] * u.solMass, 0.1), cosmology="PSZ2", seed=1)
    >>> table = aperture_photometry(sample, 20 * u.arcmin, background=[40, 60] * u.arcmin)
    >>> table.colnames
    ['name', 'radius', 'y', 'coverage', 'complete', 'background', 'background_coverage']
    >>> print(table["y"].round(4))
    [0.0142 0.0053] arcmin2
    """
    cutouts = as_cutouts(cutouts)
    lengths, ring = as_radii(radius), as_ring(background)
    scale = as_scale(angular_scale, cutouts)
    angles = on_sky(lengths.reshape(-1), scale, len(cutouts), "radius")
    edges = np.stack([np.zeros_like(angles), angles], axis=2)
    sums = _Sums(cutouts, edges, ring, scale, noise, depth)
    area = sums.area[:, : sums.k]
    value, covariance = sums.combine(np.where(area > 0, 1.0, np.nan), area)

    shape = (len(cutouts), *lengths.shape)
    table = sums.table()
    table["radius"] = (angles * u.rad).to(u.arcmin).reshape(shape)
    table["y"] = value.reshape(shape) * _SR * u.arcmin**2
    if covariance is not None:
        variance = np.einsum("nkk->nk", covariance)
        table["y_err"] = np.sqrt(variance).reshape(shape) * _SR * u.arcmin**2
        if lengths.ndim:
            table["y_cov"] = covariance * _SR**2 * u.arcmin**4
    sums.describe(table, shape)
    table.meta.update(radius=str(lengths))
    return table


def radial_profile(cutouts, edges, *, angular_scale=None, background=None, noise=None, depth=None):
    """Average Compton-y over annuli around the middle of cutouts.

    Parameters
    ----------
    cutouts : Cutout or CutoutStack or ~szmass.clusters.ClusterSample
        N cutouts, or a sample that has them.
    edges : `~astropy.units.Quantity` or array-like
        B + 1 increasing radii from 0 or more: angles, or numbers in units of ``angular_scale``.
    angular_scale : `~astropy.units.Quantity`, optional
        As in `aperture_photometry`.
    background : (`~astropy.units.Quantity`, `~astropy.units.Quantity`), optional
        As in `aperture_photometry`.
    noise : NoiseModel, optional
        As in `aperture_photometry`.
    depth : float or array-like, optional
        As in `aperture_photometry`.

    Returns
    -------
    `~astropy.table.QTable`
        One row per cutout with B entries in each column: ``radius`` (mean over the area of the
        annulus, in the unit of ``edges``), ``y`` (mean over the covered part, NaN
        if there is none), ``coverage``, ``complete``; with ``noise`` also ``y_err`` and
        ``y_cov`` (B x B); with ``background`` also ``background`` and ``background_coverage``.
        ``meta["edges"]`` has the edges.

    Raises
    ------
    InvalidInputError
        The edges do not increase, come without unit and without ``angular_scale``, or the noise
        has another beam.
    InvalidUnitError
        The edges are neither angles nor numbers.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import radial_profile
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([1e15, 6e14] * u.solMass, 0.1), cosmology="PSZ2", seed=1)
    >>> profile = radial_profile(sample, [0, 10, 20, 40] * u.arcmin)
    >>> profile["radius"].shape, bool((profile["y"][:, 0] > profile["y"][:, 1]).all())
    ((2, 3), True)
    """
    cutouts = as_cutouts(cutouts)
    lengths, ring = as_edges(edges), as_ring(background)
    scale = as_scale(angular_scale, cutouts)
    angles = on_sky(lengths, scale, len(cutouts), "edges")
    rings = np.stack([angles[:, :-1], angles[:, 1:]], axis=2)
    sums = _Sums(cutouts, rings, ring, scale, noise, depth)
    area = sums.area[:, : sums.k]
    inverse = np.divide(1.0, area, out=np.full_like(area, np.nan), where=area > 0)
    value, covariance = sums.combine(inverse, np.ones_like(area))

    table = sums.table()
    table["radius"] = np.broadcast_to(mean_radius(lengths.value), area.shape) * lengths.unit
    table["y"] = value
    if covariance is not None:
        table["y_err"] = np.sqrt(np.einsum("nkk->nk", covariance))
        table["y_cov"] = covariance
    sums.describe(table, area.shape)
    table.meta.update(edges=lengths)
    return table


class _Sums:
    """Integrals over K annuli and, as the last one, the background annulus."""

    def __init__(self, cutouts, edges, ring, scale, noise, depth):
        self.k = edges.shape[1]
        self._names, self._ring = cutouts.names, ring
        if ring is not None:
            background = on_sky(ring, scale, len(cutouts), "background")
            edges = np.concatenate([edges, background[:, np.newaxis]], axis=1)
        depth = check_depth(noise, depth, cutouts)
        covariance = noise_covariance(noise, cutouts)
        self.integral, self.area, self.coverage, self._noise = ring_sums(cutouts, edges, covariance)
        if noise is not None:
            if self._noise is None:
                self._noise = np.full((len(cutouts), edges.shape[1], edges.shape[1]), np.nan)
            self._noise *= depth[:, np.newaxis, np.newaxis] ** 2
        self._meta = {
            "background": None if ring is None else str(ring),
            "noise": None if noise is None else repr(noise),
            "beam": None if cutouts.beam is None else str(cutouts.beam),
        }

    def combine(self, factor, times_background):
        """Give factor x integral - times_background x mean of the background, and covariance."""
        value = factor * self.integral[:, : self.k]
        if self._ring is not None:
            value = value - times_background * self._background()[:, np.newaxis]
        if self._noise is None:
            return value, None
        transform = np.zeros((len(value), self.k, self.area.shape[1]))
        diagonal = np.arange(self.k)
        transform[:, diagonal, diagonal] = factor
        if self._ring is not None:
            transform[:, :, -1] = -times_background / self._ring_area()[:, np.newaxis]
        covariance = transform @ self._noise @ transform.transpose(0, 2, 1)
        unknown = ~np.isfinite(value)
        covariance[unknown[:, :, np.newaxis] | unknown[:, np.newaxis, :]] = np.nan
        return value, covariance

    def _ring_area(self):
        area = self.area[:, -1]
        return np.where(area > 0, area, np.nan)

    def _background(self):
        return self.integral[:, -1] / self._ring_area()

    def table(self):
        """Start the table of results."""
        return QTable({"name": self._names}, meta=self._meta)

    def describe(self, table, shape):
        """Add the columns on what is covered."""
        coverage = self.coverage[:, : self.k]
        complete = coverage == 1
        table["coverage"] = coverage.reshape(shape)
        if self._ring is not None:
            complete = complete & (self.coverage[:, -1:] == 1)
        table["complete"] = complete.reshape(shape)
        if self._ring is not None:
            table["background"] = self._background()
            table["background_coverage"] = self.coverage[:, -1]
