"""Gas, stars and X-rays of dark-matter haloes: catalogues of haloes, predictions, fits."""

from szmass.baryons.halos import HaloCatalog
from szmass.baryons.pieces import predict_in_pieces

__all__ = ["HaloCatalog", "predict_in_pieces"]
