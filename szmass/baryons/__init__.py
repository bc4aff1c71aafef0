"""Gas, stars and X-rays of dark-matter haloes: catalogues of haloes, predictions, fits."""

from szmass.baryons.halos import HaloCatalog

__all__ = ["HaloCatalog"]
