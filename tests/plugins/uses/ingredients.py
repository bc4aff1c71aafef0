"""Use of an ingredient of another package: by its name, by options, beside others and without."""

import dataclasses

import numpy as np

from szmass.simulations import INGREDIENTS, Environment, draw_flat, simulate

clusters = draw_flat(3, redshift=(0.1, 0.3), seed=1)
plain = Environment(haloes=False, clustered=False)


def maps(environment):
    """Simulated sample in an environment."""
    return simulate(clusters, "clean", environment=environment, cosmology="PSZ2", seed=5)


without = maps(plain)
by_name = maps(dataclasses.replace(plain, ingredients=["example-source"]))
added = by_name.cutouts.data - without.cutouts.data
assert np.all(added.min(axis=(1, 2)) < 0)
assert len(set(by_name.table["example_distance"].ravel())) == 3

# Twice the flux at the same places; everything else is as it was.
source = INGREDIENTS["example-source"](integrated_y=-2e-4)
stronger = maps(dataclasses.replace(plain, ingredients=[source]))
assert np.allclose(stronger.cutouts.data - without.cutouts.data, 2 * added, atol=1e-10)
off = maps(dataclasses.replace(plain, ingredients=[source]).off("example-source"))
assert np.array_equal(off.cutouts.data, without.cutouts.data)
