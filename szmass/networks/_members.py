"""What ensembles of networks that look at planes and a context have in common."""

from collections.abc import Mapping

import numpy as np

from szmass._utils.deprecation import renamed_argument
from szmass._utils.docs import InheritsDocstrings
from szmass._utils.kinds import check_kind
from szmass._utils.pieces import in_pieces
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks._card_rules import check_ensemble_card, check_inputs, per_cutout
from szmass.networks._forward import network_of
from szmass.networks._inputs import NetworkInputs, pooled
from szmass.networks.domain import DomainScore

# Steps of the grid of masses.
_NODES = 361

#: Clusters that networks see at a time.
AT_ONCE = 8


def _finite(name, array):
    """An array of weights, which holds finite numbers."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiuc" or not np.all(np.isfinite(array)):
        raise FileFormatError(
            f"The weights {name!r} must be finite numbers. Received: dtype {array.dtype}"
        )
    return array


class Members(InheritsDocstrings):
    """Networks of one model card that see the same.

    Subclasses say what the card's ``target`` must be, and which ``groups`` of arrays there are
    beside members.
    """

    target = None
    groups = ()

    def __init__(self, card, arrays):
        check_ensemble_card(check_kind(card, "ModelCard", "card"), self.target)
        if not isinstance(arrays, Mapping) or not all(isinstance(name, str) for name in arrays):
            raise InvalidInputError(
                "'arrays' must be a dict of arrays by name, as load_networks(folder) reads it. "
                f"Received: {arrays!r:.80}"
            )
        card.check_architecture()
        self.card = card
        groups = {}
        for name, array in arrays.items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = _finite(name, array)
        self._take({name: groups.pop(name, {}) for name in self.groups})
        unknown = sorted(name for name in groups if not name.startswith("member-"))
        if unknown or not groups:
            known = [f"'{name}/...'" for name in ("member-0", *self.groups)]
            raise FileFormatError(
                f"The weights of {card.target} networks must be named {', '.join(known[:-1])} and "
                f"{known[-1]}. Received: {', '.join(unknown) or 'no member'}"
            )
        self._arrays = [
            {name: array.astype(np.float32) for name, array in member.items()}
            for member in groups.values()
        ]
        self._networks = None

    def _take(self, groups):
        """Keep arrays beside those of members, by group and name."""

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

    @property
    def _passes(self):
        """The members as functions of planes and context."""
        if self._networks is None:
            self._networks = [network_of(self.card, arrays) for arrays in self._arrays]
        return self._networks


class MassMembers(Members):
    """Networks that see Compton-y in a noise, with a `DomainScore` beside them."""

    groups = ("domain",)

    def _take(self, groups):
        """Keep arrays beside those of members, by group and name; subclasses have a response."""
        domain = groups["domain"]
        self.domain = DomainScore.from_arrays(domain) if domain else None
        self.log10_mass = np.linspace(*self.card.log10_mass_range, _NODES)
        self._inputs = None

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

        Raises
        ------
        InvalidInputError
            ``noise`` is no NoiseModel.
        """
        if self._inputs is None or self._inputs[0] is not noise or self._inputs[1] != sampling:
            card, noise = self.card, check_kind(noise, "NoiseModel", "noise", able="spectrum")
            made = NetworkInputs(card.shape, card.pixel_scale_arcmin, noise, sampling)
            self._inputs = (noise, sampling, made)
        return self._inputs[2]

    def domain_context(self, inputs, redshift, depth):
        """Give the numbers that the `DomainScore` takes, beside the planes.

        Parameters
        ----------
        inputs : NetworkInputs
            What makes the planes of the cutouts.
        redshift, depth : array-like of float
            Redshifts and factors of the noise amplitude, shape (N,).

        Returns
        -------
        ndarray
            Numbers of redshift and noise, shape (N, 6) of densities, (N, 10) of amplitudes.
        """
        return inputs.context(redshift, depth)

    def response(self, redshift, centring=0.0):
        """Say how amplitudes that are found are distributed about the truth.

        Parameters
        ----------
        redshift : array-like of float
            Redshifts, shape (N,).
        centring : array-like of float, optional
            Standard errors of the position per axis [arcmin] that the networks were told, shape
            (N,) or one for all: they raise the noise.

        Returns
        -------
        tuple of ndarray
            Slope, noise, shapes and share, of shape (N,) each: of a true amplitude nu, slope times
            nu is found on average, with the standard deviation noise and a scatter of ln nu of
            shapes, for profiles, shapes, substructure and neighbours. Of deviations of ln Y500 from
            the median of the mass the share is found: brighter clusters are taken for larger ones,
            whose noise is higher.
        """
        return self._response.at(redshift, centring)

    def domain_variable(self, found):
        """Give what the `DomainScore` takes for the mass.

        Parameters
        ----------
        found : array-like of float
            What the networks gave of N clusters: amplitudes, or ln of densities.

        Returns
        -------
        ndarray
            Shape (N,): the amplitude, compressed, or the mean of log10 M.
        """
        raise NotImplementedError

    @renamed_argument(["amplitude", "log_density"], ["found", "found"], ["0.2", "0.2"])
    def domain_score(self, data, redshift, found, *, noise, depth, sampling=None, batch_size=1024):
        """Score how unlike those of the training cutouts are.

        Parameters
        ----------
        data, redshift : see `AmplitudeNetworks.amplitude`
            N cutouts of Compton-y, shape (N, ny, nx), and redshifts, shape (N,).
        found : ndarray
            What the networks gave of them: amplitudes, or ln of densities.
        noise, depth, sampling : see `AmplitudeNetworks.amplitude`
            What is known of the map.
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
            A shape is wrong, a pixel is not finite, or a redshift is out of range.
        """
        data, redshift, depth = self._checked(data, redshift, depth, batch_size)
        variable, result = self.domain_variable(found), np.full(len(data), np.nan)
        if self.domain is not None:
            inputs = self.inputs(noise, sampling)
            for part, planes, _ in self._batches(inputs, data, depth, batch_size):
                context = self.domain_context(inputs, redshift[part], depth[part])
                result[part] = self.domain.score(planes, context, variable[part])
        return result

    def _batches(self, inputs, data, depth, batch_size):
        """Yield slices of cutouts, what networks see of them, and what filters find in them."""
        for start in range(0, len(data), batch_size):
            part = slice(start, start + batch_size)
            yield part, *self._planes(inputs, data[part], depth[part])

    def _looked_at(self, inputs, data, depth, batch_size):
        """The same with a progress bar."""
        with progress_bar(total=len(data), desc=self.card.name, unit="cutout") as bar:
            for part, planes, found in self._batches(inputs, data, depth, batch_size):
                yield part, planes, found
                bar.update(len(planes))

    def _checked(self, data, redshift, depth, batch_size):
        """Cutouts, redshifts and depths that the networks can take, as arrays."""
        data, redshift = np.asarray(data), np.asarray(redshift, dtype=float)
        check_inputs(self.card, data, redshift, batch_size)
        depth = per_cutout(depth, "depth", len(data))
        if not np.all((depth > 0) & np.isfinite(depth)):
            raise InvalidInputError("'depth' must be positive and finite.")
        return data, redshift, depth

    @staticmethod
    def _planes(inputs, data, depth):
        """What the networks see of cutouts, and what filters find in their middle."""
        maps = pooled(data.astype(np.float32))
        return in_pieces(inputs.seen, AT_ONCE, maps, depth)
