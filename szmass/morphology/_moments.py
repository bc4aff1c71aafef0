"""Circles on an image, and what follows from its polynomial moments inside them."""

import math
from functools import lru_cache

import numpy as np

# The radius of a circle has at least so many pixels, for multipoles so many, which weigh its edge;
# the cut-out around it so many beyond.
_PIXELS, _PIXELS_OF_MULTIPOLES, _MARGIN = 24, 48, 2
# A side of a pixel is divided into so many parts at most.
_MOST_PARTS = 64


def disc(shape, centre, radius):
    """Part of each pixel (ny, nx) that is within a radius of a place (x, y) [pixel], exactly."""
    from photutils.geometry import circular_overlap_grid

    (ny, nx), (x, y) = shape, centre
    edges = -0.5 - x, nx - 0.5 - x, -0.5 - y, ny - 0.5 - y
    return circular_overlap_grid(*edges, nx, ny, radius, 1, 1)


def window(centre, radius):
    """Slices of the pixels that a circle can touch, and its middle (x, y) in them."""
    low = [max(0, math.floor(place - radius)) for place in centre]
    high = [max(0, math.ceil(place + radius)) + 1 for place in centre]
    return (slice(low[1], high[1]), slice(low[0], high[0])), np.subtract(centre, low)


def circle(image, centre, radius, pixels=_PIXELS):
    """Pixels that a circle touches times the part that is inside, its middle and radius in them.

    The pixels are divided, with cubic interpolation, until the radius has enough of them.
    """
    part, middle = window(centre, radius + _MARGIN)
    image = image[part]
    f = min(math.ceil(pixels / radius), _MOST_PARTS)
    if f > 1:
        starts = [max(0, math.floor(place - radius)) for place in middle]
        sizes = [
            min(n - start, math.ceil(2 * radius) + 2)
            for n, start in zip(reversed(image.shape), starts, strict=True)
        ]
        columns, rows = map(_cubic, starts, sizes, (f, f), reversed(image.shape))
        image = rows @ image @ columns.T / f**2
        middle, radius = (middle - starts + 0.5) * f - 0.5, radius * f
    return image * disc(image.shape, middle, radius), middle, radius


@lru_cache(maxsize=1024)
def _cubic(start, size, f, n):
    """Give the matrix that divides some of n pixels in f, by the cubic through four of them."""
    places = start + (np.arange(size * f) + 0.5) / f - 0.5
    if n < 4:
        return np.maximum(0.0, 1 - np.abs(places[:, np.newaxis] - np.arange(n)))
    first = np.clip(np.floor(places).astype(int) - 1, 0, n - 4)
    weights = cubic_weights(places - first)
    matrix = np.zeros((len(places), n))
    for k, weight in enumerate(weights):
        matrix[np.arange(len(places)), first + k] = weight
    return matrix


def cubic_weights(t):
    """Weights of values at 0, 1, 2 and 3 in the cubic through them at t."""
    return (
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    )


def moments(weighted, centre, radius, order):
    """Sums of an image times y^b x^a, shape (order + 1, order + 1), about a place in radii."""
    y, x = (
        (np.arange(n) - middle) / radius
        for n, middle in zip(weighted.shape, reversed(centre), strict=True)
    )
    return (
        np.vander(y, order + 1, increasing=True).T
        @ weighted
        @ np.vander(x, order + 1, increasing=True)
    )


def centroid(image, centre, radius):
    """Flux and centroid (x, y) inside a circle; the latter is NaN without flux."""
    sums = moments(*circle(image, centre, radius), 1)
    if not sums[0, 0] > 0:
        return sums[0, 0], np.full(2, np.nan)
    return sums[0, 0], centre + radius * np.array([sums[0, 1], sums[1, 0]]) / sums[0, 0]


def own_centroid(image, centre, radius, *, steps=100, tolerance=1e-5):
    """Find the circle whose middle is its centroid, from a place on; NaN where none is near."""
    place = np.asarray(centre, float)
    for _ in range(steps):
        new = centroid(image, place, radius)[1]
        if not np.isfinite(new).all() or np.hypot(*(new - centre)) > radius:
            break
        if np.hypot(*(new - place)) < tolerance * radius:
            return new
        place = new
    return np.full(2, np.nan)


