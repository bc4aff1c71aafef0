"""The networks that de Andres et al. (2022) released with their masses of the PSZ2 clusters.

Their weights are not part of szmass, since no licence is stated for them.
"""

import functools
import importlib.resources
from pathlib import Path

from szmass._io.download import check_sha256, fetch_file
from szmass._utils.kinds import as_path
from szmass._utils.paths import cache_folder
from szmass.exceptions import InvalidInputError
from szmass.networks._weights import cached_arrays, read_keras2_weights
from szmass.networks.binned import CARD, BinnedNetworks
from szmass.networks.cards import ModelCard

__all__ = ["load_published", "published_card"]


@functools.cache
def published_card():
    """Read the model card of the published networks.

    Returns
    -------
    ModelCard
        Their card; it ships with szmass.
    """
    return ModelCard.read(importlib.resources.files("szmass") / "data" / "deandres2022.json")


def load_published(weights=None):
    """Load the published networks.

    Their files are in a format that only Keras 2 reads. They are converted once to plain
    arrays, which are kept in the cache folder (environment variable ``SZMASS_CACHE``)
    beside a record of the SHA-256 of what they were made from.

    Parameters
    ----------
    weights : path-like, optional
        Folder with the files ``bestmodel-1.h5`` to ``bestmodel-4.h5``. Without it they
        are downloaded when needed for the first time.

    Returns
    -------
    BinnedNetworks
        The four networks.

    Raises
    ------
    InvalidInputError
        ``weights`` is no folder or lacks a file.
    IntegrityError
        A file is not the published one.
    RemoteDataError
        A download failed; the message says how to do it by hand.
    MissingDependencyError
        h5py is not installed and the files were not converted before.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (2022NatAs...6.1325D).
    """
    card = published_card()
    folder = None if weights is None else as_path(weights, "weights").expanduser()
    if folder is not None and not folder.is_dir():
        raise InvalidInputError(
            f"'weights' must be the folder with the published files "
            f"{', '.join(w.file for w in card.weights)}, or one of own networks with their "
            f"{CARD!r}. There is no folder {str(folder)!r}."
        )
    return BinnedNetworks(card, [_arrays(card, entry, folder) for entry in card.weights])


def _arrays(card, entry, folder):
    """Arrays of one file, from the converted copy if there is one."""
    source = None if folder is None else folder / entry.file
    if source is not None:
        if not source.is_file():
            raise InvalidInputError(
                f"The folder 'weights' ({str(folder)!r}) has no file {entry.file!r}; it must hold "
                f"{', '.join(w.file for w in card.weights)}. It is at {entry.url}."
            )
        check_sha256(source, entry.sha256, remedy=f"Get the published one from {entry.url}.")

    try:
        cache = cache_folder("networks", card.name)
    except InvalidInputError:  # files that are there need no cache
        if source is None:
            raise
        return read_keras2_weights(source)

    def convert():
        return read_keras2_weights(
            source or fetch_file(entry.url, entry.sha256, entry.file, folder=cache)
        )

    return cached_arrays(cache / f"{Path(entry.file).stem}.npz", entry.sha256, convert)
