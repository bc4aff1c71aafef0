"""Mocks that a recipe asks for: clusters, what is around them, and those that are in domain."""

import itertools

import astropy.units as u
import numpy as np

from szmass.networks._inputs import NetworkInputs, compressed
from szmass.physics.cosmology import get_cosmology
from szmass.physics.curves import mass_curve
from szmass.simulations import Observation, draw_flat, from_masses, get_environment, simulate
from szmass.simulations.bodies.models import get_cluster_model

# Redshifts in each bin of a recipe, evenly spaced, that clusters are drawn from.
_PER_BIN = 1000
# Mocks in domain: how they are sampled, how many at a time, and what is added to the recipe's seed,
# since nobody is to have trained on them.
_SAMPLINGS, _CHUNK, _OFFSET = ("point", "nearest", "bilinear"), 1024, 1_000_003
_MANY = 9
# Relation of the amplitudes, lowest mass [Msun] and how far the highest is beyond the prior.
_RELATION, _LIGHTEST, _BEYOND = "planck2015", 1e13, 1.4
_NODES = 120
# 95 % radius of position errors in units of that per axis, as `Observation` takes it.
_POS_ERR = 2.43
# Parts of an environment that are no part of the cluster.
_AROUND = ("haloes", "neighbours", "radio")


def draw_population(recipe, n, seed, noise):
    """Draw clusters as a recipe says, as many in each redshift bin.

    They are even in log M, or in their compressed amplitude in that noise.
    """
    data = recipe.data
    redshift = np.concatenate(
        [np.linspace(*pair, _PER_BIN) for pair in itertools.pairwise(data["redshift"])]
    )
    if recipe.kind == "amplitude":
        return _even_in_amplitude(recipe, n, redshift, seed, noise)
    return draw_flat(n, mass=data["mass"] * u.solMass, redshift=redshift, seed=seed)


def _even_in_amplitude(recipe, n, redshift, seed, noise):
    """Clusters even in the compressed amplitude, those down to the lowest twice: for both signs."""
    rng = np.random.default_rng(seed)
    redshift = rng.choice(redshift, n)
    grid = np.log10(np.geomspace(_LIGHTEST, _BEYOND * recipe.data["mass"][1], _NODES))
    inputs = NetworkInputs((8, 8), 1.0, noise)
    amplitude = compressed(median_amplitude(recipe, inputs, grid, redshift))
    drawn = np.abs(rng.uniform(-recipe.observation["lowest"], amplitude[:, -1]))
    mass = [np.interp(a, row, grid) for a, row in zip(drawn, amplitude, strict=True)]
    return from_masses(10 ** np.array(mass) * u.solMass, redshift, seed=seed)


def median_amplitude(recipe, inputs, log10_mass, redshift):
    """Median amplitudes in units of their noise, (N, m), of masses (m,) or (N, m) at depth 1."""
    model = get_cluster_model(recipe.data["model"])
    cosmology = get_cosmology(recipe.data["cosmology"])
    theta, y500 = mass_curve(log10_mass, redshift, _RELATION, model.one_minus_b, cosmology)
    return y500 / inputs.error(theta)


def only_clusters(environment):
    """An environment without what stands beside, before and behind the clusters."""
    if environment is None:
        return None
    return environment.off(*_AROUND, *(one.name for one in environment.ingredients))


def domain_mocks(recipe, geometry, beam, noise, n):
    """About n clusters in domain, in parts: samples with cutouts, noise, depths, position errors.

    Each noise model and each sampling of a map has its share, many models one sampling each; the
    seed is the recipe's, moved.
    Depths are as they are told, (N,), position errors those per axis [arcmin], (N,).
    """
    data, seen = recipe.data, recipe.observation
    environment = get_environment(data["environment"], cosmology=data["cosmology"])
    cases = list(itertools.product(noise, _SAMPLINGS))
    if len(noise) >= _MANY:
        cases = list(zip(noise, itertools.cycle(_SAMPLINGS), strict=False))
    rng = np.random.default_rng([recipe.seed, _OFFSET])
    for number, (model, sampling) in enumerate(cases):
        told_errors = recipe.kind == "amplitude" and seen["centring"] > 0
        observation = Observation(
            name=f"domain-{sampling}",
            geometry=geometry,
            beam=beam,
            sampling=sampling,
            noise=model,
            centring=(1.0 if told_errors else seen["centring"]) * u.arcmin,
        )
        for start in range(0, -(-n // len(cases)), _CHUNK):
            seed = recipe.seed + _OFFSET + 100 * number + start // _CHUNK
            some = min(_CHUNK, -(-n // len(cases)) - start)
            sample = draw_population(recipe, some, seed, noise[0])
            depth = np.exp(rng.uniform(*np.log(seen["depth"]), len(sample)))
            sample.table["depth"] = depth
            centring = np.full(len(sample), seen["centring"])
            if told_errors:
                centring = centring * rng.random(len(sample))
                sample.table["pos_err"] = _POS_ERR * centring * u.arcmin
            mocks = simulate(
                sample,
                observation,
                model=data["model"],
                cosmology=data["cosmology"],
                environment=environment,
                seed=seed,
            )
            told = depth * np.exp(seen["depth_error"] * rng.standard_normal(len(depth)))
            yield mocks, model, told, centring
