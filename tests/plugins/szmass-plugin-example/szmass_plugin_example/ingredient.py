"""An ingredient of simulated fields."""

from dataclasses import dataclass

import numpy as np

from szmass.simulations import Ingredient


@dataclass(frozen=True, kw_only=True)
class ExampleSource(Ingredient):
    """One point source in each field, at a random place within a radius.

    Parameters
    ----------
    integrated_y : float, optional
        Of each source [arcmin2]; radio sources are negative.
    radius : float, optional
        Largest distance from the middle of the field per axis [arcmin].
    """

    integrated_y: float = -1e-4
    radius: float = 20.0
    name = "example-source"

    def add(self, maps, fields):
        """Add the sources.

        Parameters
        ----------
        maps : ndarray
            Compton-y, shape (N, projections, ny, nx); changed in place.
        fields : FieldSet
            What they show.

        Returns
        -------
        dict
            The column ``example_distance`` [arcmin], shape (N, projections).
        """
        distance = np.empty(maps.shape[:2])
        for i, j in np.ndindex(distance.shape):
            x, y = fields.generator(self, i, j).uniform(-self.radius, self.radius, 2)
            maps[i, j] += fields.points([x], [y], [self.integrated_y]).astype(maps.dtype)
            distance[i, j] = np.hypot(x, y)
        return {"example_distance": distance}
