"""Gas, stars and X-rays of dark-matter haloes: their catalogues, predictions, fits, light cones.

A model of `szmass.physics` gives haloes gas, as one named physics has it. A light cone
(`make_lightcone`), of a catalogue or of haloes that are drawn, makes Compton-y maps, X-ray
catalogues and counts with their Poisson and sample variance.
"""

from szmass.baryons.counts import cumulative_counts, redshift_counts
from szmass.baryons.cross_validation import CrossValidation, importance_table
from szmass.baryons.drawing import draw_halos, place_on_sky
from szmass.baryons.gas import make_lightcone
from szmass.baryons.halos import HaloCatalog
from szmass.baryons.lightcone import LightCone
from szmass.baryons.pieces import predict_in_pieces
from szmass.baryons.regression import fit_baryon_model

__all__ = [
    "CrossValidation",
    "HaloCatalog",
    "LightCone",
    "cumulative_counts",
    "draw_halos",
    "fit_baryon_model",
    "importance_table",
    "make_lightcone",
    "place_on_sky",
    "predict_in_pieces",
    "redshift_counts",
]
