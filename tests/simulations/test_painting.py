"""Gas of clusters, and maps of it."""

import dataclasses
import tracemalloc

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps import CutoutGeometry
from szmass.physics import GNFWProfile, get_cosmology, get_pressure_profile, y_to_arcmin2
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.simulations import (
    CLUSTER_MODELS,
    ClusterModel,
    ClusterPainter,
    draw_clusters,
    draw_flat,
    from_masses,
)
from szmass.simulations.bodies import _fourier, _substructure, _triaxial, profile_scatter
from szmass.simulations.bodies.painting import PressureBodies

SMOOTH = CLUSTER_MODELS["a10"].smooth()
PIXEL_AREA = 1.7**2


def draw(mass, redshift, model="a10", seed=1):
    sample = from_masses(np.atleast_1d(mass) * u.solMass, redshift)
    return draw_clusters(sample, model, cosmology="PSZ2", seed=seed)


def test_clusters_are_the_same_alone_to_the_last_bit():
    sample = draw_flat(60, seed=4)
    whole = draw_clusters(sample, "a10", cosmology="PSZ2", seed=2)
    for i in range(0, 60, 7):
        alone = draw_clusters(sample[i : i + 1], "a10", cosmology="PSZ2", seed=2)
        for name in whole.colnames:
            np.testing.assert_array_equal(alone[name][0], whole[name][i], err_msg=name)


def convolved(model, mass, redshift, shape, scale):
    """Compton-y on the pixels by brute force: fine pixels, spatial convolution."""
    fine = 9
    step, n = scale / fine, 2 * fine * shape[0]
    x = (np.arange(n) - (n - 1) / 2) * step
    y = model.profile.compton_y(
        np.hypot(x[:, np.newaxis], x) * u.arcmin,
        model.one_minus_b * mass * u.solMass,
        redshift,
        cosmology="PSZ2",
    )
    y = gaussian_filter(y, 10 / np.sqrt(8 * np.log(2)) / step, truncate=6)
    first = n // 4 + fine // 2
    return y[first : first + fine * shape[0] : fine, first : first + fine * shape[0] : fine]


@pytest.mark.parametrize(
    ("mass", "redshift", "name"),
    [(6e14, 0.08, "a10"), (6e14, 0.2, "a10"), (6e14, 0.2, "battaglia2012-agn")],
)
def test_map_is_the_convolved_profile(mass, redshift, name):
    model = CLUSTER_MODELS[name].smooth()
    geometry = CutoutGeometry(shape=(48, 48))
    clusters = draw(mass, redshift, model)
    image = ClusterPainter(model, geometry=geometry).paint(clusters)[0][0, 0]
    expected = convolved(model, mass, redshift, geometry.shape, 1.7)
    # The fine pixels of the check itself err by 1e-4 at the cusp.
    assert np.abs(image - expected).max() < 3e-4 * expected.max()


@pytest.mark.parametrize("name", sorted(CLUSTER_MODELS))
def test_sum_of_a_map_is_y5r500(name):
    clusters = draw([3e14, 6e14, 1e15], [0.15, 0.3, 0.7], name)
    assert np.all(clusters["theta500_true"] < 10 * u.arcmin)
    maps, _ = ClusterPainter(name).paint(clusters)
    total = maps.sum(axis=(1, 2, 3), dtype=float) * PIXEL_AREA
    np.testing.assert_allclose(total, clusters["y5r500_true"].value, rtol=1e-3)


@pytest.mark.parametrize("name", sorted(CLUSTER_MODELS))
def test_y500_of_smooth_clusters_is_that_of_the_profile(name):
    model = CLUSTER_MODELS[name].smooth()
    mass, redshift = np.array([3e14, 8e14]), np.array([0.1, 0.5])
    clusters = draw(mass, redshift, model)
    for column, x_max in (("y500_true", 1), ("y5r500_true", 5)):
        y = model.profile.y_spherical(
            model.one_minus_b * mass * u.solMass, redshift, cosmology="PSZ2", x_max=x_max
        )
        y = y_to_arcmin2(y, redshift, cosmology="PSZ2")
        np.testing.assert_allclose(clusters[column], y, rtol=1e-6)


def test_transform_at_zero_is_the_volume_integral():
    profile = get_pressure_profile("arnaud2010")
    p = profile.p(X_NODES)[np.newaxis]
    np.testing.assert_allclose(p @ sphere_weights(1.0), profile.sphere_integral(1.0), rtol=1e-9)
    table = transform_tables(p)[0]
    np.testing.assert_allclose(table[0], 4 * np.pi / 3 * profile.sphere_integral(5.0), rtol=1e-6)
    assert np.abs(table[-20:]).max() < 1e-4 * table[0]


