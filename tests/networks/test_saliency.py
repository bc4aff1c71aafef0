"""What a network looks at: against methods whose weights are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry, CutoutStack
from szmass.networks.saliency import occlusion_map, stack_saliency

SIDE = 48


def stack(maps):
    coord = SkyCoord(np.linspace(10, 50, len(maps)), 30, unit="deg", frame="galactic")
    return CutoutStack(maps, None, coord, geometry=CutoutGeometry(maps.shape[1:]))


@pytest.fixture
def maps():
    return np.random.default_rng(1).standard_normal((5, SIDE, SIDE)).astype(np.float32)


def linear(weights, offset=14.0):
    def predict(maps, rows):
        return offset + rows + np.einsum("nyx,yx->n", maps.astype(float), weights)

    return predict


def test_a_linear_method_shows_its_weights():
    # On a map of ones the light of a patch is its window.
    weights = np.zeros((SIDE, SIDE))
    weights[13, 30] = 0.5
    weights[40, 40] = -0.25
    found = occlusion_map(linear(weights), stack(np.ones((1, SIDE, SIDE))), patches=12).data[0]
    assert found.sum() == pytest.approx(0.25, abs=1e-5)
    # Pixels of patches of 4 x 4 about the two weights; nothing elsewhere.
    assert found[2:5, 6:9].sum() == pytest.approx(0.5, abs=1e-5)
    assert found[9:11, 9:11].sum() == pytest.approx(-0.25, abs=1e-5)
    assert np.unravel_index(found.argmax(), found.shape) == (3, 7)
    np.testing.assert_allclose(np.delete(found, range(2, 11), axis=0), 0, atol=1e-5)


def test_patches_cover_every_pixel_once(maps):
    weights = np.random.default_rng(2).standard_normal((SIDE, SIDE))
    found = occlusion_map(linear(weights), stack(maps), patches=8).data
    expected = np.einsum("nyx,yx->n", maps, weights)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, atol=1e-4)


def test_each_map_is_weighed_as_its_own_cluster(maps):
    seen = []

    def predict(maps, rows):
        seen.append((len(maps), np.unique(rows)))
        return linear(np.ones((SIDE, SIDE)))(maps, 10 * rows)

    found = occlusion_map(predict, stack(maps), patches=4, batch_size=40)
    assert [number for number, _ in seen] == [34, 34, 17]
    assert np.concatenate([rows for _, rows in seen]).tolist() == [0, 1, 2, 3, 4]
    one_by_one = occlusion_map(linear(np.ones((SIDE, SIDE))), stack(maps), patches=4, batch_size=1)
    np.testing.assert_allclose(found.data, one_by_one.data, atol=1e-4)


def test_the_grid_is_that_of_the_patches(maps):
    found = occlusion_map(linear(np.ones((SIDE, SIDE))), stack(maps), patches=6)
    assert found.geometry == CutoutGeometry((6, 6), pixel_scale=13.6 * u.arcmin)
    found = occlusion_map(
        linear(np.ones((SIDE, SIDE))), stack(maps), patches=6, width=40.8 * u.arcmin
    )
    assert found.geometry == CutoutGeometry((6, 6), pixel_scale=6.8 * u.arcmin)
    assert found[2].wcs.wcs.crval == pytest.approx([30, 30])


def test_only_the_middle_is_divided():
    weights = np.zeros((SIDE, SIDE))
    weights[[5, 24], [5, 25]] = 1.0
    found = occlusion_map(
        linear(weights), stack(np.ones((1, SIDE, SIDE))), patches=6, width=40.8 * u.arcmin
    )
    assert found.data.sum() == pytest.approx(1.0, abs=1e-5)


def test_round_filling_leaves_round_clusters_alone():
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    cluster = np.exp(-0.5 * (x**2 + y**2) / 6**2)
    second = 0.5 * np.exp(-0.5 * ((x - 12) ** 2 + y**2) / 4**2)
    sample = stack(np.array([cluster, cluster + second]))
    found = occlusion_map(linear(np.ones((SIDE, SIDE))), sample, patches=12, fill="round").data
    assert np.abs(found[0]).max() < 0.01 * cluster.sum()
    assert np.unravel_index(found[1].argmax(), found[1].shape)[1] in (8, 9)
    # What is moved to other angles is not lost.
    assert found[1].sum() == pytest.approx(0, abs=0.02 * second.sum())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"patches": 1}, "'patches' must be"),
        ({"patches": 60}, "'width' must hold 60 patches"),
        ({"width": 300 * u.arcmin}, "lie in the cutout"),
        ({"fill": "noise"}, "'fill' must be one of zero, round. Received: 'noise'"),
    ],
)
def test_options_are_checked(maps, options, match):
    with pytest.raises(InvalidInputError, match=match):
        occlusion_map(linear(np.ones((SIDE, SIDE))), stack(maps), **options)


def test_input_is_checked(maps):
    with pytest.raises(InvalidInputError, match="one number for each of the"):
        occlusion_map(lambda maps, rows: np.zeros(3), stack(maps))
    maps[1, 3, 3] = np.nan
    with pytest.raises(InvalidInputError, match="without missing pixels"):
        occlusion_map(linear(np.ones((SIDE, SIDE))), stack(maps))
    wide = stack(np.ones((1, SIDE, 2 * SIDE)))
    with pytest.raises(InvalidInputError, match="'width' of a square"):
        occlusion_map(linear(np.ones((SIDE, 2 * SIDE))), wide)


def test_mean_and_error():
    values = np.random.default_rng(3).normal(0.1, 0.02, (400, 6, 6))
    found = stack_saliency(stack(values))
    np.testing.assert_allclose(found.image, values.mean(axis=0))
    np.testing.assert_allclose(found.error, values.std(axis=0, ddof=1) / 20)
    assert (found.number == 400).all()
    assert np.isnan(stack_saliency(stack(values[:1])).error).all()


def test_scaled_maps_are_densities():
    # 0.01 dex for the light of a patch of 1.7 arcmin, everywhere.
    sample = stack(np.full((2, 12, 12), 0.01))
    found = stack_saliency(sample, theta500=[5.1, 10.2] * u.arcmin, patches=6, width=3.0)
    assert found.geometry == CutoutGeometry((6, 6), pixel_scale=0.5)
    # Patches are 2.55 and 5.1 arcmin wide: only the small ones of the larger cluster fit in.
    assert found.number[2, 2] == 2
    assert found.number[0, 0] == 1
    expected = 0.01 * np.array([1.5, 3.0]) ** 2
    assert found.image[2, 2] == pytest.approx(expected.mean())
    assert found.image[0, 0] == pytest.approx(expected[0])


def test_stacks_are_checked():
    sample = stack(np.ones((2, 6, 6)))
    with pytest.raises(InvalidInputError, match="one entry per map"):
        stack_saliency(sample, theta500=[5] * u.arcmin)
    with pytest.raises(InvalidInputError, match="'patches' must be"):
        stack_saliency(sample, theta500=[5, 6] * u.arcmin, width=-1)
    with pytest.raises(InvalidInputError, match="what occlusion_map gives"):
        stack_saliency(np.ones((2, 6, 6)))
