"""Import of optional packages with an error that says what to install."""

import importlib
import os

from szmass.exceptions import MissingDependencyError


def import_optional(module, *, extra, purpose):
    """Import a module that an extra installs; ``purpose`` completes "... is needed to"."""
    try:
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
