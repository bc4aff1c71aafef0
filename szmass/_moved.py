"""Import paths of 0.1 that moved: each works for one release and says where its content is now."""

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings

__all__ = ["MOVED_MODULES", "moved_name"]

#: Module of old to where its public names are.
MOVED_MODULES = {
    "szmass.masses": "szmass.results",
    "szmass.posteriors": "szmass.results",
    "szmass.comparison.demo": "szmass.demo",
    "szmass.comparison.plots": "szmass.plots",
    "szmass.comparison.report": "szmass.report",
    "szmass.comparison.reproduce": "szmass.reproduce",
    "szmass.estimators.density_cnn": "szmass.estimators",
    "szmass.maps.depth": "szmass.maps",
    "szmass.maps.mmf": "szmass.maps",
    "szmass.maps.photometry": "szmass.maps",
    "szmass.maps.stacking": "szmass.maps",
    "szmass.networks.selection": "szmass.networks",
    "szmass.simulations.environment": "szmass.simulations",
    "szmass.simulations.models": "szmass.simulations",
    "szmass.simulations.painting": "szmass.simulations",
    "szmass.simulations.realsky": "szmass.simulations",
}


def moved_name(old, new, name, stacklevel=3):
    """Give what stands under a name in the module ``new``, and warn that it was in ``old``."""
    if name.startswith("__"):
        raise AttributeError(f"module {old!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(new), name)
    warnings.warn(
        f"{old}.{name} has moved to {new}.{name}; the old path will go with the next release.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
    return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in MOVED_MODULES else None

    def exec_module(self, module):
        old, new = module.__name__, MOVED_MODULES[module.__name__]
        module.__getattr__ = lambda name: moved_name(old, new, name)


sys.meta_path.append(_Finder())
