"""Ensembles of networks that give densities of log-mass."""

import numpy as np

from szmass._utils.pieces import in_pieces
from szmass.networks._densities import Calibration, averaged
from szmass.networks._inputs import redshift_and_level
from szmass.networks._members import AT_ONCE, MassMembers
from szmass.networks._responses import Response

__all__ = ["DensityNetworks"]

# Response of the maximum of the density as an amplitude: its scatter is of highest likelihood on
# own mocks.
_RESPONSE = Response([(1.0,) * 4, (1.0,) * 4, (0.04, 0.05, 0.068, 0.08)])


class DensityNetworks(MassMembers):
    """An ensemble of trained networks that gives densities of log10 M500c.

    Each member sees each cutout in its eight orientations; the logarithms of all densities are
    averaged, which keeps their width, and the result does not depend on how a cutout is turned.

    Parameters
    ----------
    card : ModelCard
        What the networks are.
    arrays : dict of str to `~numpy.ndarray`
        Weights named ``member-0/layer/weight``; ``calibration/coefficients`` and the arrays of a
        `DomainScore` as ``domain/...``, if there are any.

    Attributes
    ----------
    card, domain : ModelCard, DomainScore or None
        As in `AmplitudeNetworks`.
    log10_mass : ndarray
        Grid of the densities, from one end of the prior to the other.

    Raises
    ------
    InvalidInputError, FileFormatError, MissingDependencyError
        As `AmplitudeNetworks` raises them, also when they are built; the card must be one of
        density networks.
    """

    target = "log10_mass_density"
    groups = ("calibration", "domain")

    def _take(self, groups):
        super()._take(groups)
        self._calibration = Calibration.from_arrays(groups["calibration"])
        self._response = _RESPONSE

    def log_density(self, data, redshift, *, noise, depth, sampling=None, batch_size=256):
        """Give the densities of clusters.

        Parameters
        ----------
        data, redshift, noise, depth, sampling : see `AmplitudeNetworks.amplitude`
            N cutouts of Compton-y, shape (N, ny, nx), and what is known of them.
        batch_size : int, optional
            Clusters whose inputs are made at a time; it does not change the densities.

        Returns
        -------
        ndarray
            ln of the density per dex at ``log10_mass``, shape (N, nodes), under the prior of the
            training: even in log M between the ends of the grid.

        Raises
        ------
        InvalidInputError
            A shape is wrong, a pixel is not finite, or a redshift is out of range.
        """
        data, redshift, depth = self._checked(data, redshift, depth, batch_size)
        result = np.empty((len(data), len(self.log10_mass)))
        inputs = self.inputs(noise, sampling)
        for part, planes, _ in self._looked_at(inputs, data, depth, batch_size):
            result[part] = self.from_planes(planes, inputs.context(redshift[part], depth[part]))
        return self.calibrated(result, inputs.context(redshift, depth))

    def domain_variable(self, found):
        return self.mean_log10_mass(found)

    def mean_log10_mass(self, log_density):
        """Give the means of log10 M.

        Parameters
        ----------
        log_density : ndarray
            ln of densities at ``log10_mass``, shape (N, nodes); their integrals need not be
            one.

        Returns
        -------
        ndarray
            Shape (N,).
        """
        density = np.exp(log_density)
        return (density * self.log10_mass).sum(axis=1) / density.sum(axis=1)

    def mode(self, log_density):
        """Give the most probable log10 M.

        Parameters
        ----------
        log_density : ndarray
            ln of densities at ``log10_mass``, as for `mean_log10_mass`.

        Returns
        -------
        ndarray
            Shape (N,). Between nodes it is that of the parabola through the maximum and its
            neighbours.
        """
        rows, step = np.arange(len(log_density)), self.log10_mass[1] - self.log10_mass[0]
        top = log_density.argmax(axis=1)
        middle = np.clip(top, 1, len(self.log10_mass) - 2)
        low, here, high = (log_density[rows, middle + k] for k in (-1, 0, 1))
        bend = np.minimum(low - 2 * here + high, -1e-12)
        shift = np.clip(0.5 * (low - high) / bend, -1, 1)
        return self.log10_mass[middle] + step * np.where(top == middle, shift, top - middle)

    def calibrated(self, log_density, context):
        """Recalibrate densities.

        Parameters
        ----------
        log_density : ndarray
            ln of densities, as `from_planes` gives them.
        context : ndarray
            Numbers that go with the planes, shape (N, 6).

        Returns
        -------
        ndarray
            ln of densities of integral one.
        """
        redshift, level = redshift_and_level(context)
        return self._calibration.apply(log_density, self.log10_mass, redshift, level)

    def from_planes(self, planes, context):
        """Give the densities that belong to inputs of the networks, before calibration.

        Parameters
        ----------
        planes, context : ndarray
            As for `AmplitudeNetworks.from_planes`, with 6 numbers for each.

        Returns
        -------
        ndarray
            ln of the densities at ``log10_mass``, shape (N, nodes).
        """
        return in_pieces(self._averaged, AT_ONCE, planes, context)

    def _averaged(self, planes, context):
        return averaged(self._passes, planes, context, self.log10_mass)