def test_large_clusters_do_not_wrap_around_the_field():
    clusters = draw(8e14, 0.02)
    assert clusters["theta500_true"][0] > 40 * u.arcmin
    small, _ = ClusterPainter("a10", geometry=CutoutGeometry(shape=(48, 48))).paint(clusters)
    large, _ = ClusterPainter("a10", geometry=CutoutGeometry(shape=(400, 400))).paint(clusters)
    inside = large[0, 0, 176:224, 176:224]
    assert np.abs(small[0, 0] - inside).max() < 1e-4 * inside.max()


def test_a_shifted_cluster_is_where_it_should_be():
    clusters = draw(5e14, 0.3, SMOOTH)
    painter = ClusterPainter(SMOOTH)
    middle, _ = painter.paint(clusters)
    shift = np.array([[[3, -5]]]) * 1.7 * u.arcmin
    moved, _ = painter.paint(clusters, shift=shift)
    np.testing.assert_allclose(
        moved[0, 0, 5:-10, 10:-10],
        middle[0, 0, 10:-5, 7:-13],
        atol=1e-5 * middle.max(),
    )


def test_outline_of_a_triaxial_body():
    model = dataclasses.replace(SMOOTH, axis_ratio_b=(0.8, 0.0), axis_ratio_c=(0.6, 0.0))
    clusters = draw(6e14, 0.12, model)
    maps, quaternion = ClusterPainter(model).paint(clusters, projections=6)
    x = (np.arange(96) - 47.5) * 1.7
    sphere, _ = ClusterPainter(SMOOTH).paint(draw(6e14, 0.12, SMOOTH))
    axes = np.asarray(clusters["axes"])[0]
    np.testing.assert_allclose(axes[1:] / axes[0], [0.8, 0.6])

    def moments(image):
        total = image.sum(dtype=float)
        mixed = x[:, np.newaxis] @ x[np.newaxis]
        return (
            np.array([(image * x**2).sum(), (image * mixed).sum(), (image.T * x**2).sum()]) / total
        )

    beam = 10**2 / (8 * np.log(2))
    per_radius = moments(sphere[0, 0])[0] - beam
    for j in range(6):
        a, b, c, w = quaternion[0, j]
        vectors = np.array(
            [
                [1 - 2 * (b * b + c * c), 2 * (a * b - c * w), 2 * (a * c + b * w)],
                [2 * (a * b + c * w), 1 - 2 * (a * a + c * c), 2 * (b * c - a * w)],
            ]
        )
        q = (vectors * axes**2) @ vectors.T
        expected = per_radius * np.array([q[0, 0], q[0, 1], q[1, 1]]) + beam * np.array([1, 0, 1])
        np.testing.assert_allclose(moments(maps[0, j]), expected, atol=5e-3 * expected[0])
        np.testing.assert_allclose(maps[0, j].sum(), maps[0, 0].sum(), rtol=1e-4)
    assert np.ptp(maps[0].max(axis=(1, 2))) > 0.02 * maps.max()


def test_the_recipe_of_the_population_is_recovered():
    n = 3000
    model = CLUSTER_MODELS["a10"]
    clusters = draw(np.full(n, 6e14), 0.2)
    profile = get_pressure_profile("arnaud2010")
    y = profile.y_spherical(0.8 * 6e14 * u.solMass, 0.2, cosmology="PSZ2")
    y = y_to_arcmin2(y, 0.2, cosmology="PSZ2")
    ln_y = np.log((clusters["y500_true"] / y).value)
    assert abs(np.std(clusters["ln_y"]) - model.sigma_lny) < 0.005
    assert abs(np.std(np.log(clusters["one_minus_b"])) - 0.04) < 0.002
    assert abs(np.median(ln_y)) < 0.01
    assert 0.10 < ln_y.std() < 0.12
    state = clusters["state"]
    for name, fraction in (("relaxed", 0.30), ("disturbed", 0.35)):
        assert abs(np.mean(state == name) - fraction) < 0.03
    merging = np.isfinite(clusters["companion_ratio"])
    assert abs(merging.mean() - 0.15) < 0.025
    assert np.all(state[merging] == "disturbed")
    ratios = np.asarray(clusters["axes"])[:, 1:] / np.asarray(clusters["axes"])[:, :1]
    np.testing.assert_allclose(ratios.mean(axis=0), [0.894, 0.783], atol=0.006)
    np.testing.assert_allclose(ratios.std(axis=0), [0.054, 0.061], atol=0.004)
    offset = np.asarray(clusters["gas_offset"])
    np.testing.assert_allclose(offset[state == "disturbed"].std(), 0.07, rtol=0.05)
    np.testing.assert_allclose(offset[state != "disturbed"].std(), 0.02, rtol=0.05)
    number = np.isfinite(clusters["subhalo_ratio"]).sum(axis=1)
    assert abs(number.mean() - _substructure._mass_function()[0]) < 0.15

    gas = PressureBodies(model, clusters, np.empty((0, n)))
    at = [np.argmin(np.abs(X_NODES - x)) for x in (0.03, 0.1, 0.3, 0.5, 1, 2)]
    log_p = np.log(gas.shape / gas.inner[:, np.newaxis])[:, at] + clusters["ln_y"][:, np.newaxis]
    # Y500 is fixed, which takes scatter off at the radii where Y500 comes from.
    np.testing.assert_allclose(log_p.std(axis=0), [0.63, 0.42, 0.20, 0.13, 0.22, 0.39], atol=0.03)
    correlation = np.corrcoef(log_p, rowvar=False)
    assert 0.3 < correlation[0, 1] < 0.6
    assert correlation[1, 5] < -0.1


