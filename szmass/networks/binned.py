"""Networks of one redshift bin each, used as one."""

from collections.abc import Sequence

import numpy as np

from szmass._io.download import check_sha256
from szmass._utils.kinds import as_path, check_kind
from szmass._utils.pieces import in_pieces
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks._card_rules import check_inputs
from szmass.networks._forward import network_of
from szmass.networks._weights import load_arrays
from szmass.networks.cards import ModelCard

__all__ = ["CARD", "BinnedNetworks", "load_binned"]

# Cutouts that a network sees at a time.
_AT_ONCE = 8

#: Name of the file with the model card in a folder of networks.
CARD = "card.json"


class _NoNetworksError(InvalidInputError, FileNotFoundError):
    """There is no model card, or not all weights that it names."""


class BinnedNetworks:
    """Trained networks, one per redshift bin, that give log-masses of cutouts.

    A network is built when a cluster of its bin is first weighed.

    Parameters
    ----------
    card : ModelCard
        What the networks are.
    arrays : sequence of dict of str to `~numpy.ndarray`
        Weights per redshift bin, named ``layer/weight``.

    Raises
    ------
    InvalidInputError
        ``card`` is no ModelCard, or there is not one set of weights per redshift bin.
    FileFormatError
        The networks give densities.
    MissingDependencyError
        No installed package registers the architecture.
    """

    def __init__(self, card, arrays):
        check_kind(card, "ModelCard", "card")
        if not isinstance(arrays, Sequence):
            raise InvalidInputError(
                f"'arrays' must be a list of dicts of arrays. Received: a {type(arrays).__name__}"
            )
        if len(arrays) != len(card.redshift_bins):
            raise InvalidInputError(
                f"'arrays' must hold one set of weights per redshift bin "
                f"({len(card.redshift_bins)}). Received: {len(arrays)}"
            )
        if card.target != "log10_mass":
            raise FileFormatError(
                f"The networks {card.name!r} give {card.target!r}, not masses: use the estimator "
                "'cnn' with weights=... for density networks."
            )
        card.check_architecture()
        self.card = card
        self._arrays = list(arrays)
        self._networks = {}

    def __repr__(self):
        return f"<{type(self).__name__} {self.card.name!r}, {len(self._arrays)} redshift bins>"

    def model(self, index):
        """Give the Keras model of one redshift bin.

        Parameters
        ----------
        index : int
            The bin.

        Returns
        -------
        keras.Model
            Takes normalised maps ``(batch, ny, nx, 1)`` and gives the card's target.

        Raises
        ------
        FileFormatError
            The weights are not those of the architecture.
        """
        return self.card.build(self._arrays[index])

    def log10_mass(self, data, redshift, *, batch_size=128):
        """Weigh cutouts.

        Parameters
        ----------
        data : array-like of float
            Compton-y, shape ``(N, ny, nx)``, in the geometry of the card.
        redshift : array-like of float
            Redshifts, shape ``(N,)``; they choose the network and are not seen by it.
        batch_size : int, optional
            Number of cutouts that are made ready at once; it does not change the masses.

        Returns
        -------
        `~numpy.ndarray`
            Decimal logarithm of M / Msun, shape ``(N,)``, in the mass definition of the card.

        Raises
        ------
        InvalidInputError
            A shape is wrong, a pixel is not finite, or a redshift is in no bin.
        FileFormatError
            The weights are not those of the architecture.
        MissingDependencyError
            The architecture is of another package, and Keras or its backend is not installed.
        """
        data, redshift = np.asarray(data), np.atleast_1d(np.asarray(redshift, dtype=float))
        check_inputs(self.card, data, redshift, batch_size)
        output = np.empty(len(data))
        index = self.card.redshift_bin(redshift)
        with progress_bar(total=len(data), desc=self.card.name, unit="cutout") as bar:
            for i in np.unique(index):
                rows = np.flatnonzero(index == i)
                mean, sigma = self.card.normalisation[i]
                if i not in self._networks:
                    self._networks[i] = network_of(self.card, self._arrays[i])
                for start in range(0, len(rows), batch_size):
                    batch = rows[start : start + batch_size]
                    maps = ((data[batch].astype(float) - mean) / sigma).astype(np.float32)
                    output[batch] = in_pieces(self._networks[i], _AT_ONCE, maps[..., np.newaxis])[
                        :, 0
                    ]
                    bar.update(len(batch))
        return output if self.card.h is None else output - np.log10(self.card.h)


def card_in(folder):
    """Read the model card in a folder of networks, or say what the folder must hold."""
    folder = as_path(folder, "weights").expanduser()
    if (folder / CARD).is_file():
        card = ModelCard.read(folder / CARD)
        for entry in card.weights:
            if not (folder / entry.file).is_file():
                raise _NoNetworksError(f"The folder {str(folder)!r} has no file {entry.file!r}.")
        return card
    found = "" if folder.is_dir() else ", which does not exist"
    found = ", which is a file" if folder.is_file() else found
    if any(folder.glob("bestmodel-*.h5")) or folder.match("bestmodel-*.h5"):
        found += "; files bestmodel-*.h5 are for the estimator 'cnn-deandres2022'"
    raise _NoNetworksError(
        f"The folder of trained networks must hold {CARD!r} and the weights that it names, as "
        f"'szmass train' leaves them. There is no {CARD!r} in {str(folder)!r}{found}."
    )


def load_binned(folder):
    """Load networks of one redshift bin each from the folder in which they were trained.

    Parameters
    ----------
    folder : path-like
        Folder with ``card.json`` and the ``.npz`` files that it names, as `train_selection` leaves
        it.

    Returns
    -------
    BinnedNetworks
        The networks.

    Raises
    ------
    InvalidInputError
        There is no such folder, or a file is missing.
    FileFormatError
        The card cannot be used, or a file is no file of weights.
    IntegrityError
        A file is not the one that the card names.
    """
    card, arrays = card_in(folder), []
    folder = as_path(folder).expanduser()
    for entry in card.weights:
        path = folder / entry.file
        check_sha256(path, entry.sha256, remedy="Copy the folder again, card and weights together.")
        arrays.append(load_arrays(path))
    return BinnedNetworks(card, arrays)
