"""Ensembles of networks that give the amplitude of a cluster in units of its noise."""

import numpy as np

from szmass._utils.deprecation import renamed_argument
from szmass._utils.pieces import in_pieces
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks._card_rules import per_cutout
from szmass.networks._inputs import TOLD, compressed, expanded, turned
from szmass.networks._members import AT_ONCE, MassMembers
from szmass.networks._responses import Response

__all__ = ["AmplitudeNetworks"]

# Orientations in which members see a cutout, one each: eight of each are no better.
_TURNS = (0, 7, 3, 4, 1, 6, 2, 5)
# Numbers of the context that say what the noise is, and the position error.
_NOISE = slice(2, len(TOLD))
# What is told may be that much beyond what the training had.
_MARGIN = 0.02


class AmplitudeNetworks(MassMembers):
    """An ensemble of trained networks that gives the amplitude of a cluster in units of its noise.

    The amplitude is Y500 over its standard error for a matched filter of the true size. Networks
    are trained through zero to negative values, so that what they give is normal about the truth:
    its likelihood can be written down, with the noise for its tails. Cutouts are turned so that
    their brighter half comes first: the result does not depend on how they are turned.

    Parameters
    ----------
    card : ModelCard
        What the networks are.
    arrays : dict of str to `~numpy.ndarray`
        Weights named ``member-0/layer/weight``; ``response/values`` and ``response/factors``,
        ``range/low`` and ``range/high`` of what networks are told, and the arrays of a
        `DomainScore` as ``domain/...``, if there are any.

    Attributes
    ----------
    card : ModelCard
        As given.
    log10_mass : ndarray
        Grid of masses, from one end of the prior to the other.
    domain : DomainScore or None
        What tells cutouts that are unlike those of the training.

    Raises
    ------
    InvalidInputError
        ``card`` is no ModelCard, or ``arrays`` no dict of arrays by name.
    FileFormatError
        The card is none of such networks, or an array holds something else than finite numbers.
    MissingDependencyError
        No installed package registers the architecture.

    Notes
    -----
    The networks are built when they are needed for the first time: then weights that are not those
    of the architecture raise FileFormatError.
    """

    target = "amplitude"
    groups = ("response", "range", "domain")

    def _take(self, groups):
        super()._take(groups)
        self._response = Response.from_arrays(groups["response"])
        everything = np.full(len(TOLD), np.inf)
        limits = groups["range"] or {"low": -everything, "high": everything}
        shapes = {np.shape(limits.get(name)) for name in ("low", "high")}
        if limits.keys() != {"low", "high"} or shapes != {(len(TOLD),)}:
            raise FileFormatError(
                f"The range of what networks are told must be 'low' and 'high' of {len(TOLD)} "
                f"numbers. Received: { {name: np.shape(array) for name, array in limits.items()} }"
            )
        self._low, self._high = limits["low"], limits["high"]

    def amplitude(
        self, data, redshift, *, noise, depth, centring=0.0, sampling=None, batch_size=256
    ):
        """Give the amplitudes of clusters.

        Parameters
        ----------
        data : ndarray
            Compton-y, shape (N, ny, nx), in the geometry of the card.
        redshift : array-like of float
            Redshifts, shape (N,), inside the range of the card.
        noise : `~szmass.maps.NoiseModel`
            Noise of the map, of its beam.
        depth : array-like of float
            Factors of the noise amplitude, shape (N,).
        centring : array-like of float, optional
            Standard errors of the position per axis [arcmin], shape (N,).
        sampling : `~szmass.maps.Sampling`, optional
            How the pixels hold the sky; by default they are taken as points.
        batch_size : int, optional
            Clusters whose inputs are made at a time; it does not change the amplitudes.

        Returns
        -------
        ndarray
            Y500 in units of its standard error, as `response` relates it to the truth, shape (N,).

        Raises
        ------
        InvalidInputError
            A shape is wrong, a pixel is not finite, or a redshift is out of range.
        """
        data, redshift, depth = self._checked(data, redshift, depth, batch_size)
        centring = as_floats(centring, "", "centring", finite=True)
        centring = per_cutout(centring, "centring", len(data))
        if np.any(centring < 0):
            raise InvalidInputError("'centring' must not be negative.")
        result, inputs = np.empty(len(data)), self.inputs(noise, sampling)
        for part, planes, found in self._looked_at(inputs, data, depth, batch_size):
            told = inputs.told(redshift[part], depth[part], centring[part])
            # What is beyond, as `beyond` says, would be extrapolated without bounds.
            told[:, _NOISE] = np.clip(told, self._low, self._high)[:, _NOISE]
            result[part] = self.from_planes(planes, np.concatenate([told, found], axis=1))
        return result

    def from_planes(self, planes, context):
        """Give the amplitudes that belong to inputs of the networks.

        Parameters
        ----------
        planes : ndarray
            What `NetworkInputs` makes of cutouts, shape (N, n, n, 4).
        context : ndarray
            Numbers that go with them, shape (N, 17).

        Returns
        -------
        ndarray
            Y500 in units of its standard error, shape (N,).
        """
        return expanded(in_pieces(self._averaged, AT_ONCE, _upright(planes), context))

    def _averaged(self, planes, context):
        seen = [
            network(np.ascontiguousarray(turned(planes, turn)), context)[:, 0]
            for network, turn in zip(self._passes, np.resize(_TURNS, len(self)), strict=True)
        ]
        return np.mean(seen, axis=0, dtype=float)

    def beyond(self, redshift, *, noise, depth, centring=0.0, sampling=None):
        """Say for which clusters noise or position errors are beyond those of the training.

        Parameters
        ----------
        redshift : array-like of float
            Redshifts, shape (N,).
        noise : `~szmass.maps.NoiseModel`
            Noise of the map.
        depth, centring : array-like of float
            As for `amplitude`, shape (N,) or one for all.
        sampling : `~szmass.maps.Sampling`, optional
            How the pixels hold the sky; by default they are taken as points.

        Returns
        -------
        ndarray of bool
            Shape (N,).
        """
        redshift = np.asarray(redshift, dtype=float)
        depth, centring = (np.broadcast_to(x, redshift.shape) for x in (depth, centring))
        told = self.inputs(noise, sampling).told(redshift, depth, centring)[:, _NOISE]
        low, high = self._low[_NOISE] - _MARGIN, self._high[_NOISE] + _MARGIN
        outside = (told < low) | (told > high)
        return outside.any(axis=1)

    def domain_context(self, inputs, redshift, depth):
        return inputs.domain_context(redshift, depth)

    @staticmethod
    @renamed_argument("amplitude", "found", "0.2")
    def domain_variable(found):
        return compressed(np.asarray(found, dtype=float))


def _upright(planes):
    """Planes in the one of their eight orientations that the filtered core asks for."""
    place = np.arange(planes.shape[1]) - (planes.shape[1] - 1) / 2
    core = planes[..., 1].astype(float)
    across, down = core.sum(axis=1) @ place, core.sum(axis=2) @ place

    def where(condition, changed):
        return np.where(condition[:, np.newaxis, np.newaxis, np.newaxis], changed, planes)

    planes = where(across < 0, planes[:, :, ::-1])
    planes = where(down < 0, planes[:, ::-1])
    return where(np.abs(down) > np.abs(across), planes.swapaxes(1, 2))
