"""Gas, stars and X-rays of dark-matter haloes: catalogues of haloes, predictions, fits."""

from szmass.baryons.halos import HaloCatalog
from szmass.baryons.pieces import predict_in_pieces
from szmass.baryons.regression import CrossValidation, fit_baryon_model, importance_table

__all__ = [
    "CrossValidation",
    "HaloCatalog",
    "fit_baryon_model",
    "importance_table",
    "predict_in_pieces",
]
