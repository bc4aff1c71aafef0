"""Shapes on an image: differences to its turned self, ellipses, light along strips, a Gaussian."""

import numpy as np
from scipy.ndimage import map_coordinates

from szmass.morphology._moments import cubic_weights, disc, moments, window

#: What an image is compared with: itself turned, or flipped along one of its own axes.
TURNS = ("90", "180", "flip_x", "flip_y")

# A fit needs no more blocks of pixels in a radius.
_BLOCKS = 12
_ANGLES = np.pi * np.arange(24) / 24
_ALONG = np.linspace(-1, 1, 97)


def asymmetries(image, good, centre, radius):
    """Sum |I - I turned| / sum I within a circle, for each of `TURNS`.

    Turns map pixels to pixels but for a shift, in which values are interpolated by cubics. A pixel
    counts if it and all that its partner is made of are good.
    """
    part, middle = window(centre, radius)
    image, good = image[part], good[part]
    ny, nx = image.shape
    x, y = np.arange(nx), np.arange(ny)
    rows, columns = _Picker(2 * middle[1] - y, ny), _Picker(2 * middle[0] - x, nx)
    # Of a quarter turn: the row that a column comes from, and the column that a row comes from.
    quarter = _Picker(middle[1] - (x - middle[0]), ny), _Picker(middle[0] + (y - middle[1]), nx)
    turns = (
        lambda values: quarter[0](quarter[1](values.T).T).T,
        lambda values: rows(columns(values.T).T),
        lambda values: columns(values.T).T,
        rows,
    )
    aperture, known = disc(image.shape, middle, radius), good.astype(float)
    image = np.where(good, image, 0.0)
    result = []
    for turn in turns:
        weight = aperture * (good & (np.abs(turn(known) - 1) < 1e-9))
        total = np.sum(weight * image)
        difference = np.sum(weight * np.abs(image - turn(image)))
        result.append(difference / total if total > 0 else np.nan)
    return result


class _Picker:
    """Interpolate n rows at places that are one apart, by cubics; beyond the rows is nothing."""

    def __init__(self, places, n):
        first = np.floor(places[0] + 1e-9)
        t = places[0] - first
        # A place within rounding of a row needs no neighbours, which may be outside.
        self._weights = cubic_weights(t + 1) if abs(t) > 1e-9 else (0.0, 1.0, 0.0, 0.0)
        index = first.astype(int) + np.rint(places - places[0]).astype(int)
        self._rows = [
            (np.clip(row, 0, n - 1), ((row >= 0) & (row < n))[:, np.newaxis])
            for row in (index + k for k in (-1, 0, 1, 2))
        ]

    def __call__(self, values):
        return sum(
            weight * (values[row] * inside)
            for weight, (row, inside) in zip(self._weights, self._rows, strict=True)
            if weight
        )


def ellipse(image, centre, radius, *, steps=100, tolerance=1e-5):
    """Ellipticity 1 - b/a and angle of the long axis [rad, from x to y], from second moments.

    They are taken inside an ellipse of their own shape and centroid, whose half-axis is the radius:
    so they are those of the isophotes if these have one shape.
    """
    part, centre = window(centre, radius)
    image = image[part]
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    place, q, angle, before = centre, 1.0, 0.0, []
    for _ in range(steps):
        cos, sin = np.cos(angle), np.sin(angle)
        dx, dy = (x - place[0]) / radius, (y - place[1]) / radius
        along, across = dx * cos + dy * sin, (dy * cos - dx * sin) / q
        r = np.sqrt(along**2 + across**2)
        slope = np.sqrt(along**2 + (across / q) ** 2) / np.maximum(r, 1e-9)
        # The part of a pixel inside is linear in its distance to the edge.
        weight = np.clip(0.5 + (1 - r) / np.maximum(slope, 1e-9) * radius, 0, 1)
        sums = moments(image * weight, place, radius, 2)
        flux = sums[0, 0]
        if not flux > 0:
            break
        mean = np.array([sums[0, 1], sums[1, 0]]) / flux
        xx, yy = sums[0, 2] / flux - mean[0] ** 2, sums[2, 0] / flux - mean[1] ** 2
        xy = sums[1, 1] / flux - mean[0] * mean[1]
        half, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        if not half > spread:
            break
        new = np.sqrt((half - spread) / (half + spread))
        angle = np.arctan2(2 * xy, xx - yy) / 2
        shift = radius * mean
        place = place + shift
        if np.hypot(*(place - centre)) > radius or new * radius < 1:
            break
        if abs(new - q) < tolerance and np.hypot(*shift) < tolerance * radius:
            return 1 - new, angle
        before.append(new)
        if len(before) == 3:  # Aitken's step to where the geometric series of changes ends
            change, last = before[1] - before[0], before[2] - before[1]
            ratio = last / change if change else 0.0
            if abs(ratio) < 0.9:
                new = np.clip(new + last * ratio / (1 - ratio), new / 2, 1)
            before = []
        q = new
    return np.nan, np.nan


