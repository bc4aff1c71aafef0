"""An estimator of mass maps that knows a round cluster from its mass alone."""

import astropy.units as u
import numpy as np

from szmass.massmaps import MapEstimator, MassMapStack
from szmass.physics import get_cosmology, overdensity_radius, theta500


class ExampleMap(MapEstimator):
    """Surface densities that fall as 1 / (1 + 4 R^2 / R500^2), on pixels of R500 / 16.

    Parameters
    ----------
    mass : str or MassEstimator or LogMassPosterior, optional
        Where the mass is from.
    """

    tag = "example-map"
    description = "one shape for all clusters"
    requires = frozenset({"redshift"})

    def __init__(self, *, mass="scaling"):
        self.mass = mass

    def _map(self, sample, posterior):
        geometry, cosmology = self._grid_of(sample), get_cosmology(self.cosmology)
        mass, (low, high) = posterior.median(), posterior.interval()
        r500 = overdensity_radius(mass, sample.redshift, cosmology=cosmology)
        up, right = (np.arange(n) - (n - 1) / 2 for n in geometry.shape)
        far = np.hypot(up[:, np.newaxis], right) * geometry.pixel_scale.value
        shape = 1 / (1 + 4 * far**2)
        data = (mass / r500**2).to_value("solMass / Mpc2")[:, np.newaxis, np.newaxis] * shape
        error = ((high - low) / (2 * mass)).value[:, np.newaxis, np.newaxis]
        angle = theta500(mass, sample.redshift, cosmology=cosmology).to_value(u.arcmin)
        modes = np.broadcast_to(np.sqrt(np.log1p(error**2)), data.shape)[:, np.newaxis]
        return MassMapStack(
            data, error * data, modes, sample.coord, geometry,
            names=sample.names, redshift=sample.redshift, r500=angle,
            flag=np.zeros(len(sample)), cosmology=cosmology,
        )  # fmt: skip
