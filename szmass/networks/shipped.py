"""Networks of a folder, and those that ship with szmass."""

import contextlib
import functools
import importlib.resources

from szmass._io.download import check_sha256
from szmass._utils.kinds import as_path
from szmass.exceptions import FileFormatError
from szmass.networks._weights import load_arrays
from szmass.networks.amplitude import AmplitudeNetworks
from szmass.networks.binned import CARD, card_in
from szmass.networks.cards import ModelCard
from szmass.networks.density import DensityNetworks
from szmass.networks.states import StateNetworks

__all__ = ["load_networks", "shipped_card"]

_SHIPPED = importlib.resources.files("szmass") / "data" / "cnn"


@functools.cache
def shipped_card():
    """Read the model card of the networks that ship with szmass.

    Returns
    -------
    ModelCard
        Their card.
    """
    return ModelCard.read(_SHIPPED / CARD)


def load_networks(folder=None):
    """Load networks that give amplitudes, densities of masses, or densities of states.

    Parameters
    ----------
    folder : path-like, optional
        Where `train` wrote ``card.json`` and the weights. By default the networks that ship with
        szmass.

    Returns
    -------
    AmplitudeNetworks, DensityNetworks or StateNetworks
        The networks, by the target of their card.

    Raises
    ------
    InvalidInputError
        There is no card, or no file of weights; it is a FileNotFoundError as well.
    FileFormatError
        The card or the weights cannot be used, or are of another kind.
    IntegrityError
        The weights are not those that the card is about.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(importlib.resources.as_file(_SHIPPED))
        card, folder = card_in(folder), as_path(folder).expanduser()
        kinds = {kind.target: kind for kind in (AmplitudeNetworks, DensityNetworks, StateNetworks)}
        if card.target not in kinds or len(card.weights) != 1:
            raise FileFormatError(
                f"The networks {card.name!r} give {card.target!r}: use the estimator "
                "'cnn-deandres2022' with weights=... for networks of the published architecture."
            )
        file = folder / card.weights[0].file
        check_sha256(file, card.weights[0].sha256, remedy="Train or install the networks again.")
        return kinds[card.target](card, load_arrays(file))
