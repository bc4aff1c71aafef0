"""Ensembles of networks that give densities of log-mass."""

from collections.abc import Mapping

import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.pieces import in_pieces
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks._card_rules import check_density_card, check_inputs
from szmass.networks._densities import Calibration, log_density, normalised
from szmass.networks._forward import network_of
from szmass.networks._inputs import NetworkInputs, pooled, redshift_and_level, turned
from szmass.networks.domain import DomainScore

__all__ = ["DensityNetworks"]

# Steps of the grid on which densities are given.
_NODES = 361

# Clusters that networks see at a time, in eight orientations each.
_AT_ONCE = 8


def _finite(name, array):
    """An array of weights, which holds finite numbers."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiuc" or not np.all(np.isfinite(array)):
        raise FileFormatError(
            f"The weights {name!r} must be finite numbers. Received: dtype {array.dtype}"
        )
    return array


class DensityNetworks:
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
    card : ModelCard
        As given.
    log10_mass : ndarray
        Grid of the densities, from one end of the prior to the other.
    domain : DomainScore or None
        What tells cutouts that are unlike those of the training.

    Raises
    ------
    InvalidInputError
        ``card`` is no ModelCard, or ``arrays`` no dict of arrays by name.
    FileFormatError
        The card is none of density networks, or an array holds something else than finite numbers.
    MissingDependencyError
        No installed package registers the architecture.

    Notes
    -----
    The networks are built when they are needed for the first time: then weights that are not those
    of the architecture raise FileFormatError.
    """

    def __init__(self, card, arrays):
        check_density_card(check_kind(card, "ModelCard", "card"))
        if not isinstance(arrays, Mapping) or not all(isinstance(name, str) for name in arrays):
            raise InvalidInputError(
                "'arrays' must be a dict of arrays by name, as load_networks(folder) reads it. "
                f"Received: {arrays!r:.80}"
            )
        card.check_architecture()
        self.card = card
        self.log10_mass = np.linspace(*card.log10_mass_range, _NODES)
        groups = {}
        for name, array in arrays.items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = _finite(name, array)
        self._calibration = Calibration.from_arrays(groups.pop("calibration", {}))
        domain = groups.pop("domain", None)
        self.domain = None if domain is None else DomainScore.from_arrays(domain)
        unknown = sorted(name for name in groups if not name.startswith("member-"))
        if unknown or not groups:
            raise FileFormatError(
                "The weights of density networks must be named 'member-0/...', 'calibration/...' "
                f"and 'domain/...'. Received: {', '.join(unknown) or 'no member'}"
            )
        self._arrays = [
            {name: array.astype(np.float32) for name, array in member.items()}
            for member in groups.values()
        ]
        self._networks = None
        self._inputs = None

    def __repr__(self):
        return f"<{type(self).__name__} {self.card.name!r}, {len(self)} members>"

    def __len__(self):
        return len(self._arrays)

    def __getstate__(self):
        return self.__dict__ | {"_networks": None}

    @property
    def models(self):
        """The members as Keras models, to look into; weighing needs none."""
        return [self.card.build(arrays) for arrays in self._arrays]

    def inputs(self, noise, sampling=None):
        """Give what turns cutouts with this noise into what the networks see.

        Parameters
        ----------
        noise : `~szmass.maps.NoiseModel`
            Noise of the map.
        sampling : `~szmass.maps.Sampling`, optional
            How the pixels hold the sky; by default they are taken as points.

        Returns
        -------
        NetworkInputs
            The same for the same noise model and sampling.
        """
        if self._inputs is None or self._inputs[0] is not noise or self._inputs[1] != sampling:
            card = self.card
            made = NetworkInputs(card.shape, card.pixel_scale_arcmin, noise, sampling)
            self._inputs = (noise, sampling, made)
        return self._inputs[2]

    def log_density(self, data, redshift, *, noise, depth, sampling=None, batch_size=256):
        """Give the densities of clusters.

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
        sampling : `~szmass.maps.Sampling`, optional
            How the pixels hold the sky; by default they are taken as points.
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
        with progress_bar(total=len(data), desc=self.card.name, unit="cutout") as bar:
            inputs = self.inputs(noise, sampling)
            for part, planes, context in self._seen(data, redshift, inputs, depth, batch_size):
                result[part] = self.from_planes(planes, context)
                bar.update(len(planes))
        return self.calibrated(result, self.inputs(noise).context(redshift, depth))

    def domain_score(
        self, data, redshift, log_density, *, noise, depth, sampling=None, batch_size=1024
    ):
        """Score how unlike those of the training cutouts are.

        Parameters
        ----------
        data : ndarray
            Compton-y, as for `log_density`.
        redshift : array-like of float
            Redshifts, shape (N,).
        log_density : ndarray
            What `log_density` gave.
        noise : `~szmass.maps.NoiseModel`
            Noise of the map.
        depth : array-like of float
            Factors of the noise amplitude, shape (N,).
        sampling : `~szmass.maps.Sampling`, optional
            How the pixels hold the sky; by default they are taken as points.
        batch_size : int, optional
            Clusters at a time; it does not change the scores.

        Returns
        -------
        ndarray
            Shape (N,), -log10 of the share of clusters in domain that are as far off; NaN where
            the networks have no `DomainScore`.

        Raises
        ------
        InvalidInputError
            As `log_density` raises it.
        """
        data, redshift, depth = self._checked(data, redshift, depth, batch_size)
        result, mean = np.full(len(data), np.nan), self.mean_log10_mass(log_density)
        if self.domain is not None:
            inputs = self.inputs(noise, sampling)
            for part, planes, context in self._seen(data, redshift, inputs, depth, batch_size):
                result[part] = self.domain.score(planes, context, mean[part])
        return result

    def mean_log10_mass(self, log_density):
        """Give the means of log10 M.

        Parameters
        ----------
        log_density : ndarray
            ln of densities at ``log10_mass``, shape (N, nodes).

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
            ln of densities at ``log10_mass``, shape (N, nodes).

        Returns
        -------
        ndarray
            Shape (N,). Between nodes it is that of a parabola.
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
        planes : ndarray
            What `NetworkInputs` makes of cutouts, shape (N, n, n, 4).
        context : ndarray
            Numbers that go with them, shape (N, 6).

        Returns
        -------
        ndarray
            ln of the densities at ``log10_mass``, shape (N, nodes).
        """
        return in_pieces(self._averaged, _AT_ONCE, planes, context)

    def _averaged(self, planes, context):
        """Average over members and orientations."""
        eight = np.concatenate([turned(planes, turn) for turn in range(8)])
        contexts = np.tile(context, (8, 1))
        total = 0.0
        if self._networks is None:
            self._networks = [network_of(self.card, arrays) for arrays in self._arrays]
        for network in self._networks:
            mixture = network(eight, contexts)
            total = total + log_density(mixture, self.log10_mass).reshape(8, len(planes), -1).sum(0)
        return normalised(total / (8 * len(self)), self.log10_mass)

    def _checked(self, data, redshift, depth, batch_size):
        """Cutouts, redshifts and depths that the networks can take, as arrays."""
        data, redshift = np.asarray(data), np.asarray(redshift, dtype=float)
        depth = np.broadcast_to(np.asarray(depth, dtype=float), redshift.shape)
        check_inputs(self.card, data, redshift, batch_size)
        if not np.all((depth > 0) & np.isfinite(depth)):
            raise InvalidInputError("'depth' must be positive and finite.")
        return data, redshift, depth

    def _seen(self, data, redshift, inputs, depth, batch_size):
        """Planes and numbers that the networks see of the next cutouts, and which these are."""
        for start in range(0, len(data), batch_size):
            part = slice(start, start + batch_size)
            maps = pooled(data[part].astype(np.float32))
            planes = in_pieces(inputs.planes, _AT_ONCE, maps, depth[part])
            yield part, planes, inputs.context(redshift[part], depth[part])
