"""What the density network sees: blocks, filters, displacements, orientations."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry, NoiseModel, Sampling
from szmass.networks._inputs import NetworkInputs, displaced, pooled, redshift_and_level, turned

NOISE = NoiseModel.planck(depth=None)
GEOMETRY = CutoutGeometry()
INPUTS = NetworkInputs((96, 96), 1.7, NOISE)


def blob(row, column, n=48, sigma=1.4):
    """A Gaussian of about the size of the beam, in blocks of two pixels."""
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    image = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)[np.newaxis]


@given(row=st.floats(-4, 4), column=st.floats(-4, 4))
@settings(max_examples=40, deadline=None)
def test_displaced_maps_are_those_of_a_source_elsewhere(row, column):
    moved = displaced(blob(0, 0), np.array([[row, column]]))
    np.testing.assert_allclose(moved, blob(row, column), atol=6e-3)


def test_no_displacement_changes_nothing():
    maps = NOISE.draw(GEOMETRY, 3, 1)
    np.testing.assert_allclose(displaced(maps, np.zeros((3, 2))), maps, rtol=1e-6, atol=1e-12)


def test_pooling_is_the_mean_of_blocks():
    maps = np.arange(2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8)
    np.testing.assert_allclose(pooled(maps), maps.reshape(2, 4, 2, 4, 2).mean(axis=(2, 4)))


def test_eight_orientations_differ_and_have_the_same_pixels():
    image = np.random.default_rng(1).random((1, 6, 6))
    seen = [turned(image, turn) for turn in range(8)]
    assert len({values.tobytes() for values in map(np.ascontiguousarray, seen)}) == 8
    for values in seen:
        np.testing.assert_array_equal(np.sort(values.ravel()), np.sort(image.ravel()))


@pytest.mark.parametrize("turn", range(8))
def test_planes_turn_with_the_map(turn):
    blocks = pooled(NOISE.draw(GEOMETRY, 2, 3))
    planes = INPUTS.planes(turned(blocks, turn), np.ones(2))
    np.testing.assert_allclose(planes, turned(INPUTS.planes(blocks, np.ones(2)), turn), atol=1e-5)


def test_what_pixels_have_smoothed_is_sharpened():
    sampling = Sampling("window", pixel=6 * u.arcmin)
    inputs = NetworkInputs((96, 96), 1.7, NOISE, sampling)
    # Blocks are 3.4 arcmin wide, and a box has the variance of a Gaussian of its width / 12^(1/2).
    wide = np.hypot(1.4, 6 / np.sqrt(12) / 3.4)
    smoothed = 2e-5 * (1.4 / wide) ** 2 * blob(1, -2, sigma=wide)
    found = inputs.planes(smoothed, np.ones(1))
    expected = INPUTS.planes(2e-5 * blob(1, -2), np.ones(1))
    np.testing.assert_allclose(found[..., ::2], expected[..., ::2], atol=0.02)
    assert np.abs(INPUTS.planes(smoothed, np.ones(1)) - expected)[..., ::2].max() > 0.08
    # The filter weighs the noise as it is after sharpening: its variance stays one.
    fields = NOISE.draw(GEOMETRY, 300, 8)
    filtered = 3 * np.sinh(inputs.planes(pooled(fields), np.ones(300))[..., 1])
    assert filtered.std() == pytest.approx(
        3 * np.sinh(INPUTS.planes(pooled(fields), np.ones(300))[..., 1]).std(), rel=0.03
    )


def test_filtered_noise_has_unit_variance_at_any_depth():
    depth = np.array([0.7] * 200 + [1.4] * 200)
    maps = NOISE.draw(GEOMETRY, 400, 7, depth=depth)
    filtered = 3 * np.sinh(INPUTS.planes(pooled(maps), depth)[..., 1])
    # A part of the power is on scales beyond the field.
    assert filtered.std() == pytest.approx(1.0, abs=0.08)
    assert filtered[:200].std() == pytest.approx(filtered[200:].std(), rel=0.05)


def test_a_constant_is_not_seen_by_the_filter():
    blocks = pooled(NOISE.draw(GEOMETRY, 1, 3))
    changed = INPUTS.planes(blocks + np.float32(1e-5), np.ones(1)) - INPUTS.planes(
        blocks, np.ones(1)
    )
    assert np.abs(changed[..., [1, 3]]).max() < 1e-3
    assert np.abs(changed[..., [0, 2]]).min() > 0.05


def test_context_gives_redshift_and_noise_back():
    redshift, depth = np.array([0.02, 0.5, 1.0]), np.array([1.0, 1.0, 2.0])
    found, level = redshift_and_level(INPUTS.context(redshift, depth))
    np.testing.assert_allclose(found, redshift, rtol=1e-6)
    np.testing.assert_allclose(level - level[0], np.log(depth), atol=1e-6)


@pytest.mark.parametrize("shape", [(96, 48), (90, 90)])
def test_fields_that_cannot_be_divided_are_refused(shape):
    with pytest.raises(InvalidInputError, match="divisible by 8"):
        NetworkInputs(shape, 1.7, NOISE)