def test_scatter_of_the_profile_is_the_published_one_before_y500_is_fixed():
    rng = np.random.default_rng(1)
    at_nodes = profile_scatter.deviations(rng.standard_normal((20000, 6)), (0.3, 0.35), 1.0)
    state = profile_scatter.draw_states(rng.random(20000), (0.3, 0.35))
    total = at_nodes + np.log(profile_scatter._state_factors(at_scatter_nodes=True))[state]
    # At 0.1 and 1 the mix of states alone brings as much, with another correlation.
    np.testing.assert_allclose(total.std(axis=0), [0.6, 0.4, 0.25, 0.2, 0.25, 0.4], rtol=0.13)


@given(
    q=st.floats(0.5, 1.0),
    s=st.floats(0.4, 1.0),
    sigma=st.floats(0, 0.3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_axes_are_ordered_and_of_unit_volume(q, s, sigma, seed):
    uniform = np.random.default_rng(seed).uniform(1e-12, 1, (50, 2))
    axes = _triaxial.draw_axes(uniform, (q, sigma), (s, sigma))
    np.testing.assert_allclose(axes.prod(axis=1), 1)
    assert np.all(np.diff(axes, axis=1) <= 1e-12)
    assert np.all(axes[:, 2] / axes[:, 0] > 0.299)


def test_rotations_are_rotations_and_even():
    _, matrix = _triaxial.rotations(np.random.default_rng(1).random((20000, 3)))
    np.testing.assert_allclose(
        matrix @ matrix.swapaxes(1, 2), np.tile(np.eye(3), (20000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrix), 1)
    np.testing.assert_allclose((matrix**2).mean(axis=0), 1 / 3, atol=0.01)


def test_mean_substructure_is_what_is_taken_from_the_smooth_body():
    uniform = np.random.default_rng(2).random((20000, 1 + 5 * _substructure.MAX_SUBHALOES))
    ratio, gas, position = _substructure.subhaloes(
        uniform[:, 0], uniform[:, 1:].reshape(20000, -1, 5)
    )
    inside = np.linalg.norm(position, axis=2) < 1
    share = np.nansum(np.where(inside, gas * ratio**1.79, 0), axis=1)
    assert share.mean() == pytest.approx(_substructure.subhalo_mean(1.79), rel=0.05)


def test_a_cluster_depends_on_seed_and_id_alone():
    sample = draw_flat(30, seed=5)
    whole = draw_clusters(sample, cosmology="PSZ2", seed=1)
    part = draw_clusters(sample[[20, 4]], cosmology="PSZ2", seed=1)
    painter = ClusterPainter()
    all_maps, all_turns = painter.paint(whole, projections=3)
    maps, turns = painter.paint(part, projections=[2])
    for name in whole.colnames:
        np.testing.assert_array_equal(np.asarray(part[name]), np.asarray(whole[name][[20, 4]]))
    np.testing.assert_array_equal(maps[:, 0], all_maps[[20, 4], 2])
    np.testing.assert_array_equal(turns[:, 0], all_turns[[20, 4], 2])
    other = draw_clusters(sample, cosmology="PSZ2", seed=2)
    assert not np.any(other["ln_y"] == whole["ln_y"])


def test_painted_again_with_another_beam_from_the_same_table():
    clusters = draw(5e14, 0.3)
    fine, _ = ClusterPainter(beam=5 * u.arcmin).paint(clusters)
    coarse, _ = ClusterPainter(beam=10 * u.arcmin).paint(clusters)
    assert fine.max() > 1.5 * coarse.max()
    wide = CutoutGeometry(shape=(32, 32), pixel_scale=5.1 * u.arcmin)
    every_third, _ = ClusterPainter(geometry=wide).paint(clusters)
    np.testing.assert_allclose(
        every_third[0, 0], coarse[0, 0, 1::3, 1::3], atol=1e-5 * coarse.max()
    )
    np.testing.assert_allclose(fine.sum(), coarse.sum(), rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sigma_lny": -0.1}, "'sigma_lny' must be at least 0"),
        ({"sigma_lny": 0.01}, "scatter of 1-b alone"),
        ({"relaxed": 0.8, "disturbed": 0.4}, "'relaxed' must be at most"),
        ({"merging": 1.5}, "'merging' must be between 0 and 1"),
        ({"axis_ratio_b": (1.2, 0.1)}, "'axis_ratio_b'"),
        ({"axis_ratio_c": (0.8, -0.1)}, "'axis_ratio_c'"),
        ({"gas_offset": (0.1,)}, "'gas_offset'"),
        ({"one_minus_b": 0}, "one_minus_b"),
        (
            {
                "profile": GNFWProfile(
                    name="x", p0=1, c500=1, gamma=0.3, alpha=1, beta=5, truncation=3
                )
            },
            "must end at 5 R500",
        ),
    ],
)
def test_models_refuse_what_cannot_be(options, text):
    with pytest.raises(InvalidInputError, match=text):
        ClusterModel(name="mine", **options)


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="a10"):
        ClusterPainter("a11")
    with pytest.raises(UnknownNameError, match="arnaud2010"):
        ClusterModel(name="mine", profile="nothing")
    with pytest.raises(InvalidInputError, match="'model' must be a name"):
        ClusterPainter(3)


def test_painters_refuse_what_they_cannot_paint():
    clusters = draw(5e14, 0.3)
    with pytest.raises(InvalidInputError, match="too coarse for the beam"):
        ClusterPainter(geometry=CutoutGeometry(shape=(9, 9), pixel_scale=30 * u.arcmin))
    with pytest.raises(InvalidInputError, match="pixel_scale in arcmin"):
        ClusterPainter(geometry=CutoutGeometry(pixel_scale=0.1))
    with pytest.raises(InvalidInputError, match="drawn from the model 'a10'"):
        ClusterPainter("he2021").paint(clusters)
    with pytest.raises(InvalidInputError, match="'shift' must have the shape"):
        ClusterPainter().paint(clusters, shift=[1, 2] * u.arcmin)


def test_samples_without_truth_are_refused():
    sample = draw_flat(3, seed=1)
    sample.table.remove_column("mass_true")
    with pytest.raises(InvalidInputError, match="no column 'mass_true'"):
        draw_clusters(sample, cosmology=get_cosmology("PSZ2"), seed=1)


def test_small_fields_of_large_clusters_take_little_memory(monkeypatch):
    """In strips of a grid as by its transform, in a tenth of the memory."""
    sample = from_masses([8e14] * u.solMass, 0.1)
    clusters = draw_clusters(sample, "a10", cosmology="PSZ2", seed=1)
    geometry = CutoutGeometry((40, 48), 3 * u.arcsec)
    painter = ClusterPainter("a10", geometry=geometry, beam=15 * u.arcsec)

    def painted():
        tracemalloc.start()
        maps, _ = painter.paint(clusters, seed=1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        painter.grid._kept.clear()
        return maps[0, 0], peak

    whole, much = painted()
    monkeypatch.setattr(_fourier, "_MOST", 2**14)
    monkeypatch.setattr(_fourier, "_AT_ONCE", 2**18)
    found, little = painted()
    np.testing.assert_allclose(found, whole, atol=1.5e-6 * whole.max(), rtol=0)
    assert little < 0.1 * much
    monkeypatch.setattr("szmass._utils.memory._available", lambda: 1e6)
    painter = ClusterPainter(
        "a10", geometry=CutoutGeometry((3000, 3000), 1 * u.arcsec), beam=5 * u.arcsec
    )
    with pytest.raises(InvalidInputError, match="A field of 3000 x 3000 pixels.*fewer pixels"):
        painter.paint(clusters, seed=1)
