"""One switch for all progress bars: off in a library, on in the shell."""

from tqdm import tqdm

__all__ = ["progress_bar", "show_progress"]

_shown = False


def show_progress(on):
    """Turn progress bars on or off.

    Parameters
    ----------
    on : bool
        Whether `progress_bar` draws.
    """
    global _shown
    _shown = bool(on)


def progress_bar(iterable=None, **kwargs):
    """Wrap an iterable in a bar that is drawn only where bars are on.

    Parameters
    ----------
    iterable : iterable, optional
        What is looped over.
    **kwargs : dict
        Passed to `tqdm.tqdm` (``desc``, ``total``, ``unit``).

    Returns
    -------
    tqdm.tqdm
        Iterates as ``iterable`` does.
    """
    return tqdm(iterable, disable=not _shown, **kwargs)
