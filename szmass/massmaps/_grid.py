"""The grid in units of R500 on which shapes of clusters are told: maps to it, and back."""

from dataclasses import dataclass

import numpy as np

#: Pixels along a side of the grid, and the distance of its edge from the middle [R500].
SIDE, REACH = 48, 1.6
PIXEL = 2 * REACH / SIDE
PLACES = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL

#: What is told about shapes fades to nothing between these distances [R500].
FADE = (1.45, 1.6)


def distances():
    """Distance of the pixels of the grid from its middle [R500]."""
    return np.hypot(PLACES[:, np.newaxis], PLACES)


@dataclass(frozen=True)
class Placement:
    """Where pixels of a map lie on the grid: ``pixel`` is their side in R500, ``shape`` theirs."""

    shape: tuple
    pixel: float

    def places(self):
        """Places of columns and rows from the middle [R500]."""
        return tuple((np.arange(n) - (n - 1) / 2) * self.pixel for n in reversed(self.shape))

    def onto_grid(self):
        """Matrices of rows (SIDE, ny) and columns (SIDE, nx) that average maps over grid pixels."""
        x, y = self.places()
        return _onto(y, self.pixel), _onto(x, self.pixel)

    def from_grid(self):
        """Matrices of rows (ny, SIDE) and columns (nx, SIDE) that interpolate from the grid."""
        x, y = self.places()
        return _between(y), _between(x)

    def fading(self):
        """How much of what the grid tells holds at each pixel: 1 inside, 0 beyond its edge."""
        x, y = self.places()
        far = np.hypot(y[:, np.newaxis], x)
        t = np.clip((FADE[1] - far) / (FADE[1] - FADE[0]), 0, 1)
        return t * t * (3 - 2 * t)


def _onto(places, pixel):
    """Shares of pixels in grid pixels; where they are larger than those, linear interpolation."""
    if pixel <= PIXEL:
        low = np.maximum(PLACES[:, np.newaxis] - PIXEL / 2, places - pixel / 2)
        high = np.minimum(PLACES[:, np.newaxis] + PIXEL / 2, places + pixel / 2)
        return np.maximum(high - low, 0) / PIXEL
    return np.maximum(0, 1 - np.abs(PLACES[:, np.newaxis] - places) / pixel)


def _between(places):
    inside = np.clip(places, PLACES[0], PLACES[-1])
    return np.maximum(0, 1 - np.abs(inside[:, np.newaxis] - PLACES) / PIXEL)


def gridded(image, good, placement):
    """Means of a map over the pixels of the grid, and how much of each is known."""
    rows, columns = placement.onto_grid()
    known = rows @ good.astype(float) @ columns.T
    total = rows @ np.where(good, image, 0.0) @ columns.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known > 0.05, total / known, 0.0), np.where(known > 0.05, known, 0.0)
