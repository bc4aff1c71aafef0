"""Gas and stars of haloes of a catalogue: light cones of clusters, their maps and counts.

Haloes come from the mass function (`draw_halos`) or from a catalogue of one's own. A model of
`szmass.physics` gives them gas, as one named physics has it (`make_lightcone`); the result makes
Compton-y maps, X-ray catalogues and counts with their Poisson and sample variance.
"""

from szmass.baryons.counts import cumulative_counts, redshift_counts
from szmass.baryons.lightcone import LightCone, draw_halos, make_lightcone

__all__ = [
    "LightCone",
    "cumulative_counts",
    "draw_halos",
    "make_lightcone",
    "redshift_counts",
]
