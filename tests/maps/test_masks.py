"""Masks of cutouts: fractions, soft edges, sources, other maps' masks, in-painting."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry, CutoutStack
from szmass.maps.masks import apodise, apply_mask, inpaint, mask_sources, masked_fraction
from szmass.maps.noise import NoiseModel

GRID = CutoutGeometry((40, 60))
COORD = SkyCoord([10, 200, 359.99], [5, -60, 89.5], unit="deg", frame="galactic")


def make_stack(geometry=GRID, coord=COORD, **options):
    data = np.random.default_rng(0).normal(0, 1e-6, (len(coord), *geometry.shape))
    return CutoutStack(data, None, coord, geometry=geometry, beam=10 * u.arcmin, **options)


def test_masked_fraction_of_stack_cutout_and_array():
    footprint = np.ones((3, 40, 60), bool)
    footprint[1, :10] = False
    stack = apply_mask(make_stack(), footprint)
    np.testing.assert_allclose(masked_fraction(stack), [0, 0.25, 0])
    assert masked_fraction(stack[1]) == pytest.approx(0.25)
    np.testing.assert_allclose(masked_fraction(footprint), [0, 0.25, 0])
    with pytest.raises(InvalidInputError, match="'footprint' must be cutouts.*float64"):
        masked_fraction(np.ones((3, 3)))


def test_apodise_is_a_cosine_from_the_edge():
    weights = apodise(np.ones((41, 61), bool), 17 * u.arcmin, pixel_scale=1.7 * u.arcmin)
    assert weights.max() == 1
    distance = np.arange(1, 11)
    np.testing.assert_allclose(
        weights[20, :10], 0.5 * (1 - np.cos(np.pi * distance / 10)), atol=1e-12
    )
    np.testing.assert_allclose(weights, weights[::-1, ::-1])


@given(
    seed=st.integers(0, 1000), width=st.floats(0, 20), shape=st.tuples(*[st.integers(1, 30)] * 2)
)
@settings(max_examples=40, deadline=None)
def test_apodised_weights_are_bounded_and_vanish_where_masked(seed, width, shape):
    footprint = np.random.default_rng(seed).random(shape) > 0.05
    weights = apodise(footprint, width * u.arcmin, pixel_scale=1 * u.arcmin)
    assert weights.shape == shape
    assert np.all((weights >= 0) & (weights <= footprint))
    assert np.all(weights[footprint] > 0)
    if width <= 1:
        np.testing.assert_allclose(weights, footprint, atol=1e-12)


def test_apodise_follows_each_cutout():
    footprint = np.ones((3, 40, 60), bool)
    footprint[1, 20, 30] = False
    stack = apply_mask(make_stack(), footprint)
    weights = apodise(stack, "8.5 arcmin")
    assert weights.shape == (3, 40, 60)
    np.testing.assert_array_equal(weights[0], weights[2])
    assert weights[1, 20, 30] == 0
    assert weights[1, 20, 31] < weights[0, 20, 31] == 1
    np.testing.assert_array_equal(apodise(stack[1], "8.5 arcmin"), weights[1])


@pytest.mark.parametrize("frame", ["galactic", "icrs"])
@pytest.mark.parametrize("rotation", [0, 37])
def test_sources_are_masked_by_their_distance_on_the_sky(frame, rotation):
    geometry = CutoutGeometry((40, 60), 1.7 * u.arcmin, frame, rotation * u.deg)
    stack = make_stack(geometry)
    # Beside each centre, one across the edge of a cutout, and one far away.
    sources = SkyCoord(
        [
            *COORD,
            COORD[0].directional_offset_by(30 * u.deg, 55 * u.arcmin),
            COORD[1].directional_offset_by(200 * u.deg, 20 * u.arcmin),
            COORD[1].directional_offset_by(10 * u.deg, 20 * u.deg),
        ]
    ).icrs
    radius = [5, 3, 8, 12, 6, 5] * u.arcmin
    masked = mask_sources(stack, sources, radius)
    rows, columns = np.indices(geometry.shape)
    for i, wcs in enumerate(stack.wcs):
        pixels = wcs.pixel_to_world(columns, rows)
        inside = np.zeros(geometry.shape, bool)
        for source, limit in zip(sources, radius, strict=True):
            inside |= pixels.separation(source) <= limit
        np.testing.assert_array_equal(masked.footprint[i], ~inside)
        assert np.isnan(masked.data[i][inside]).all()
    np.testing.assert_array_equal(masked.data[masked.footprint], stack.data[masked.footprint])
    assert stack.complete.all()
    assert (masked.beam, masked.geometry) == (stack.beam, stack.geometry)


def test_sources_in_cutouts_of_relative_size():
    geometry = CutoutGeometry((30, 30), 0.1)
    coord = SkyCoord([10, 20, np.nan], [5, 5, 5], unit="deg")
    stack = CutoutStack(
        np.ones((3, 30, 30)),
        None,
        coord,
        geometry=geometry,
        angular_scale=[20, 60, 10] * u.arcmin,
    )
    masked = mask_sources(stack, coord[:2], 12 * u.arcmin)
    pixels = np.pi * 12**2 / np.array([2, 6]) ** 2
    np.testing.assert_allclose(900 * masked_fraction(masked)[:2], pixels, rtol=0.12)
    assert masked.complete[2]


def test_no_source_masks_nothing():
    stack = make_stack()
    empty = SkyCoord([], [], unit="deg")
    np.testing.assert_array_equal(mask_sources(stack, empty, 5 * u.arcmin).data, stack.data)


@pytest.mark.parametrize(
    ("sources", "radius", "match"),
    [
        (COORD, 0 * u.arcmin, "'radius' must be positive"),
        (COORD, [1, 2] * u.arcmin, "one angle or one per position"),
        (SkyCoord([np.nan], [0], unit="deg"), 1 * u.arcmin, "masked or NaN"),
        ("M87", 1 * u.arcmin, "'coord' must be a SkyCoord"),
    ],
)
def test_sources_refused(sources, radius, match):
    with pytest.raises(InvalidInputError, match=match):
        mask_sources(make_stack(), sources, radius)
    with pytest.raises(InvalidInputError, match="'stack' must be a CutoutStack"):
        mask_sources(make_stack().data, COORD, 1 * u.arcmin)


def test_mask_map_is_cut_out_with_the_stack():
    good = np.ones(12 * 64**2, dtype=np.float32)
    lat = healpy.pix2ang(64, np.arange(len(good)), lonlat=True)[1]
    good[lat > 5] = 0
    mask = ComptonMap.from_healpix(good, ordering="ring", frame="galactic")
    stack = apply_mask(make_stack(), mask)
    fraction = masked_fraction(stack)
    assert 0.2 < fraction[0] < 0.8
    np.testing.assert_array_equal(fraction[1:], [0, 1])
    bad = ComptonMap.from_healpix(7 * good, ordering="ring", frame="galactic")
    with pytest.raises(InvalidInputError, match="Received: values from 0 to 7"):
        apply_mask(make_stack(), bad)
    with pytest.raises(InvalidInputError, match=r"bool of shape \(3, 40, 60\)"):
        apply_mask(make_stack(), np.ones((40, 60)))
    with pytest.raises(InvalidInputError, match="shape"):
        apply_mask(make_stack(), np.ones((60, 40), bool))


def test_masks_combine():
    one, other = np.ones((40, 60), bool), np.ones((40, 60), bool)
    one[:5], other[:, :5] = False, False
    stack = apply_mask(apply_mask(make_stack(), one), other)
    np.testing.assert_array_equal(stack.footprint, np.broadcast_to(one & other, (3, 40, 60)))


# In-painting


@pytest.fixture(scope="module")
def noisy():
    model = NoiseModel.planck("instrument", depth=None)
    coord = SkyCoord(np.linspace(0, 300, 24), np.zeros(24), unit="deg")
    geometry = CutoutGeometry((48, 48))
    # Real pixels hold a little that did not go through the beam.
    white = np.random.default_rng(2).normal(0, 0.01 * model.rms(), (24, 48, 48))
    data = model.draw(geometry, 24, 1) + white + 5e-6
    stack = CutoutStack(data, None, coord, geometry=geometry, beam=model.beam)
    rows, columns = np.indices((48, 48))
    footprint = np.hypot(rows - 20, columns - 30) > 4.5
    footprint &= np.hypot(rows - 46, columns - 1) > 3
    return model, stack, apply_mask(stack, footprint)


def test_smooth_filling_is_exact_for_a_plane(noisy):
    rows, columns = np.indices((48, 48))
    plane = 1e-6 * (rows - 2 * columns).astype(float)
    truth = CutoutStack(plane[None], None, COORD[:1], geometry=CutoutGeometry((48, 48)))
    footprint = np.hypot(rows - 20, columns - 30) > 4.5
    filled = inpaint(apply_mask(truth, footprint))
    np.testing.assert_allclose(filled.data, truth.data, atol=1e-11)


def test_filling_keeps_what_is_known_and_the_footprint(noisy):
    model, stack, holes = noisy
    for options in ({}, {"noise": model}, {"noise": model, "rng": 3}):
        filled = inpaint(holes, **options)
        assert np.isfinite(filled.data).all()
        known = holes.footprint
        np.testing.assert_array_equal(filled.data[known], stack.data[known])
        np.testing.assert_array_equal(filled.footprint, known)
        assert inpaint(holes, mark_valid=True, **options).complete.all()
    assert np.isnan(holes.data[~holes.footprint]).all()


def test_filling_from_the_noise_is_better_than_a_smooth_one(noisy):
    model, stack, holes = noisy
    hidden = ~holes.footprint
    error = {
        name: np.std((filled.data - stack.data)[hidden])
        for name, filled in (
            ("smooth", inpaint(holes)),
            ("mean", inpaint(holes, noise=model)),
            ("draw", inpaint(holes, noise=model, rng=2)),
        )
    }
    assert error["mean"] < 0.95 * error["smooth"]
    # The error of a draw has the variance of the mean's error twice.
    assert error["draw"] == pytest.approx(np.sqrt(2) * error["mean"], rel=0.2)
    mean, draw = (inpaint(holes, noise=model, rng=rng) for rng in (None, 2))
    assert mean.data[hidden].std() < stack.data[hidden].std()
    assert draw.data[hidden].std() == pytest.approx(stack.data[hidden].std(), rel=0.15)
    np.testing.assert_array_equal(draw.data, inpaint(holes, noise=model, rng=2).data)


def test_large_and_total_holes(noisy):
    model, stack, _ = noisy
    footprint = np.zeros((24, 48, 48), bool)
    footprint[0, :2] = True
    footprint[2] = True
    filled = inpaint(apply_mask(stack, footprint), noise=model)
    assert np.isfinite(filled.data[[0, 2]]).all()
    assert np.isnan(filled.data[1]).all()
    np.testing.assert_array_equal(filled.data[2], stack.data[2])


def test_inpaint_refuses(noisy):
    model, stack, _ = noisy
    with pytest.raises(InvalidInputError, match="give 'noise' too"):
        inpaint(stack, rng=1)
    with pytest.raises(InvalidInputError, match="'stack' must be a CutoutStack"):
        inpaint(stack[0], noise=model)
    relative = CutoutStack(
        np.ones((1, 9, 9)),
        None,
        COORD[:1],
        geometry=CutoutGeometry((9, 9), 0.3),
        angular_scale=[5] * u.arcmin,
    )
    with pytest.raises(InvalidInputError, match="differ in size"):
        inpaint(relative, noise=model)
    with pytest.raises(InvalidInputError, match="differ in size"):
        apodise(relative, "3 arcmin")
    with pytest.raises(InvalidInputError, match="'pixel_scale' is needed"):
        apodise(np.ones((9, 9), bool), "3 arcmin")
    with pytest.raises(InvalidInputError, match="leave 'pixel_scale' out"):
        apodise(stack, "3 arcmin", pixel_scale="1 arcmin")
    with pytest.raises(InvalidInputError, match="'width' must be >= 0"):
        apodise(stack, "-3 arcmin")


def test_a_mask_of_rows_of_several_lengths():
    with pytest.raises(InvalidInputError, match="An array of numbers is expected"):
        apply_mask(make_stack(), [[True], [True, False]])
