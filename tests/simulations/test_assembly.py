"""Matter and gas that follow from dynamical states."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest

from szmass.citations import find_papers
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.physics import get_cosmology
from szmass.simulations import (
    CLUSTER_MODELS,
    FieldSet,
    MassField,
    Observation,
    draw_clusters,
    draw_flat,
    draw_states,
    simulate,
)

MODEL = CLUSTER_MODELS["a10-the300"]
OPTIONS = {"cosmology": "PSZ2", "seed": 4}


@pytest.fixture(scope="module")
def sample():
    return draw_flat(60, mass=(2e14, 1.5e15) * u.solMass, redshift=(0.02, 0.9), seed=6)


@pytest.fixture(scope="module")
def clusters(sample):
    return draw_clusters(sample, MODEL, **OPTIONS)


def matter_of(clusters, model=MODEL):
    nothing = dict.fromkeys(("geometry", "window", "rotation", "shift"))
    cosmology = get_cosmology("PSZ2")
    scene = FieldSet(clusters=clusters, seed=4, model=model, cosmology=cosmology, **nothing)
    return MassField().matter(scene)


# ---- Measured back from points


def radii(density, n, seed):
    """Radii of n points of a density between 0 and 5, without noise in their number."""
    edges = np.concatenate([np.geomspace(1e-5, 1, 4000), np.linspace(1, 5, 2000)[1:]])
    middle = 0.5 * (edges[1:] + edges[:-1])
    mass = np.cumsum(density(middle) * np.diff(edges**3))
    share = (np.arange(n) + np.random.default_rng(seed).random(n)) / n
    return np.interp(share, np.append(0, mass / mass[-1]), edges)


def isotropic(n, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def points_of(matter, i, n=20_000):
    """Places [R500] and masses [M500] of points of smooth body, haloes and what is beside."""
    c500 = matter.c500[i]
    body = radii(lambda x: 1 / (x * (1 + c500 * x) ** 2), n, 1)[:, np.newaxis] * isotropic(n, 2)
    halo = radii(lambda x: 1 / (x * (1 + 4 * x) ** 2 * (1 + x**2) ** 2), n, 3)
    halo = halo[:, np.newaxis] * isotropic(n, 4)
    places, masses = [body * matter.axes[i]], [np.full(n, matter.smooth[i] / n)]
    for mass, size, place in zip(matter.bound[i], matter.size[i], matter.place[i], strict=True):
        there = np.isfinite(mass)
        places.append((place + size * halo) / matter.theta500[i] if there else halo[:0])
        masses.append(np.full(n if there else 0, mass / n))
    # Each point has another on the other side of its body.
    middle = [np.zeros(3), *(matter.place[i] / matter.theta500[i])]
    places = [np.vstack([p, 2 * m - p]) for p, m in zip(places, middle, strict=True)]
    return places, [np.tile(m / 2, 2) for m in masses]


def measured(matter, mass, i):
    """Delta_r, f_s and M500 / M200 of the points of a cluster, and its M500 over ``mass``."""
    places, masses = points_of(matter, i)
    of_haloes = np.concatenate(
        [np.full(len(m), 0 < k < len(masses) - 1) for k, m in enumerate(masses)]
    )
    places, masses = np.vstack(places), np.concatenate(masses) / mass
    radius = np.linalg.norm(places, axis=1)
    order = np.argsort(radius)
    mean_density = np.cumsum(masses[order]) / radius[order] ** 3
    r200 = radius[order][np.flatnonzero(mean_density > 0.4)[-1]]
    inside = radius < r200
    m200 = masses[inside].sum()
    centre = masses[inside] @ places[inside] / m200
    return (
        np.linalg.norm(centre) / r200,
        masses[inside & of_haloes].sum() / m200,
        masses[radius < 1].sum() / m200,
        masses[radius < 1].sum(),
    )
