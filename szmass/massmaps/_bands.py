"""What networks of mass maps see: bands on the grid of R500, and numbers that tell of them."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from szmass.massmaps._grid import PIXEL, PLACES, Placement, distances, gridded

#: Bands by the names that they have in samples, and whether they are counts of points.
BANDS = ("y", "xray", "galaxies")
#: Planes of the input: each band, and how much of it is known.
PLANES = tuple(plane for band in BANDS for plane in (band, f"{band} known"))
#: Numbers of the input.
NUMBERS = (
    *("log10 mass", "redshift", "error of log10 mass"),
    *("y: ln beam", "y: noise", "y: ln amplitude"),
    *("xray: ln counts", "xray: ln amplitude", "xray: amplitude known"),
    *("galaxies: ln amplitude", "galaxies: ln number", "galaxies known"),
)

_FAR = distances()
_INSIDE = _FAR < 1
_RING = (_FAR > 1.3) & (_FAR < 1.6)
_AREA = PIXEL**2
# Part of R500 of which a band must be known.
_LEAST = 0.1
# Galaxies are few: they are seen through a Gaussian of this standard deviation [R500].
_SMOOTHED = 0.1
# Beyond these a band is as good as perfect, or tells nothing.
_COUNTS = (1.0, 1e7)
_NOISE = (1e-3, 30.0)
# Luminosity [erg/s] in the band, and richness, of a cluster of 5e14 solMass.
_LUMINOSITY, _RICHNESS = 3e44, 50.0


class Bands(NamedTuple):
    """Bands of one cluster, None for what is not there; a map and its valid pixels each.

    Parameters
    ----------
    y, xray, galaxies : (ndarray, ndarray) or None
        Compton-y; photons, or brightness [erg / (s cm2 arcmin2)]; numbers in pixels.
    y500, beam, noise : float
        Y500 that is expected [arcmin2], FWHM of the beam and standard deviation of the
        noise of the mean y in a disc of R500 / 4, both known at R500: in R500, and in y.
    luminosity : float
        What turns a brightness times arcmin2 into a luminosity [erg/s]; NaN for photons.
    """

    y: tuple | None
    xray: tuple | None
    galaxies: tuple | None
    y500: float
    beam: float
    noise: float
    luminosity: float


def network_input(bands, geometry_shape, pixel, theta500, log10_mass, redshift, error, efunc):
    """Planes (SIDE, SIDE, 6) and numbers (12,) of a cluster; ``pixel`` in R500, theta500 arcmin."""
    place = Placement(geometry_shape, pixel)
    bands = bands._replace(**{name: _enough(getattr(bands, name), place) for name in BANDS})
    planes = np.zeros((*_FAR.shape, len(PLANES)))
    numbers = np.zeros(len(NUMBERS))
    mass = 10 ** (log10_mass - 14.7)
    numbers[:3] = 2 * (log10_mass - 14.7), 3 * redshift, 10 * error
    if bands.y is not None:
        value, known = gridded(*bands.y, place)
        value *= theta500**2 / bands.y500
        planes[..., 0], planes[..., 1] = np.arcsinh(10 * value) / 3, known
        numbers[3] = 0.5 * np.log(max(bands.beam, 0.01))
        numbers[4] = 0.3 * np.log(np.clip(bands.noise * theta500**2 / bands.y500, *_NOISE)) + 1
        numbers[5] = _asinh_log(_total(value, known))
    if bands.xray is not None:
        photons = not np.isfinite(bands.luminosity)
        value, known = gridded(*bands.xray, place)
        back = value[_RING & (known > 0)].mean() if np.any(_RING & (known > 0)) else 0.0
        net = _total(value - back, known)
        area = theta500**2
        counts = _COUNTS[1] if not photons else np.clip(net / pixel**2, *_COUNTS)
        scale = max(net, 1e-3 * abs(_total(value, known)), 1e-300)
        planes[..., 2], planes[..., 3] = np.arcsinh(50 * (value - back) / scale) / 5, known
        numbers[6] = 0.2 * np.log(counts / 1e3)
        if not photons:
            bright = net * area * bands.luminosity / (_LUMINOSITY * efunc**2 * mass ** (4 / 3))
            numbers[7], numbers[8] = np.log(max(bright, 1e-3)), 1
    if bands.galaxies is not None:
        image, good = bands.galaxies
        value, known = gridded(image / pixel**2, good, place)
        back = value[_RING & (known > 0)].mean() if np.any(_RING & (known > 0)) else 0.0
        expected = _RICHNESS * mass**0.75
        smooth = ndimage.gaussian_filter(value, _SMOOTHED / PIXEL, mode="nearest")
        planes[..., 4], planes[..., 5] = np.arcsinh(3 * smooth / expected) / 2, known
        numbers[9] = np.log(max(_total(value - back, known) / expected, 0.05))
        numbers[10], numbers[11] = 0.3 * np.log(max(_total(value, known), 1.0) / 50), 1
    return planes.astype(np.float32), numbers.astype(np.float32)


def _enough(band, place):
    """The band, or None where so little of R500 is known that its integral would be a guess."""
    if band is None:
        return None
    _, known = gridded(*band, place)
    return band if known[_INSIDE].mean() >= _LEAST else None


def _total(value, known):
    """Integral inside R500 over area in R500^2; what is not known has the mean of the rest."""
    seen = known * _INSIDE
    return (value * seen).sum() / max(seen.sum(), 1e-9) * _INSIDE.sum() * _AREA


def _asinh_log(value):
    """Logarithm that goes over into a straight line below 0.1, for signals in noise."""
    return np.arcsinh(value / 0.2) - np.arcsinh(5.0)


def quadrupoles(y, known):
    """Moments (N, 2) of maps on the grid inside R500: (x^2 - y^2, 2 x y) over r^2."""
    x, up = PLACES, PLACES[:, np.newaxis]
    weight = y * known * _INSIDE
    total = (weight * _FAR**2).sum(axis=(-2, -1))
    moments = [(weight * moment).sum(axis=(-2, -1)) for moment in (x**2 - up**2, 2 * x * up)]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack(moments, axis=-1) / total[..., np.newaxis]
    return np.where((total > 0)[..., np.newaxis], found, 0.0)


def noise_in_disc(noise, theta500):
    """Standard deviation of the mean y in Gaussian discs with the area of R500 / 4 [arcmin]."""
    ell = np.geomspace(30, 60000, 200)
    power = noise.spectrum(ell).value
    sigma = np.asarray(theta500)[:, np.newaxis] / 4 / 2 * np.pi / 10800
    window = np.exp(-((ell * sigma) ** 2))
    return np.sqrt(np.trapezoid(ell**2 * power * window / (2 * np.pi), np.log(ell), axis=1))
