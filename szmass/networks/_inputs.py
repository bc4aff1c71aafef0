"""Inputs of density networks from cutouts: blocks of pixels, as they are and filtered."""

import astropy.units as u
import numpy as np
from scipy import fft

from szmass._utils.pieces import row_products
from szmass.exceptions import InvalidInputError
from szmass.maps.sampling import Sampling
from szmass.physics.pressure import get_pressure_profile
from szmass.physics.templates import disc_transform

#: Planes of the input, each of a quarter of the pixels of the field along a side.
CHANNELS = ("core", "core filtered", "field", "field filtered")

# Multipoles at which the amplitude of the noise is told to the network.
_MULTIPOLES = (150.0, 450.0, 900.0, 1500.0)

#: Numbers that come with each map.
CONTEXT = ("redshift", "log10 redshift", *(f"noise at l = {ell:.0f}" for ell in _MULTIPOLES))

# Sizes theta500 [arcmin] of matched filters in the middle of the field, and of the clusters whose
# detection limits tell the network of the noise.
_FILTERS, _LIMITS = (1.5, 3.0, 6.0, 12.0, 24.0, 48.0), (2.0, 5.0, 12.0, 30.0)

#: More numbers, for networks that give amplitudes: what is told of noise and position, and what
#: filters found.
TOLD = (
    *CONTEXT,
    *(f"noise at theta500 = {size:g} arcmin" for size in _LIMITS),
    "position error",
)
FOUND = tuple(f"filter of theta500 = {size:g} arcmin" for size in _FILTERS)

#: Pixels along a side of the planes of networks of states.
STATE_PLANE = 24


def state_context(bands):
    """Numbers that come with images in these bands, for networks of states."""
    return (
        *("log10 mass", "redshift", "log10 redshift", "log10 of theta500 over the beam"),
        *(f"whether {band} tells something" for band in bands),
        *(f"log10 signal-to-noise ratio in {band}" for band in bands),
    )


_ARCMIN = np.pi / 180 / 60
# Size of the cluster that the filter is made for [arcmin]: small, so that it loses nothing.
_THETA500 = 4.0
# White noise that is added, in units of the rms: where the beam leaves less, there is no signal.
_FLOOR = 0.01
# What pixels wider than the beam have taken away is not there to be sharpened.
_SHARPEST = 3.0
# y [1] and N_l [sr] that are of order one for the network.
_Y, _POWER = 1.64e-6, 1e-17
# Y500 [arcmin2] whose logarithm is subtracted from those of detection limits.
_LIMIT = 6e-4
# Signals beyond so many standard deviations are compressed: they range over four decades.
_KNEE = 3.0
# The same for amplitudes, in units of the noise, which are compressed further.
_BEND = 0.15
# Factor of compressed amplitudes in the context, which makes them of order one.
_ORDER_ONE = 0.1
# Sizes between which detection limits are interpolated [arcmin].
_SIZES = np.geomspace(0.2, 250.0, 80)
# Half-width [pixels] of the interpolating kernel.
_LANCZOS = 4


