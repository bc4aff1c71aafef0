"""Power spectra given at some multipoles: integrals over them; fields and skies drawn of them."""

import astropy.units as u
import numpy as np
from scipy import fft

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_geometry
from szmass.maps.sampling import check_beam
from szmass.physics.cosmology import ARCMIN_PER_RADIAN

# Correlation functions are tabulated with so many nodes per wave of the highest multipole that
# matters, the one below which all but this part of the variance is.
_NODES_PER_WAVE, _NEGLECTED = 8, 1e-7

# Modes beyond those that hold all but this part of the variance are not drawn: noise that has
# been through a 10 arcmin beam fills a fifth of the Fourier plane of 1.7 arcmin pixels.
_NOT_DRAWN = 1e-6

# Fields made at a time, so that they stay in the processor's cache.
_CHUNK = 8

# The power of the lowest modes is a mean over their cells; up to this many fundamentals, with
# this many points in a cell.
_LOW, _POINTS = 6, 9

# HEALPix pixels at a time.
_SKY_PIECE = 2**20


def beam_power(ell, beam):
    """B_l^2 of a Gaussian beam of an FWHM that is a Quantity; None raises an error."""
    if beam is None:
        raise InvalidInputError(
            "The noise model has no beam, and this needs the one that is in its spectrum. Make it "
            "with beam=..., or from maps that have one."
        )
    sigma = beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
    return np.exp(-ell * (ell + 1) * sigma**2)


def _pixel_window_power(ell, pixel):
    """Mean over directions of the squared window of square pixels of a side [rad]."""
    phi = (np.arange(32) + 0.5) * (np.pi / 64)
    x = np.multiply.outer(ell * pixel / (2 * np.pi), [np.cos(phi), np.sin(phi)])
    return np.mean(np.prod(np.sinc(x), axis=-2) ** 2, axis=-1)


