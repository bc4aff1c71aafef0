"""Use of a model of dynamical states of another package: states by its name."""

import numpy as np

from szmass.simulations import draw_flat, draw_states

clusters = draw_flat(20, redshift=(0.1, 0.3), seed=1)
theirs, ours = (
    draw_states(clusters, model, seed=5) for model in ("example-states", "the300-gadget-x")
)
assert theirs.meta["state_model"] == "example-states"
assert np.array_equal(theirs["delta_r"], ours["delta_r"])
assert not np.allclose(theirs["concentration"], ours["concentration"], rtol=1e-3)
