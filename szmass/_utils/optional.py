"""Import of optional packages with an error that says what to install."""

import contextlib
import importlib
import os
import sys

from szmass.exceptions import MissingDependencyError

# TensorFlow tells users what it found of the machine, as it is imported whatever its log level.
_TALKATIVE = ("keras", "tensorflow")


def import_optional(module, *, extra, purpose):
    """Import a module that an extra installs; ``purpose`` completes "... is needed to"."""
    try:
        if module not in _TALKATIVE or module in sys.modules:
            return importlib.import_module(module)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _without_notes():
            return importlib.import_module(module)
    except ImportError as err:
        backend = os.environ.get("KERAS_BACKEND")
        if module == "keras" and err.name == backend:
            raise MissingDependencyError(
                f"The environment variable KERAS_BACKEND asks for {backend!r}, which is not "
                f"installed, and Keras is needed to {purpose}. Install it, or set the variable to "
                "'tensorflow'."
            ) from err
        raise MissingDependencyError(
            f"The package '{module}' is needed to {purpose} but could not be imported ({err}). "
            f"Install it with: python -m pip install 'szmass[{extra}]'"
        ) from err


@contextlib.contextmanager
def _without_notes():
    """Keep what compiled code writes to stderr from the user; an import that fails raises."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