def centroid_shift(image, centre, radii):
    """Scatter of the distances from the centre to the centroids of circles, in the largest."""
    places = np.array([centroid(image, centre, radius)[1] for radius in radii])
    return np.std(np.hypot(*(places - centre).T), ddof=1) / np.max(radii)


def power_ratios(image, centre, radius, orders):
    """P_m / P_0 without the logarithm: (a_m^2 + b_m^2) / (2 m^2 R^2m a_0^2)."""
    highest = max(orders)
    sums = moments(*circle(image, centre, radius, _PIXELS_OF_MULTIPOLES), highest)
    result = []
    for m in orders:
        # (x + iy)^m is r^m exp(i m phi).
        moment = sum(math.comb(m, k) * 1j**k * sums[k, m - k] for k in range(m + 1))
        result.append(abs(moment) ** 2 / (2 * m**2 * sums[0, 0] ** 2) if sums[0, 0] > 0 else np.nan)
    return result


@lru_cache(maxsize=8)
def _zernike_basis(order):
    """Real Zernike polynomials, orthonormal over the disc's mean, as coefficients of y^b x^a.

    Their m, and the coefficients (K, (order + 1)^2): pairs of cosine and sine follow each other.
    """
    names, rows = [], []
    for n in range(order + 1):
        for m in range(n % 2, n + 1, 2):
            table = np.zeros((order + 1, order + 1), complex)
            for s in range((n - m) // 2 + 1):
                factor = (-1) ** s * math.factorial(n - s) / math.factorial(s)
                factor /= math.factorial((n + m) // 2 - s) * math.factorial((n - m) // 2 - s)
                # r^(n - 2s) exp(i m phi) = (x^2 + y^2)^half (x + iy)^m
                half = (n - m) // 2 - s
                for j in range(half + 1):
                    for k in range(m + 1):
                        b, a = 2 * j + k, 2 * (half - j) + m - k
                        table[b, a] += factor * math.comb(half, j) * math.comb(m, k) * 1j**k
            table *= np.sqrt((n + 1) * (2 if m else 1))
            for part in (table.real, table.imag)[: 2 if m else 1]:
                names.append((n, m))
                rows.append(part.ravel())
    return names, np.array(rows)


def zernike_sum(image, good, centre, radius, order):
    """Sum of |c_nm|^(1/2) over m > 0, of coefficients fitted inside a circle, c_00 being 1.

    A fit is exact for sums of polynomials whatever the pixels, and masked pixels do not count.
    """
    names, basis = _zernike_basis(order)
    light, middle, divided = circle(image, centre, radius, _PIXELS_OF_MULTIPOLES)
    weight = circle(np.ones(image.shape), centre, radius, _PIXELS_OF_MULTIPOLES)[0]
    if not good.all():
        known = circle(good.astype(float), centre, radius, _PIXELS_OF_MULTIPOLES)[0]
        bad = np.abs(known - weight) > 1e-9 * weight.max()
        light[bad], weight[bad] = 0.0, 0.0
    sums = moments(light, middle, divided, order)
    products = moments(weight, middle, divided, 2 * order)
    # Products of y^b x^a with y^b' x^a' by index.
    b, a = np.divmod(np.arange((order + 1) ** 2), order + 1)
    gram = basis @ products[np.add.outer(b, b), np.add.outer(a, a)] @ basis.T
    try:
        coefficients = np.linalg.solve(gram, basis @ sums.ravel())
    except np.linalg.LinAlgError:
        return np.nan
    if not coefficients[0] > 0:
        return np.nan
    power = {}
    for (n, m), value in zip(names, coefficients / coefficients[0], strict=True):
        power[n, m] = power.get((n, m), 0.0) + value**2
    return sum(value**0.25 for (_, m), value in power.items() if m)
