"""Use of a model of clusters of another package: simulated maps by its name."""

import numpy as np

from szmass.simulations import draw_flat, simulate

clusters = draw_flat(3, redshift=(0.1, 0.3), seed=1)
theirs, ours = (
    simulate(clusters, "clean", model=model, cosmology="PSZ2", seed=5)
    for model in ("example-model", "a10")
)
assert np.isfinite(theirs.cutouts.data).all()
assert theirs.cutouts.data.max() > 1e-6
assert not np.allclose(theirs.cutouts.data, ours.cutouts.data, rtol=1e-3)
