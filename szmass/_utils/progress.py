"""One switch for all progress bars: off in a library, on in the shell."""

from tqdm import tqdm

_shown = False


def show_progress(on):
    """Turn progress bars on or off."""
    global _shown
    _shown = bool(on)


def progress_bar(iterable=None, **kwargs):
    """Wrap an iterable in a bar of tqdm that is drawn only where bars are on."""
    return tqdm(iterable, disable=not _shown, **kwargs)
