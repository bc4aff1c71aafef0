"""The version under which this copy of szmass is installed."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("szmass")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