def strips(image, centre, radius):
    """Largest difference between the light along two lines through the centre, in either sense.

    It is the sum of absolute differences over the light along the brightest line; 24 lines, each
    over the diameter.
    """
    part, centre = window(centre, radius + 2)
    places = (
        centre[1] + radius * np.outer(np.sin(_ANGLES), _ALONG),
        centre[0] + radius * np.outer(np.cos(_ANGLES), _ALONG),
    )
    light = map_coordinates(image[part], places, order=3, mode="nearest")
    light[:, [0, -1]] /= 2  # the trapezium rule
    brightest = light.sum(axis=1).max()
    if not brightest > 0:
        return np.nan
    both = np.concatenate([light, light[:, ::-1]])
    return (
        max(np.abs(both[i:] - line).sum(axis=1).max() for i, line in enumerate(light)) / brightest
    )


@np.errstate(over="ignore", invalid="ignore")  # of steps that go too far and are taken back
def gaussian_axes(image, good, centre, radius, *, steps=60, tolerance=1e-5):
    """Ratio of the widths, smaller over larger, of a Gaussian fitted within a circle."""
    part, centre = window(centre, radius)
    image = image[part]
    weight = np.where(good[part], disc(image.shape, centre, radius), 0.0)
    y, x = ((np.arange(n) - c) / radius for n, c in zip(image.shape, centre[::-1], strict=True))
    block = max(1, int(radius / _BLOCKS))
    if block > 1:
        ny, nx = (n // block for n in image.shape)
        parts = weight, weight * image
        weight, light = (
            part[: ny * block, : nx * block].reshape(ny, block, nx, block).sum(axis=(1, 3))
            for part in parts
        )
        image = np.divide(light, weight, out=np.zeros_like(light), where=weight > 0)
        y, x = y[: ny * block].reshape(ny, -1).mean(1), x[: nx * block].reshape(nx, -1).mean(1)
    inside = weight > 0
    weight, values = weight[inside], image[inside]
    y, x = (a[inside] for a in np.meshgrid(y, x, indexing="ij"))
    if not values.sum() > 0:
        return np.nan
    # Height, place, and the inverse covariance: exp(-(p x^2 + 2 s x y + q y^2) / 2).
    width = np.clip(np.sum(weight * values * (x**2 + y**2)) / np.sum(weight * values) / 2, 0.01, 1)
    scale = np.max(values)
    values = values / scale
    guess = np.array([1.0, 0.0, 0.0, 1 / width, 1 / width, 0.0])
    damping = 1e-3
    # Means over blocks have the variance of a block more than the pixels.
    wider = (block**2 - 1) / 12 / radius**2
    model = _gaussian(guess, x, y)
    for _ in range(steps):
        residual = values - model[0]
        cost = np.sum(weight * residual**2)
        jacobian = _slopes(guess, *model)
        weighted = jacobian * weight
        normal, gradient = weighted @ jacobian.T, weighted @ residual
        while True:
            step = _solve(normal + damping * np.diag(np.diag(normal)), gradient)
            if step is None:
                return np.nan
            new = guess + step
            if new[3] * new[4] > new[5] ** 2 and new[3] > 0:
                model = _gaussian(new, x, y)
                better = cost - np.sum(weight * (values - model[0]) ** 2)
                if better >= 0:
                    break
            damping *= 4
            if damping > 1e10:  # no step is downhill any more
                return _axis_ratio(guess, wider)
        guess, damping = new, damping / 4
        if np.max(np.abs(step[3:])) < tolerance * np.max(guess[3:5]):
            return _axis_ratio(guess, wider) if np.hypot(*guess[1:3]) < 1 else np.nan
    return np.nan


def _gaussian(guess, x, y):
    height, x0, y0, p, q, s = guess
    dx, dy = x - x0, y - y0
    shape = np.exp(-0.5 * (p * dx**2 + 2 * s * dx * dy + q * dy**2))
    return height * shape, shape, dx, dy


def _slopes(guess, model, shape, dx, dy):
    _, _, _, p, q, s = guess
    half = -0.5 * model
    return np.array(
        [
            shape,
            model * (p * dx + s * dy),
            model * (q * dy + s * dx),
            half * dx**2,
            half * dy**2,
            2 * half * dx * dy,
        ]
    )


def _solve(matrix, vector):
    try:
        return np.linalg.solve(matrix, vector)
    except np.linalg.LinAlgError:
        return None


def _axis_ratio(guess, wider):
    p, q, s = guess[3:]
    half, spread = (p + q) / 2, np.hypot((p - q) / 2, s)
    small, large = 1 / (half + spread) - wider, 1 / (half - spread) - wider
    return np.sqrt(small / large) if small > 0 else np.nan