class PowerTable:
    """Power spectrum [sr]: power laws between the nodes, constant below them, nothing beyond."""

    def __init__(self, ell, spectrum):
        ell = as_floats(ell, "", "ell", positive=True, finite=True)
        spectrum = as_floats(spectrum, u.sr, "spectrum", positive=True, finite=True)
        if ell.ndim != 1 or ell.size < 2 or spectrum.shape != ell.shape:
            raise InvalidInputError(
                "'ell' and 'spectrum' must be one-dimensional, of one length and at least 2 long. "
                f"Received: shapes {ell.shape} and {spectrum.shape}"
            )
        if np.any(np.diff(ell) <= 0):
            first = int(np.argmax(np.diff(ell) <= 0))
            raise InvalidInputError(
                "'ell' must increase; sort it together with 'spectrum'. Received: "
                f"{ell[first]:g} before {ell[first + 1]:g}"
            )
        self.ell, self.power = ell.copy(), spectrum.copy()
        self._log = np.log(self.ell), np.log(self.power)

    def __call__(self, ell):
        """Give the spectrum [sr] at multipoles >= 0, of any shape."""
        inside = np.maximum(ell, self.ell[0])
        return np.where(ell > self.ell[-1], 0.0, np.exp(np.interp(np.log(inside), *self._log)))

    def _integrand(self, pixel):
        top = self.ell[-1]
        ell = np.linspace(0, top, int(np.clip(top, 2000, 12000)))
        integrand = ell * self(ell) / (2 * np.pi)
        return ell, integrand if pixel is None else integrand * _pixel_window_power(ell, pixel)

    def variance(self, ell_min=0.0, pixel=None):
        """Variance from a multipole on, after averaging over square pixels of a side [rad]."""
        ell, integrand = self._integrand(pixel)
        steps = (integrand[1:] + integrand[:-1]) / 2 * np.diff(ell)
        below = np.concatenate([[0], np.cumsum(steps)])
        return below[-1] - np.interp(ell_min, ell, below)

    def correlation(self, separation, pixel=None):
        """Correlation function at angles [rad] of any shape."""
        from scipy.interpolate import CubicSpline
        from scipy.special import j0

        ell, integrand = self._integrand(pixel)
        weight = integrand * ell[1]
        weight[-1] /= 2
        below = np.cumsum(weight)
        highest = ell[np.searchsorted(below, (1 - _NEGLECTED) * below[-1])]
        farthest = max(float(np.max(separation, initial=0.0)), 1e-6)
        waves = highest * farthest / (2 * np.pi)
        nodes = np.linspace(0, farthest, int(_NODES_PER_WAVE * waves) + 16)
        parts = np.array_split(nodes, 1 + len(nodes) // 64)
        values = np.concatenate([j0(np.multiply.outer(part, ell)) @ weight for part in parts])
        return CubicSpline(nodes, values)(separation)

    def variance_in_field(self, shape, pixel, window=None):
        """Variance of the pixels of a field about its mean; pixel sides in rad."""
        lags = [np.arange(1 - n, n) for n in shape]
        pairs = np.multiply.outer(*(n - np.abs(lag) for n, lag in zip(shape, lags, strict=True)))
        separation = pixel * np.hypot(lags[0][:, np.newaxis], lags[1])
        correlation = self.correlation(separation, window)
        of_the_mean = np.sum(pairs * correlation) / np.prod(shape) ** 2
        return correlation[shape[0] - 1, shape[1] - 1] - of_the_mean


def flat_multipoles(shape, pixel):
    """|l| on the half-plane of a real FFT of pixels of a side [rad], (ny, nx // 2 + 1)."""
    ly = 2 * np.pi * fft.fftfreq(shape[0], pixel)
    lx = 2 * np.pi * fft.rfftfreq(shape[1], pixel)
    return np.hypot(ly[:, np.newaxis], lx)


def mean_power(power, shape, pixel):
    """Power [sr] of the modes (ny, nx // 2 + 1) of a field of pixels [rad], means over their cells.

    That of the mode 0 is what is on larger scales: the mean over the field is not 0.
    """
    result = power(flat_multipoles(shape, pixel))
    dy, dx = (2 * np.pi / (n * pixel) for n in shape)
    inside = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    rows = fft.fftfreq(shape[0], 1 / shape[0])
    for row in np.flatnonzero(np.abs(rows) <= _LOW):
        for column in range(min(_LOW + 1, result.shape[1])):
            ell = np.hypot((rows[row] + inside[:, np.newaxis]) * dy, (column + inside) * dx)
            result[row, column] = power(ell).mean()
    return result


class FieldSampler:
    """Gaussian fields of pixels of a side [rad], cut out of periodic ones that are larger."""

    def __init__(self, power, shape, pixel, padding, dtype):
        self._shape = shape
        self._dtype = np.dtype(dtype)
        rows, columns = (fft.next_fast_len(int(np.ceil(padding * n)), real=True) for n in shape)
        self._padded = rows, columns
        variance = mean_power(power, self._padded, pixel) / (rows * columns * pixel**2)
        # Real and imaginary part share the variance of a mode. In the columns of real modes
        # the inverse transform uses the real part alone of what comes out of the first step.
        amplitude = np.sqrt(variance / 2)
        amplitude[:, 0] *= np.sqrt(2)
        if columns % 2 == 0:
            amplitude[:, -1] *= np.sqrt(2)
        order = np.argsort(variance, axis=None)
        small = np.cumsum(variance.flat[order]) < _NOT_DRAWN * variance.sum()
        used = np.ones(variance.size, bool)
        used[order[small]] = False
        used = used.reshape(variance.shape)
        self._columns = int(np.flatnonzero(used.any(axis=0)).max()) + 1
        index = np.abs(fft.fftfreq(rows, 1 / rows)).astype(int)
        highest = index[used.any(axis=1)].max()
        self._rows = np.flatnonzero(index <= highest)
        self._split = int(np.count_nonzero(self._rows <= highest))
        self._amplitude = amplitude[self._rows, : self._columns].astype(self._dtype)

    def draw(self, n, rng):
        """Draw fields, (n, ny, nx); ``rng`` is one generator, or a list with one per field."""
        result = np.empty((n, *self._shape), self._dtype)
        ny, nx = self._shape
        kind = np.result_type(self._dtype, np.complex64)
        normal = np.empty((_CHUNK, *self._amplitude.shape, 2), self._dtype)
        modes = np.zeros((_CHUNK, self._padded[0], self._columns), kind)
        split, rest = self._split, len(self._rows) - self._split
        for start in range(0, n, _CHUNK):
            count = min(_CHUNK, n - start)
            if isinstance(rng, list):
                for row, own in zip(normal, rng[start : start + count], strict=False):
                    own.standard_normal(out=row, dtype=self._dtype)
            else:
                rng.standard_normal(out=normal[:count], dtype=self._dtype)
            block = normal[:count].view(kind)[..., 0]
            np.multiply(block[:, :split], self._amplitude[:split], out=modes[:count, :split])
            if rest:
                np.multiply(block[:, split:], self._amplitude[split:], out=modes[:count, -rest:])
            partly = fft.ifft(modes[:count], axis=1, norm="forward")[:, :ny]
            whole = fft.irfft(partly, n=self._padded[1], axis=2, norm="forward")
            result[start : start + count] = whole[:, :, :nx]
        return result


def draw_sky(spectrum, nside, rng):
    """Draw a sky (RING) of a spectrum from l = 0; healpy would draw from numpy's global state."""
    import healpy

    ell_max = len(spectrum) - 1
    alm = np.empty(healpy.Alm.getsize(ell_max), complex)
    rng.standard_normal(out=alm.view(float))
    alm *= np.sqrt(0.5)
    # m = 0 comes first and is real.
    alm[: ell_max + 1] = alm[: ell_max + 1].real * np.sqrt(2)
    healpy.almxfl(alm, np.sqrt(spectrum), inplace=True)
    return healpy.alm2map(alm, nside, lmax=ell_max)


def upgrade(values, nside):
    """Bring a map (RING, NaN where not known) to another nside: bilinear up, means down."""
    import healpy

    own = healpy.npix2nside(len(values))
    if nside == own:
        return values.copy()
    if nside < own:
        bad = np.isnan(values)
        result = healpy.ud_grade(np.where(bad, healpy.UNSEEN, values), nside)
        result[result == healpy.UNSEEN] = np.nan
        return result
    result = np.empty(12 * nside**2)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    for start in range(0, len(result), _SKY_PIECE):
        pixels = np.arange(start, min(start + _SKY_PIECE, len(result)))
        neighbours, weights = healpy.get_interp_weights(own, *healpy.pix2ang(nside, pixels))
        part = np.sum(filled[neighbours] * weights, axis=0)
        if not known.all():
            # Means over what is known, where that is most of it.
            cover = np.sum(known[neighbours] * weights, axis=0)
            part = np.where(cover > 0.5, part / np.maximum(cover, 0.5), np.nan)
        result[pixels] = part
    return result


def grid_of(geometry):
    """Shape and pixel side [rad] of a geometry that has one."""
    geometry = check_geometry(geometry)
    return geometry.shape, geometry.pixel_side()


class NoiseSpectrum:
    """The part of a `NoiseModel` that is its power spectrum and beam."""

    def __init__(self, ell, spectrum, beam):
        self._power = PowerTable(ell, spectrum)
        self._beam = check_beam(beam)

    ell = property(lambda self: self._power.ell.copy(), doc="Multipoles of the table.")
    beam = property(lambda self: self._beam, doc="FWHM of the beam in the spectrum, or None.")

    def spectrum(self, ell, *, deconvolved=False):
        """Give the power spectrum of the noise.

        Parameters
        ----------
        ell : float or array-like
            Multipoles, >= 0.
        deconvolved : bool, optional
            Divide by B_l^2, as a matched filter for sources on the sky has it.

        Returns
        -------
        `~astropy.units.Quantity`
            N_l [sr]. Beyond the last multipole of the table it is 0, or infinite if deconvolved.

        Raises
        ------
        InvalidInputError
            A multipole is negative or not finite, or the model has no beam to divide by.
        """
        ell = as_floats(ell, "", "ell", finite=True)
        if np.any(ell < 0):
            raise InvalidInputError(f"'ell' must be >= 0. Received: {ell.min():g}")
        power = self._power(ell)
        if deconvolved:
            power = np.where(
                power > 0, power / np.maximum(beam_power(ell, self.beam), 1e-300), np.inf
            )
        return power * u.sr

    def rms(self, geometry=None, *, ell_min=0.0, pixel_scale=None):
        """Give the standard deviation of the noise at depth 1.

        Parameters
        ----------
        geometry : CutoutGeometry, optional
            Give what is expected of the pixels of such a field about the mean of the field, which
            lacks the power on larger scales.
        ell_min : float, optional
            Leave out multipoles below.
        pixel_scale : `~astropy.units.Quantity` or str, optional
            After averaging over square pixels of this side.

        Returns
        -------
        float
            In units of y.

        Raises
        ------
        InvalidInputError
            Geometry and ``ell_min`` are both given, or a value is out of range.
        """
        pixel = None
        if pixel_scale is not None:
            pixel = as_floats(pixel_scale, u.rad, "pixel_scale", positive=True, finite=True)
        low = float(as_floats(ell_min, "", "ell_min", finite=True))
        if geometry is None:
            return float(np.sqrt(self._power.variance(low, pixel)))
        if low:
            raise InvalidInputError(
                "Give either 'geometry' or 'ell_min': both say what is left out."
            )
        return float(np.sqrt(self._power.variance_in_field(*grid_of(geometry), pixel)))

    def gradient_variance(self):
        """Give the variance of the gradient of the noise at depth 1, both axes together.

        Values that are displaced by a small random distance differ by the gradient times that.

        Returns
        -------
        float
            In y squared per arcmin squared.
        """
        ell = np.linspace(0, self.ell[-1], 8000)
        power = ell**3 * self.spectrum(ell).value
        return float(np.trapezoid(power, ell) / (2 * np.pi) / ARCMIN_PER_RADIAN**2)

    def correlation(self, separation):
        """Give the covariance of two pixels at depth 1.

        Parameters
        ----------
        separation : `~astropy.units.Quantity`
            Angle between them, on the flat sky.

        Returns
        -------
        `~numpy.ndarray` or float
            In units of y^2; the variance at 0.

        Raises
        ------
        InvalidInputError
            An angle is negative or not finite.
        """
        separation = as_floats(separation, u.rad, "separation", finite=True)
        if np.any(separation < 0):
            raise InvalidInputError("'separation' must be >= 0.")
        return self._power.correlation(separation)[()]

    def fourier_power(self, geometry):
        """Give the power of each mode of a field, for filters in Fourier space.

        Parameters
        ----------
        geometry : CutoutGeometry
            The field, taken as periodic.

        Returns
        -------
        `~astropy.units.Quantity`
            Mean of N_l over the cell of each mode [sr], in the order of `numpy.fft.rfft2`: shape
            (ny, nx // 2 + 1).
        """
        return mean_power(self._power, *grid_of(geometry)) * u.sr

    def sigma_y500(self, theta500, *, profile="arnaud2010", ell_min=66.0):
        """Give the noise of a matched filter for clusters of known size and position.

        sigma^-2 = int l dl / (2 pi) t_l^2 B_l^2 / N_l with the transform t_l of the disc.

        Parameters
        ----------
        theta500 : `~astropy.units.Quantity`
            Angle of R500.
        profile : str or GNFWProfile, optional
            Pressure profile.
        ell_min : float, optional
            Multipoles below carry no information. The default is the fundamental of a field
            twice as large as the cutouts, and is where this comes closest to Planck's table.

        Returns
        -------
        `~astropy.units.Quantity`
            sigma of Y500 [arcmin2] at depth 1, of the shape of ``theta500``.

        Raises
        ------
        InvalidInputError
            The model has no beam, an angle is not positive, or the profile's shape depends on mass.
        """
        # The profiles bring cosmology with them, which opening and cutting maps can do without.
        from szmass.physics.templates import filter_weights, get_scale_free_profile

        theta = as_floats(theta500, u.rad, "theta500", positive=True)
        low = float(as_floats(ell_min, "", "ell_min", positive=True, finite=True))
        if low >= self._power.ell[-1]:
            raise InvalidInputError(
                f"'ell_min' must be below the last multipole, {self._power.ell[-1]:.0f}. "
                f"Received: {low:g}"
            )
        ell = np.geomspace(low, self._power.ell[-1], 1500)
        weights = filter_weights(theta.ravel(), ell, get_scale_free_profile(profile))
        sigma = (weights @ (beam_power(ell, self.beam) / self._power(ell))) ** -0.5
        return (sigma.reshape(theta.shape) * u.sr).to(u.arcmin**2)
