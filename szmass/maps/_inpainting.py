"""Filling of holes in one image, on plain arrays."""

import numpy as np

__all__ = ["fill"]

# Valid pixels up to this far from a hole tell what is in it [pixels]; holes closer to one another
# than this are filled together.
_REACH = 6

# A hole with its surroundings of more pixels is filled smoothly: the cost is the third power.
_LARGEST = 4000

# White noise beside the correlated one, relative to its variance: real pixels hold a little that
# did not go through the beam, and without it their covariance has no inverse.
_WHITE = 1e-4


def fill(image, footprint, correlation=None, rng=None):
    """Fill the pixels where the footprint is False.

    Parameters
    ----------
    image : ndarray
        Shape (ny, nx), float64.
    footprint : ndarray of bool
        At least one True.
    correlation : callable, optional
        Covariance of two pixels as a function of their distance in pixels.
    rng : `~numpy.random.Generator`, optional
        Draw the filling; else it is the mean.

    Returns
    -------
    ndarray
        The image with the holes filled.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt, label

    result = np.where(footprint, image, 0.0)
    holes = ~footprint
    if correlation is None:
        result[holes] = _harmonic(result, holes)
        return result
    groups, count = label(binary_dilation(holes, iterations=_REACH // 2), np.ones((3, 3)))
    for group in range(1, count + 1):
        hole = holes & (groups == group)
        around = footprint & (distance_transform_edt(~hole) <= _REACH)
        if hole.sum() + around.sum() > _LARGEST or not around.any():
            result[hole] = _harmonic(result, holes)[hole[holes]]
        else:
            result[hole] = _constrained(result, hole, around, correlation, rng)
    return result


def _harmonic(image, holes):
    """Solve Laplace's equation in the holes; the edges of the image reflect."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    number = np.full(image.shape, -1)
    number[holes] = np.arange(np.count_nonzero(holes))
    rows, columns, values, right = [], [], [], np.zeros(np.count_nonzero(holes))
    for axis in (0, 1):
        for step in (-1, 1):
            neighbour = np.roll(number, step, axis)
            value = np.roll(image, step, axis)
            edge = np.zeros(image.shape, bool)
            edge[(slice(None),) * axis + (0 if step == 1 else -1,)] = True
            inside = holes & ~edge
            own = number[inside]
            rows.append(own)
            columns.append(own)
            values.append(np.ones(own.size))
            known = inside & (neighbour < 0)
            np.add.at(right, number[known], value[known])
            unknown = inside & (neighbour >= 0)
            rows.append(number[unknown])
            columns.append(neighbour[unknown])
            values.append(-np.ones(np.count_nonzero(unknown)))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return np.atleast_1d(spsolve(coo_array(entries, shape=(right.size,) * 2).tocsc(), right))


def _constrained(image, hole, around, correlation, rng):
    """Condition a Gaussian field of unknown mean on the pixels around a hole."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.spatial.distance import cdist

    points = [np.argwhere(where).astype(float) for where in (around, hole)]
    variance = float(correlation(np.zeros(1))[0])
    known = correlation(cdist(points[0], points[0]))
    known[np.diag_indices_from(known)] += _WHITE * variance
    # A mean that is not known: a constant of large variance in all pixels.
    offset = 100 * variance
    cross = correlation(cdist(points[1], points[0])) + offset
    factor = cho_factor(known + offset)
    mean = cross @ cho_solve(factor, image[around])
    if rng is None:
        return mean
    own = correlation(cdist(points[1], points[1])) + offset
    covariance = own - cross @ cho_solve(factor, cross.T)
    covariance[np.diag_indices_from(covariance)] += _WHITE * variance
    return mean + np.linalg.cholesky(covariance) @ rng.standard_normal(len(covariance))
