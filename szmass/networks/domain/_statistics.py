"""Numbers that describe what a network sees of a field: multipoles, noise, texture, peaks."""

from itertools import pairwise

import numpy as np

__all__ = ["MULTIPOLES", "FieldStatistics"]

#: Multipoles that fields are expanded in.
MULTIPOLES = (0, 1, 2, 3, 4)

# Radii [blocks] between which rings of the core are interpolated; the outermost is at its edge.
_CORE = (0.0, 1.0, 2.0, 3.2, 4.7, 6.5, 8.8)
# Nearer to the middle too few blocks lie on a ring to tell multipoles apart: first radius of each.
_FIRST = (0, 1, 2, 2, 3)
# Radii of the field beyond the core.
_FIELD = (4.4, 6.2, 8.2)
# Edges [blocks] of the rings in which the texture is measured.
_RINGS = (0.0, 1.5, 2.7, 3.9, 6.0, np.inf)
# Beyond so many blocks of the field noise is measured.
_OUTSIDE = 1.5
# Radii [blocks of core and field] beyond which peaks are not the cluster's own, and within which
# they are [blocks of the core].
_BEYOND, _CENTRE = (3.5, 2.2), 2.35
_TINY = 1e-9
# Planes are compressed by an inverse hyperbolic sine: beyond this all is equally strange.
_LARGEST = 40.0


class FieldStatistics:
    """Statistics of the planes that `szmass.networks._inputs.NetworkInputs` makes.

    Parameters
    ----------
    n : int
        Blocks along a side of the planes.
    """

    def __init__(self, n):
        middle = np.arange(n) - (n - 1) / 2
        y, x = np.meshgrid(middle, middle, indexing="ij")
        self._radius, self._angle = np.hypot(x, y), np.arctan2(y, x)
        self._fits = self._joint_fit((*_CORE, n / 2), _FIRST)
        self._rings = self._joint_fit((*_FIELD, n / 2), (0,) * len(MULTIPOLES))

        self._hats = self._rings_between((*_CORE, n / 2)).astype(np.float32)
        self._ring_means = np.linalg.pinv(self._hats).astype(np.float32)

    def _rings_between(self, nodes):
        """Overlapping hats in radius (nodes, n^2); the corners belong to the last."""
        hats = [np.interp(self._radius, nodes, row, left=0.0) for row in np.eye(len(nodes))]
        return np.reshape(hats, (len(nodes), -1))

    def _joint_fit(self, nodes, first):
        """Weights (n^2, radii) of each multipole in a fit of all of them at once.

        Blocks are squares: fitted one by one, the multipoles would hold parts of one another.
        """
        hats = self._rings_between(nodes)
        columns, owner = [], []
        for m in MULTIPOLES:
            for hat in hats[first[m] :]:
                for wave in (np.cos, np.sin)[: 2 if m else 1]:
                    columns.append(hat * wave(m * self._angle.ravel()))
                    owner.append(m)
        inverse, owner = np.linalg.pinv(np.array(columns).T, rcond=1e-3), np.array(owner)
        found = [inverse[owner == m] for m in MULTIPOLES]
        return [(w[::2] - 1j * w[1::2] if m else w).T for m, w in enumerate(found)]

    def multipoles(self, core, field=None):
        """Expand a filtered core, and the field around it, in rings.

        Parameters
        ----------
        core, field : ndarray
            Shape (N, n, n). Without a field, its rings are 0.

        Returns
        -------
        list of ndarray
            Of each multipole, shape (N, rings); complex but for the first.
        """
        core = core.reshape(len(core), -1)
        inner = [core @ weights for weights in self._fits]
        if field is None:
            outer = [np.zeros((len(core), weights.shape[1])) for weights in self._rings]
        else:
            field = field.reshape(len(field), -1)
            outer = [field @ weights for weights in self._rings]
        return [np.concatenate(pair, axis=1) for pair in zip(inner, outer, strict=True)]

    def amplitude(self, core):
        """Mean of the filtered core in the middle: how bright the cluster is."""
        return core[:, self._radius < _CENTRE].mean(axis=1)

    def __call__(self, planes):
        """Give the statistics by name.

        Parameters
        ----------
        planes : ndarray
            Shape (N, n, n, 4).

        Returns
        -------
        dict
            "multipoles", as `multipoles` gives them; "amplitude"; "noise", "texture", "peaks" and
            "holes", of shape (N, numbers).
        """
        # Scales drop out, since everything is compared with the same of other fields.
        planes = np.clip(np.asarray(planes, dtype=np.float32), -_LARGEST, _LARGEST)
        core, core_filtered, field, field_filtered = np.moveaxis(np.sinh(planes), 3, 0)
        flat = [image.reshape(len(image), -1) for image in (core_filtered, field_filtered)]
        return {
            "multipoles": self.multipoles(core_filtered, field_filtered),
            "amplitude": self.amplitude(core_filtered).astype(float),
            "noise": self._noise(field, field_filtered),
            "texture": self._texture(core),
            "peaks": self._extremes(np.max, *map(self._uneven, flat)),
            "holes": self._extremes(np.min, *flat),
        }

    def _noise(self, field, filtered):
        """Typical small-scale differences: medians, which neighbours hardly change.

        Of the field and not of the core, whose smaller blocks show how the map was sampled.
        """
        outside = self._radius[1:-1, 1:-1] > _OUTSIDE
        typical = [
            np.median(np.abs(difference(image))[:, outside], axis=1)
            for image in (field, filtered)
            for difference in (_laplacian, _mixed_difference)
        ]
        far = self._radius > len(self._radius) / 4
        typical.append(np.median(np.abs(filtered)[:, far], axis=1))
        return np.log(np.stack(typical, axis=1).astype(float) + _TINY)

    def _texture(self, image):
        """Energy of small-scale differences by ring."""
        square, radius = _laplacian(image) ** 2, self._radius[1:-1, 1:-1]
        rings = [
            square[:, (radius >= low) & (radius < high)].mean(axis=1)
            for low, high in pairwise(_RINGS)
        ]
        return np.log(np.stack(rings, axis=1).astype(float) + _TINY)

    def _extremes(self, function, core, field):
        """Highest or lowest values of field and core away from the cluster, and in the middle."""
        radius = self._radius.ravel()
        parts = (
            field[:, radius > _BEYOND[1]],
            core[:, radius > _BEYOND[0]],
            core[:, radius < _CENTRE],
        )
        found = [function(part, axis=1) for part in parts]
        return np.arcsinh(np.stack(found, axis=1).astype(float))

    def _uneven(self, flat):
        """Take away the mean at each radius."""
        return flat - (flat @ self._ring_means) @ self._hats


def _laplacian(a):
    middle = a[:, 1:-1, 1:-1]
    return 4 * middle - a[:, :-2, 1:-1] - a[:, 2:, 1:-1] - a[:, 1:-1, :-2] - a[:, 1:-1, 2:]


def _mixed_difference(a):
    """Second difference along rows and columns: a smooth signal has next to none."""
    rows = a[:, 2:] - 2 * a[:, 1:-1] + a[:, :-2]
    return rows[:, :, 2:] - 2 * rows[:, :, 1:-1] + rows[:, :, :-2]