class NetworkInputs:
    """Makes the planes and numbers that the network sees, for maps of one grid and one noise.

    The planes hold blocks of 2 x 2 pixels of the inner half of the field, and of 4 x 4 pixels of
    the whole; in y, and after the matched filter of a small cluster in units of its noise; both
    compressed by an inverse hyperbolic sine. Pixels are in arcmin; the noise is that of the map, of
    its beam. Maps that pixels and interpolation have smoothed, as ``sampling`` says, are brought
    back to point samples first, which the networks know.
    """

    def __init__(self, shape, pixel, noise, sampling=None):
        if shape[0] != shape[1] or shape[0] % 8:
            raise InvalidInputError(
                "Cutouts must be squares whose side is divisible by 8, to be divided into blocks. "
                f"Received: {shape[0]} x {shape[1]}"
            )
        self.shape = tuple(shape)
        n, side = shape[0] // 2, 2 * pixel * _ARCMIN
        k = np.pi * np.arange(n) / (n * side)
        ell = np.hypot(k[:, np.newaxis], k)
        power = noise.spectrum(ell).value
        smoothed, own, jitter = (sampling or Sampling("point")).windows(pixel * u.arcmin)
        square = 0.5 * (ell * _ARCMIN) ** 2
        sharpened = np.minimum(np.exp(np.minimum(square * smoothed, 50.0)), _SHARPEST)
        power *= sharpened**2 * np.exp(-2 * square * own)
        there = power / side**2
        # Displaced values differ by the gradient of the map: white noise of the four pixels of a
        # block, which is sharpened too.
        power += sharpened**2 * jitter * noise.gradient_variance() / 4 * side**2
        power += (_FLOOR * noise.rms() * side) ** 2
        self._sharpened = sharpened.astype(np.float32) if smoothed else None
        sigma = noise.beam.to_value("rad") / np.sqrt(8 * np.log(2))
        profile = get_pressure_profile("arnaud2010")
        beam = np.exp(-0.5 * (ell * sigma) ** 2)

        def signal(theta500):
            return disc_transform(ell * theta500 * _ARCMIN, profile) * beam

        weights = signal(_THETA500) / power
        # A constant offset tells nothing.
        weights[0, 0] = 0.0
        # Unit variance of the filtered noise at depth 1.
        variance = (weights**2 * power).mean() / side**2
        self._weights = (weights / np.sqrt(variance)).astype(np.float32)
        self._rms = _log_rms(there, self._weights)
        levels = noise.spectrum(np.array(_MULTIPOLES), deconvolved=True).value
        self._levels = 0.5 * np.log(levels / _POWER)
        # Modes of cosines that are even about the middle, of a cluster with Y500 = 1 arcmin2.
        even = np.cos(np.pi * np.arange(n) / 2).round()
        even *= np.where(np.arange(n), np.sqrt(2 / n), np.sqrt(1 / n))
        even *= np.sinc(k * side / (2 * np.pi))
        middle = np.multiply.outer(even, even) * (_ARCMIN / side) ** 2
        templates = np.array([(signal(size) * middle).ravel() for size in _FILTERS])
        filters = templates * side**2 / power.ravel()
        filters[:, 0] = 0.0
        filters /= np.sqrt((filters * templates).sum(axis=1))[:, np.newaxis]
        self._filters = filters.T.astype(np.float32)
        limits = noise.sigma_y500(_SIZES * u.arcmin, profile=profile).to_value(u.arcmin**2)
        self._limits = np.log(limits)
        self._told = np.interp(np.log(_LIMITS), np.log(_SIZES), self._limits) - np.log(_LIMIT)

    def error(self, theta500):
        """Standard error of Y500 [arcmin2] of filters for sizes theta500 [arcmin], at depth 1."""
        return np.exp(np.interp(np.log(theta500), np.log(_SIZES), self._limits))

    def planes(self, blocks, depth):
        """Planes, float32 (N, n / 2, n / 2, 4), of `pooled` y (N, n, n) at depths (N,)."""
        return self.seen(blocks, depth)[0]

    def seen(self, blocks, depth):
        """`planes`, and compressed S/N in the middle of filters of all sizes, float32 (N, 6)."""
        blocks = np.asarray(blocks, dtype=np.float32)
        depth = np.asarray(depth, dtype=np.float32).reshape(-1, 1, 1)
        modes = fft.dctn(blocks, axes=(1, 2), norm="ortho", overwrite_x=False)
        if self._sharpened is not None:
            modes *= self._sharpened
            blocks = fft.idctn(modes, axes=(1, 2), norm="ortho", overwrite_x=False)
        found = compressed(row_products(modes.reshape(len(modes), -1), self._filters) / depth[:, 0])
        modes *= self._weights
        filtered = fft.idctn(modes, axes=(1, 2), norm="ortho", overwrite_x=True)
        filtered /= depth
        n = blocks.shape[1] // 2
        inner = slice(n // 2, n // 2 + n)
        result = np.empty((len(blocks), n, n, len(CHANNELS)), dtype=np.float32)
        for channel, (image, scale) in enumerate(((blocks, _Y), (filtered, 1.0))):
            for wide, part in ((0, image[:, inner, inner]), (2, pooled(image))):
                result[..., channel + wide] = np.arcsinh(part / (_KNEE * scale))
        return result, np.float32(_ORDER_ONE) * found

    def context(self, redshift, depth):
        """Numbers that go with the planes, float32 (N, 6), at redshifts and depths (N,)."""
        redshift = np.asarray(redshift, dtype=float)
        levels = self._levels + np.log(np.asarray(depth, dtype=float))[:, np.newaxis]
        own = np.stack([4 * redshift - 2, 2 * np.log10(redshift) + 1], axis=1)
        return np.concatenate([own, levels], axis=1).astype(np.float32)

    def domain_context(self, redshift, depth):
        """Numbers that a `DomainScore` takes: those of redshift, and ln of rms of noise, (N, 10).

        The rms are those of values and differences of y and of filtered y, in small and large
        blocks.
        """
        redshift, depth = np.asarray(redshift, dtype=float), np.asarray(depth, dtype=float)
        in_y, filtered = self._rms
        levels = np.log(depth)[:, np.newaxis] + in_y
        constant = np.broadcast_to(filtered, (len(depth), len(filtered)))
        return np.concatenate([self.context(redshift, depth)[:, :2], levels, constant], axis=1)

    def told(self, redshift, depth, centring):
        """All that is told, float32 (N, 11); ``centring`` are position errors per axis [arcmin]."""
        limits = self._told + np.log(np.asarray(depth, dtype=float))[:, np.newaxis]
        centring = np.asarray(centring, dtype=float)[:, np.newaxis] - 1
        more = np.concatenate([limits, centring], axis=1).astype(np.float32)
        return np.concatenate([self.context(redshift, depth), more], axis=1)


def _log_rms(power, weights):
    """ln of the rms of y, and of filtered y, of noise of that power in modes (n, n) of cosines.

    Of both in large blocks their Laplacians and mixed differences, in small ones the Laplacian; of
    filtered y also the values in either.
    """
    half = np.pi * np.arange(len(power)) / (2 * len(power))
    small, large = (4 * np.sin(half * size) ** 2 for size in (1, 2))
    averaged = np.multiply.outer(np.cos(half), np.cos(half))
    differences = [
        np.add.outer(small, small),
        averaged * np.add.outer(large, large),
        averaged * np.multiply.outer(large, large),
    ]
    values = [np.ones_like(power), averaged]
    return [
        np.array([0.5 * np.log((square * seen**2).mean()) for seen in all_seen])
        for square, all_seen in (
            (power, differences),
            (power * weights**2, [*differences, *values]),
        )
    ]


def compressed(amplitude):
    """Amplitudes in units of the noise, compressed so that those of all clusters count alike."""
    return np.arcsinh(_BEND * amplitude) / _BEND


def expanded(value):
    """Amplitudes that `compressed` compressed."""
    return np.sinh(_BEND * value) / _BEND


def redshift_and_centring(context):
    """Redshifts, and position errors [arcmin], from what `NetworkInputs.told` gave, with more."""
    redshift, _ = redshift_and_level(context)
    return redshift, np.asarray(context[:, len(TOLD) - 1], dtype=float) + 1


def redshift_and_level(context):
    """Redshifts, and logarithms of the noise amplitude, from what `NetworkInputs.context` gave."""
    context = np.asarray(context, dtype=float)
    return 10 ** ((context[:, 1] - 1) / 2), context[:, 3]


def pooled(maps):
    """Average blocks of 2 x 2 pixels: (N, ny, nx) to (N, ny / 2, nx / 2)."""
    # Twice as fast as the mean over axes.
    rows = maps[:, 0::2] + maps[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) * maps.dtype.type(0.25)


def displaced(maps, shift):
    """float32 maps (N, ny, nx) displaced by (N, 2) pixels in y and x, edges repeated."""
    rows = _kernels(maps.shape[1], shift[:, 0])
    columns = _kernels(maps.shape[2], shift[:, 1])
    return rows @ maps @ columns.transpose(0, 2, 1)


def _kernels(n, shift):
    """Matrices (N, n, n) that displace by Lanczos interpolation."""
    whole = np.floor(shift).astype(int)
    offset = np.arange(-_LANCZOS + 1, _LANCZOS + 1)
    # Distances from where a pixel's value is taken to the pixels about it.
    x = offset - (whole + 1 - shift)[:, np.newaxis]
    weights = np.sinc(x) * np.sinc(x / _LANCZOS) * (np.abs(x) < _LANCZOS)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    row = np.arange(n)
    index = row[:, np.newaxis] + offset - (whole + 1)[:, np.newaxis, np.newaxis]
    index = np.clip(index, 0, n - 1)
    matrix = np.zeros((len(shift), n, n), dtype=np.float32)
    cluster = np.arange(len(shift))[:, np.newaxis]
    for j in range(len(offset)):
        matrix[cluster, row, index[:, :, j]] += weights[:, j, np.newaxis]
    return matrix


def turned(maps, turn):
    """Give maps in one of the eight orientations of a square, by its number 0 to 7."""
    if turn & 4:
        maps = maps.swapaxes(1, 2)
    return maps[:, :: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
