"""Mock cutouts in domain, sampled in all ways, of clusters that nobody trained on."""

import itertools

import astropy.units as u
import numpy as np

from szmass.networks._inputs import NetworkInputs, pooled
from szmass.simulations import Observation, draw_flat, get_environment, simulate

__all__ = ["domain_inputs", "draw_population"]

# Redshifts in each bin of a recipe, evenly spaced, that clusters are drawn from.
_REDSHIFTS = 1000
_SAMPLINGS = ("point", "nearest", "bilinear")
# Apart from the clusters of the data set.
_OFFSET = 1_000_003
_CHUNK = 1024


def draw_population(recipe, n, seed):
    """Draw clusters as a recipe says: even in log M, as many in each redshift bin."""
    data = recipe.data
    redshift = np.concatenate(
        [np.linspace(*pair, _REDSHIFTS) for pair in itertools.pairwise(data["redshift"])]
    )
    return draw_flat(n, mass=data["mass"] * u.solMass, redshift=redshift, seed=seed)


def domain_inputs(recipe, geometry, beam, noise, n):
    """Planes and context of about n clusters in domain, as `NetworkInputs` gives them, in parts.

    Each noise model and each sampling of a map has its share; the seed is the recipe's, moved.
    """
    data, seen = recipe.data, recipe.observation
    environment = get_environment(data["environment"], cosmology=data["cosmology"])
    cases = list(itertools.product(noise, _SAMPLINGS))
    rng = np.random.default_rng([recipe.seed, _OFFSET])
    for number, (model, sampling) in enumerate(cases):
        inputs = NetworkInputs(geometry.shape, geometry.pixel_scale.to_value(u.arcmin), model)
        observation = Observation(
            name=f"domain-{sampling}",
            geometry=geometry,
            beam=beam,
            sampling=sampling,
            noise=model,
            centring=seen["centring"] * u.arcmin,
        )
        for start in range(0, -(-n // len(cases)), _CHUNK):
            seed = recipe.seed + _OFFSET + 100 * number + start // _CHUNK
            sample = draw_population(recipe, min(_CHUNK, -(-n // len(cases)) - start), seed)
            depth = np.exp(rng.uniform(*np.log(seen["depth"]), len(sample)))
            sample.table["depth"] = depth
            mocks = simulate(
                sample,
                observation,
                model=data["model"],
                cosmology=data["cosmology"],
                environment=environment,
                seed=seed,
            )
            told = depth * np.exp(seen["depth_error"] * rng.standard_normal(len(depth)))
            planes = inputs.planes(pooled(mocks.cutouts.data), told)
            yield planes, inputs.context(mocks.redshift, told)
