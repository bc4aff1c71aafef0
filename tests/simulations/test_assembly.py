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
from szmass.simulations.bodies.assembly import assemble
from szmass.simulations.dataset.origin import plain

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


def test_states_are_measured_back_from_the_painted_matter(clusters):
    mass = clusters["mass_true"].to_value("solMass")
    matter = matter_of(clusters)
    found = np.array([measured(matter, mass[i], i) for i in range(len(clusters))]).T
    for name, values in zip(("delta_r", "f_s", "m500_m200"), found[:3], strict=True):
        np.testing.assert_allclose(values, clusters[name], rtol=0.05)
        assert abs(np.mean(values / clusters[name]) - 1) < 0.01
    np.testing.assert_allclose(found[3], 1, rtol=0.01)
    beside = np.isfinite(clusters["diffuse_ratio"])
    assert 0.1 < beside.mean() < 0.5
    # What haloes could not give, they were turned for first.
    lopsided = np.asarray(clusters["delta_r"] / clusters["f_s"])
    assert np.median(lopsided[beside]) > 1.5 * np.median(lopsided[~beside])


def test_states_without_matter_to_match_are_as_near_as_can_be():
    sample = draw_flat(1500, mass=(1e14, 2e15) * u.solMass, redshift=(0.02, 1.2), seed=8)
    clusters = draw_clusters(sample, MODEL, **OPTIONS)
    matter = matter_of(clusters)
    assert np.all((matter.smooth > 0) & (matter.inside <= 0.95))
    ends = (matter.c500 < 0.051) | (matter.c500 > 29.9)
    assert ends.mean() < 0.02
    # As many haloes as without states, but two at least.
    plain = draw_clusters(sample, "a10", **OPTIONS)
    many = np.isfinite(plain["subhalo_ratio"]).sum(axis=1)
    now = np.isfinite(clusters["subhalo_ratio"]).sum(axis=1)
    np.testing.assert_array_equal(now, np.maximum(many, 2))


def test_one_heavy_halo_stands_where_the_centre_of_mass_wants_it():
    ratio, position = np.full((3, 4), np.nan), np.full((3, 4, 3), np.nan)
    ratio[:, 2], position[:, 2] = 0.3, [0.0, 1.0, 0.0]
    states = {"delta_r": [0.03, 0.06, 0.15], "f_s": [0.1] * 3, "m500_m200": [0.7] * 3}
    made = assemble(ratio, position, **{name: np.array(v) for name, v in states.items()})
    edge = np.cbrt(2.5 / 0.7)
    distance = np.linalg.norm(made.position[:, 2], axis=1) / edge
    np.testing.assert_allclose(distance[:2], [0.3, 0.6], rtol=0.15)
    assert np.isfinite(made.diffuse_ratio).tolist() == [False, False, True]
    np.testing.assert_allclose(np.linalg.norm(made.centre, axis=1) / edge, states["delta_r"])
    across = made.position[:, 2] - made.position[:, 2, 1:2] * [0, 1, 0]
    np.testing.assert_allclose(across, 0, atol=1e-12)


# ---- What follows, and what stays


def test_clusters_with_states_do_not_depend_on_their_company(sample, clusters):
    rows = np.array([41, 3])
    part = draw_clusters(sample[rows], MODEL, **OPTIONS)
    for name in part.colnames:
        np.testing.assert_array_equal(part[name], clusters[name][rows], err_msg=name)
    whole, few = matter_of(clusters), matter_of(part)
    for name in ("smooth", "c500", "place", "bound"):
        np.testing.assert_array_equal(getattr(few, name), getattr(whole, name)[rows])


def test_states_are_those_that_draw_states_gives(sample, clusters):
    states = draw_states(sample, seed=4)
    for name in states.colnames:
        np.testing.assert_array_equal(clusters[name], states[name])
    calm = clusters["state"] == "relaxed"
    wild = clusters["state"] == "disturbed"
    for name in ("delta_r", "f_s"):
        assert np.median(clusters[name][calm]) < np.median(clusters[name][wild])
    assert np.max(clusters["disturbance"][calm]) < np.min(clusters["disturbance"][wild])


def test_gas_follows_the_centre_of_mass(sample, clusters):
    centre = np.asarray(clusters["centre_of_mass"])
    np.testing.assert_allclose(clusters["gas_offset"], 0.4 * centre)
    r200 = np.cbrt(2.5 / clusters["m500_m200"] / clusters["one_minus_b"])
    np.testing.assert_allclose(np.linalg.norm(centre, axis=1), clusters["delta_r"] * r200)
    still = draw_clusters(sample, MODEL.off("gas-offset"), **OPTIONS)
    assert not np.any(still["gas_offset"])
    np.testing.assert_array_equal(still["centre_of_mass"], centre)


def test_y500_keeps_median_and_scatter(clusters):
    np.testing.assert_allclose(clusters["y500_true"], clusters["y500_model"], rtol=1e-12)
    outer = clusters["y5r500_true"] / clusters["y500_true"]
    assert np.all(outer > 1.2)


def test_without_states_nothing_is_new(sample):
    clusters = draw_clusters(sample, "a10", **OPTIONS)
    assert not {"delta_r", "diffuse_ratio", "centre_of_mass"} & set(clusters.colnames)
    assert "state_model" not in clusters.meta
    for model in (MODEL.off("states"), MODEL.off(), MODEL.smooth()):
        assert model.states is None
    assert "states" not in plain(CLUSTER_MODELS["a10"])
    assert plain(MODEL)["states"]["name"] == "the300-gadget-x"
    options = dict(vars(CLUSTER_MODELS["a10"]), states="the300-gadget-x", name="a10-the300")
    assert dataclasses.replace(MODEL, **options) == MODEL


def test_states_need_subhaloes():
    with pytest.raises(InvalidInputError, match="'subhaloes' must be True with 'states'"):
        MODEL.off("subhaloes")
    with pytest.raises(InvalidInputError, match="a name such as 'the300-gadget-x'"):
        dataclasses.replace(MODEL, states=3)
    assert MODEL.off("subhaloes", "states").states is None


def test_mocks_have_their_states(sample):
    geometry = CutoutGeometry((32, 32), 1 * u.arcmin)
    observation = Observation(name="small", beam=3 * u.arcmin, geometry=geometry)
    fields = ("mass", "xray", "galaxies")
    mocks = simulate(sample[:3], observation, model=MODEL, fields=fields, **OPTIONS)
    states = draw_states(sample[:3], seed=4)
    for name in ("delta_r", "f_s", "eta", "relaxed", "extrapolated"):
        np.testing.assert_array_equal(mocks.table[name], states[name])
    for stack in (mocks.cutouts, *mocks.fields.values()):
        assert np.all(np.isfinite(stack.data))
    assert "2018MNRAS.480.2898C" in {
        paper.key for papers in find_papers(mocks).values() for paper in papers
    }
    alone = simulate(sample[:3], observation, model=MODEL, **OPTIONS)
    np.testing.assert_array_equal(alone.cutouts.data, mocks.cutouts.data)
