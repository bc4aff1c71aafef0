"""The table of morphology: kinds of images, centres, errors, flags, and what is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty
from astropy.table import QTable
from astropy.wcs import WCS

from szmass.clusters import ClusterSample
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.maps import CutoutGeometry, CutoutStack, NoiseModel
from szmass.morphology import (
    MORPHOLOGY_COLUMNS,
    MORPHOLOGY_PRESETS,
    MorphologyDefinition,
    MorphologyFlag,
    combine_morphology,
    get_morphology_preset,
    measure_morphology,
)
from szmass.simulations import FieldStack

N, SIZE = 61, 20.0
GEOMETRY = CutoutGeometry((N, N), 0.5 * u.arcmin)
R500 = 0.5 * SIZE * u.arcmin
MIDDLE = (N - 1) / 2


def cluster(x0=0.0, y0=0.0, q=0.8, core=4.0, height=1e-4):
    """A beta model about a place off the middle [pixel]."""
    y, x = np.mgrid[:N, :N] - MIDDLE
    return height * (1 + ((x - x0) ** 2 + ((y - y0) / q) ** 2) / core**2) ** -1.5


def stack_of(*images, footprint=None, **options):
    n = len(images)
    coord = SkyCoord(np.linspace(10, 300, n), np.linspace(-60, 60, n), unit="deg", frame="galactic")
    names = [f"c{i}" for i in range(n)]
    return CutoutStack(
        np.array(images), footprint, coord, names=names, geometry=GEOMETRY, **options
    )


def same(one, other, rel=1e-6):
    for name in MORPHOLOGY_COLUMNS:
        a, b = (np.asarray(table[name], float) for table in (one, other))
        np.testing.assert_allclose(a, b, rtol=rel, atol=1e-9, err_msg=name)


@pytest.fixture
def images():
    return [cluster(), cluster(2.3, -1.4), cluster() + cluster(6, 5, core=3, height=4e-5)]


def test_all_kinds_of_images_give_the_same_table(images, tmp_path):
    stack = stack_of(*images)
    table = measure_morphology(stack, r500=R500)
    assert isinstance(table, QTable)
    assert table["name"].tolist() == ["c0", "c1", "c2"]
    assert not table["flag"].any()
    sample = ClusterSample.from_table(
        QTable(
            {
                "name": stack.names,
                "redshift": [0.1, 0.2, 0.3],
                "ra": stack.coord.icrs.ra,
                "dec": stack.coord.icrs.dec,
            }
        )
    )
    sample.cutouts = stack
    field = FieldStack("xray", images, "ct", stack.coord, geometry=GEOMETRY, names=stack.names)
    for other in (sample, field):
        same(measure_morphology(other, r500=R500), table, 1e-5)
    options = {"r500": R500, "pixel_scale": 0.5 * u.arcmin}
    same(measure_morphology(np.array(images, np.float32), **options), table, 1e-5)
    same(measure_morphology(stack[1], r500=R500), table[1:2])
    wcs = stack[1].wcs
    same(measure_morphology(NDData(images[1], wcs=wcs), r500=R500), table[1:2], 1e-5)
    fits.writeto(tmp_path / "c1.fits", images[1], wcs.to_header())
    same(measure_morphology(tmp_path / "c1.fits", r500=R500), table[1:2], 1e-5)


def test_relative_cutouts_know_their_r500(images):
    stack = stack_of(*images)
    relative = CutoutStack(
        stack.data,
        None,
        stack.coord,
        geometry=CutoutGeometry((N, N), 1 / SIZE),
        angular_scale=[4, 5, np.nan] * u.arcmin,
    )
    table = measure_morphology(relative)
    same(table[:2], measure_morphology(stack, r500=R500)[:2], 1e-3)
    assert MorphologyFlag.describe(table["flag"][2]) == "NO_R500"


def test_lengths_follow_from_redshift_and_cosmology(images):
    from szmass.physics import get_cosmology

    cosmology = get_cosmology("PSZ2")
    length = (R500 * cosmology.kpc_proper_per_arcmin(0.1)).to(u.Mpc)
    options = {"redshift": [0.1, np.nan, 0.1], "cosmology": "PSZ2"}
    stack = stack_of(*images)
    table = measure_morphology(stack, r500=length, **options)
    np.testing.assert_allclose(table["r500"][[0, 2]].value, R500.value, rtol=1e-6)
    assert [MorphologyFlag.describe(f) for f in table["flag"]] == ["", "NO_REDSHIFT", ""]
    kpc = measure_morphology(stack, r500=R500, preset="yuan2020", **options)
    assert [MorphologyFlag.describe(f) for f in kpc["flag"]] == ["", "NO_REDSHIFT", ""]
    scale = cosmology.kpc_proper_per_arcmin(0.1).value * R500.value
    by_hand = get_morphology_preset(
        "standard",
        **{n: getattr(MORPHOLOGY_PRESETS["yuan2020"], n) / scale for n in ("power", "aperture")},
        concentration=np.array([100, 500]) / scale,
        shift=50 * np.arange(1, 11) / scale,
        log_radius=500,
    )
    same(kpc[::2], measure_morphology(stack, r500=R500, preset=by_hand)[::2], 1e-5)


def test_centres(images):
    stack = stack_of(*images)
    table = measure_morphology(stack, r500=R500)
    np.testing.assert_allclose(table["x"][:2], [MIDDLE, MIDDLE + 2.3], atol=0.02)
    np.testing.assert_allclose(table["y"][:2], [MIDDLE, MIDDLE - 1.4], atol=0.02)
    centroid = measure_morphology(stack, r500=R500, center="centroid")
    # The centroid leans towards the second body of a merger.
    assert centroid["x"][2] > table["x"][2] + 1
    distance = np.hypot(centroid["x"] - table["x"], centroid["y"] - table["y"])
    np.testing.assert_allclose(table["offset"], distance / SIZE, atol=1e-4)
    pixels = np.column_stack([table["x"], table["y"]])
    positions = SkyCoord([stack.wcs[i].pixel_to_world(*p) for i, p in enumerate(pixels)])
    for given in (pixels, positions):
        same(measure_morphology(stack, r500=R500, center=given), table, 1e-5)
    far = measure_morphology(stack, r500=R500, center=[[MIDDLE, MIDDLE], [500, 0], [np.nan, 3]])
    assert [MorphologyFlag.describe(f) for f in far["flag"]] == ["", "NO_CENTER", "NO_CENTER"]


def test_background_exposure_and_mask_are_undone():
    image = cluster(1.2, 0.4, height=1.0)
    table = measure_morphology(image, r500=R500, pixel_scale=0.5 * u.arcmin)
    x = np.arange(N) / N
    exposure, background = 100 * (1 + x), 5 + x[:, np.newaxis] * np.ones(N)
    exposure = np.broadcast_to(exposure, (N, N)).copy()
    raw = image * exposure + background
    exposure[:3], raw[:3] = 0, 77
    options = {"r500": R500, "pixel_scale": 0.5 * u.arcmin}
    same(measure_morphology(raw, exposure=exposure, background=background, **options), table)
    # A ring well outside takes a constant away, all but the light of the cluster in it.
    ring = measure_morphology(image - 3.0, background=(1.3, 1.45), **options)
    assert ring["ellipticity"][0] == pytest.approx(table["ellipticity"][0], abs=0.01)
    # A gap of the chips, and a point source under a mask.
    mask = np.zeros((N, N), bool)
    mask[:, 41:43], mask[20:23, 30:33] = True, True
    damaged = image.copy()
    damaged[mask] = 1e4
    masked = measure_morphology(damaged, mask=mask, **options)[0]
    assert masked["flag"] == MorphologyFlag.MASKED
    assert 0.02 < masked["masked"] < 0.12
    for name in ("concentration", "ellipticity", "gaussian"):
        assert masked[name] == pytest.approx(table[name][0], abs=0.02), name
    assert masked["centroid_shift"] < 0.01
    as_nan = np.where(mask, np.nan, image)
    same(measure_morphology(as_nan, **options), QTable(masked), 1e-9)


def test_bad_rows_have_flags_and_stop_no_other():
    image = cluster()
    images = {
        "": image,
        "NO_IMAGE": np.full((N, N), np.nan),
        "CONSTANT": np.full((N, N), 3e-5),
        "NOT_POSITIVE": image - 1e-4,
        "TOO_LARGE": image,
        "NO_R500": image,
        "UNRESOLVED": image,
        "MOSTLY_MASKED": np.where(np.arange(N) > MIDDLE, np.nan, image),
        "PEAK_AT_EDGE": cluster(19.6, 0, core=2),
    }
    r500 = [10, 10, 10, 10, 25, np.nan, 0.8, 10, 10] * u.arcmin
    table = measure_morphology(stack_of(*images.values()), r500=r500, background=None)
    flags = {
        name: MorphologyFlag.describe(f) for name, f in zip(images, table["flag"], strict=True)
    }
    assert flags.pop("PEAK_AT_EDGE") == "TOO_LARGE|PEAK_AT_EDGE"
    assert all(flag == name for name, flag in flags.items()), flags
    known = [np.isfinite(table[name]) for name in MORPHOLOGY_COLUMNS if name != "offset"]
    assert np.all([column[[0, 6]] for column in known])
    assert not np.any([column[1:6] for column in known])
    same(table[:1], measure_morphology(stack_of(image), r500=R500))
    # R500 that is too large by half leaves what fits.
    partly = get_morphology_preset("standard", concentration=(0.1, 0.5))
    row = measure_morphology(stack_of(image), r500=25 * u.arcmin, preset=partly)[0]
    assert np.isfinite(row["concentration"])
    assert np.isnan(row["centroid_shift"])
    off = measure_morphology(stack_of(image), r500=R500, background=(4.0, 5.0))
    assert off["flag"][0] == MorphologyFlag.NO_BACKGROUND
    negative = measure_morphology(stack_of(image), r500=[-1] * u.arcmin)
    assert negative["flag"][0] == MorphologyFlag.NO_R500


def test_a_row_that_fails_is_flagged(monkeypatch):
    from szmass.morphology import _shapes

    whole, calls = _shapes.strips, []

    def breaks(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("no reason")
        return whole(*arguments)

    monkeypatch.setattr(_shapes, "strips", breaks)
    table = measure_morphology(stack_of(cluster(), 5 * cluster(), cluster()), r500=R500)
    assert table["flag"].tolist() == [0, MorphologyFlag.FAILED, 0]
    assert np.isnan(table["concentration"][1])
    assert table.meta["failures"] == ["c1: RuntimeError: no reason"]


def test_errors_of_correlated_noise_are_the_scatter_of_noisy_images():
    noise = NoiseModel.planck(depth=None)
    geometry = CutoutGeometry((41, 41), 1.7 * u.arcmin)
    y, x = np.mgrid[:41, :41] - 20
    clean = 1e-4 * (1 + (x**2 + y**2 / 0.7) / 30) ** -1.5
    drawn = clean + noise.draw(geometry, 200, 3)
    coord = SkyCoord(np.linspace(0, 300, 200), np.zeros(200), unit="deg", frame="galactic")
    stack = CutoutStack(drawn, None, coord, geometry=geometry, noise=noise)
    what = {
        "r500": 25 * u.arcmin,
        "center": (20, 20),
        "parameters": ("concentration", "power_ratios", "gaussian"),
    }
    scatter = measure_morphology(stack, **what)
    some = measure_morphology(stack[:4], errors=60, seed=1, **what)
    clean = measure_morphology(stack.with_data(np.broadcast_to(clean, drawn.shape))[:1], **what)
    for name in ("concentration", "p2_p0", "gaussian"):
        errors = some[f"{name}_err"]
        assert np.median(errors) == pytest.approx(np.std(scatter[name]), rel=0.25), name
    # Noise makes small power ratios larger, and the bias says so.
    added = np.mean(scatter["p3_p0"]) - clean["p3_p0"][0]
    assert np.mean(some["p3_p0_bias"]) == pytest.approx(added, rel=0.5)
    # A row has its own stream.
    alone = measure_morphology(stack[:1], errors=60, seed=1, **what)
    np.testing.assert_array_equal(alone["p3_p0_err"], some["p3_p0_err"][:1])


def test_errors_of_counts():
    rng = np.random.default_rng(8)
    mean = 4 * cluster(4, 1, height=1.0) + 0.05
    counts = rng.poisson(mean, (150, N, N))
    options = {
        "r500": R500,
        "pixel_scale": 0.5 * u.arcmin,
        "background": 0.05,
        "center": "middle",
        "parameters": ("concentration", "centroid_shift"),
    }
    scatter = measure_morphology(counts, **options)
    some = measure_morphology(counts[:3], noise="poisson", errors=60, **options)
    for name in ("concentration", "centroid_shift"):
        err = np.median(some[f"{name}_err"])
        assert err == pytest.approx(np.std(scatter[name]), rel=0.3), name
    total = counts[:3][:, np.hypot(*(np.mgrid[:N, :N] - MIDDLE)) < SIZE].sum(axis=1)
    background = 0.05 * np.pi * SIZE**2
    np.testing.assert_allclose(some["snr"], (total - background) / np.sqrt(total), rtol=0.25)


def test_workers_change_nothing(images):
    stack = stack_of(*images, *images, noise=NoiseModel.planck(depth=None))
    options = {"r500": R500, "errors": 3, "seed": 5}
    one = measure_morphology(stack, **options)
    two = measure_morphology(stack, workers=2, **options)
    for name in one.colnames:
        if one[name].dtype.kind == "f":
            # A process has one thread of BLAS, and this one may have more.
            np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-20)
        else:
            np.testing.assert_array_equal(one[name], two[name])
    # A row has its own stream of noise.
    assert one["p3_p0_err"][0] != one["p3_p0_err"][3]
    assert one["p3_p0"][0] == one["p3_p0"][3]


def test_errors_of_independent_pixels_from_an_uncertainty():
    image = cluster(height=1.0)
    sigma = np.full((N, N), 0.02)
    wcs = stack_of(image)[0].wcs
    data = NDData(image, wcs=wcs, uncertainty=StdDevUncertainty(sigma))
    options = {"r500": R500, "errors": 20, "parameters": "concentration", "center": (30, 30)}
    own = measure_morphology(data, **options)
    given = measure_morphology(NDData(image, wcs=wcs), noise=0.02, **options)
    assert own["concentration_err"][0] == given["concentration_err"][0] > 0
    pixels = np.sqrt(np.pi) * SIZE * 0.02
    light = image[np.hypot(*(np.mgrid[:N, :N] - MIDDLE)) < SIZE].sum()
    assert own["snr"][0] == pytest.approx(light / pixels, rel=0.4)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, InvalidInputError, "'r500' must be given"),
        ({"r500": 10}, InvalidUnitError, "'r500'"),
        ({"r500": [10, 11] * u.arcmin}, InvalidInputError, "one per image"),
        ({"r500": 1 * u.Mpc}, InvalidInputError, "give 'redshift' and 'cosmology'"),
        ({"preset": "yuan2020"}, InvalidInputError, "are in kpc: give 'redshift'"),
        ({"preset": "standard1"}, UnknownNameError, "Did you mean 'standard'"),
        ({"redshift": 0.1}, InvalidInputError, "together"),
        ({"center": "brightest"}, InvalidInputError, "'center'"),
        ({"center": [1, 2, 3]}, InvalidInputError, "'center'"),
        ({"parameters": ["gini"]}, InvalidInputError, "'parameters' must be among"),
        ({"mask": np.ones((N, N))}, InvalidInputError, "'mask' must be an array of bool"),
        ({"mask": np.ones((3, 3), bool)}, InvalidInputError, "'mask' must have the shape"),
        ({"background": (2.0, 1.0)}, InvalidInputError, "'background'"),
        ({"errors": 10}, InvalidInputError, "'noise' must be given"),
        ({"errors": 1, "noise": "planck"}, InvalidInputError, "at least 2"),
        ({"errors": 9, "noise": 1.0, "depth": 2}, InvalidInputError, "'depth' is a factor"),
        ({"errors": -3}, InvalidInputError, "'errors'"),
        ({"errors": 10, "noise": "poisson"}, InvalidInputError, "whole numbers"),
        ({"errors": 10, "noise": np.ones(4)}, InvalidInputError, "'noise' must be one number"),
        ({"pixel_scale": 1 * u.arcmin}, InvalidInputError, "leave 'pixel_scale' out"),
        ({"max_masked": -0.1}, InvalidInputError, "'max_masked'"),
    ],
)
def test_what_is_refused(options, error, text):
    if options and "r500" not in options:
        options = {"r500": R500} | options
    with pytest.raises(error, match=text):
        measure_morphology(stack_of(cluster()), **options)


def test_images_that_are_none(tmp_path):
    with pytest.raises(InvalidInputError, match="'images' must be a Cutout"):
        measure_morphology({"a": 1}, r500=R500)
    with pytest.raises(InvalidInputError, match="'pixel_scale' must be given"):
        measure_morphology(cluster(), r500=R500)
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "none.fits")
    with pytest.raises(FileFormatError, match="no image"):
        measure_morphology(tmp_path / "none.fits", r500=R500)


def test_definitions():
    changed = get_morphology_preset("campitiello2022", power=0.5, name="mine")
    assert (changed.power, changed.name, changed.largest) == (0.5, "mine", 1.0)
    assert get_morphology_preset(changed) is changed
    with pytest.raises(InvalidInputError, match="has no radius"):
        get_morphology_preset("standard", radius=2)
    for options in (
        {"concentration": (1, 0.5)},
        {"shift": (0.5,)},
        {"aperture": -1},
        {"power_center": "peak"},
        {"unit": "Mpc"},
        {"log_radius": 1},
        {"zernike_order": 0},
    ):
        with pytest.raises(InvalidInputError):
            MorphologyDefinition(name="bad", **options)


def test_combination_is_the_mean_of_scores():
    second = cluster(6, 5, core=3, height=1e-5)
    images = [cluster() + factor * second for factor in (0.3, 1, 5)]
    table = measure_morphology(stack_of(*images), r500=R500)
    signs = {"concentration": -1, "centroid_shift": 1, "p2_p0": 1, "p3_p0": 1}
    scores = []
    for name, sign in signs.items():
        log = np.log10(np.asarray(table[name]))
        scores.append(sign * (log - log.mean()) / log.std(ddof=1))
    np.testing.assert_allclose(combine_morphology(table), np.mean(scores, axis=0), rtol=1e-9)
    assert np.argmax(combine_morphology(table, form="deluca2021")) == 2
    weights = {"concentration": 3, "centroid_shift": 1, "p2_p0": 1, "p3_p0": 1}
    expected = (3 * scores[0] + sum(scores[1:])) / 6
    np.testing.assert_allclose(combine_morphology(table, weights=weights), expected, rtol=1e-9)
    table["p3_p0"][1] = -1
    assert np.isnan(combine_morphology(table)).tolist() == [False, True, False]
    with pytest.raises(InvalidInputError, match="give 'reference'"):
        combine_morphology(table[:1])
    with pytest.raises(UnknownNameError, match="Known"):
        combine_morphology(table, form="rasia")
    with pytest.raises(InvalidInputError, match="'weights' must be of"):
        combine_morphology(table, weights={"c": 1})
    with pytest.raises(InvalidInputError, match="no column 'gini'"):
        combine_morphology(table, form={"gini": 1}, reference={"gini": (0, 1)})


@pytest.mark.filterwarnings("error")
def test_odd_images_are_flagged_and_nothing_fails():
    rng = np.random.default_rng(0)
    for kind in range(7):
        for shape in ((1, 1), (1, 7), (3, 2), (20, 5), (41, 41)):
            y, x = np.mgrid[: shape[0], : shape[1]]
            image = np.exp(
                -((x - shape[1] / 2) ** 2 + (y - shape[0] / 3) ** 2) / rng.uniform(1, 99)
            )
            image = (
                image,
                rng.normal(size=shape),
                -image,
                np.where(rng.random(shape) < 0.5, np.nan, image),
                image * 10.0 ** rng.choice([-295, 30, 150]),
                np.where(rng.random(shape) < 0.1, rng.choice([np.inf, 1e38, -1.6375e30]), image),
                (rng.random(shape) < 0.05).astype(float),
            )[kind]
            for radius in (0.003, 0.4, 7.0, 80.0):
                table = measure_morphology(
                    image,
                    r500=radius * u.arcmin,
                    pixel_scale=1 * u.arcmin,
                    center=str(rng.choice(["peak", "centroid", "middle"])),
                    background=(0.5, 0.9) if rng.random() < 0.2 else 0.1 * rng.integers(2),
                    noise=0.1,
                    errors=int(rng.choice([0, 2])),
                )
                assert not table["flag"][0] & MorphologyFlag.FAILED, table.meta["failures"]


def test_units_of_images_background_and_noise_agree():
    image = cluster()
    options = {"pixel_scale": 0.5 * u.arcmin, "r500": R500}
    bare = measure_morphology(image + 1e-5, background=1e-5, **options)
    kelvin = (image + 1e-5) * u.K
    for given in (1e-5 * u.K, 1e-2 * u.mK, np.full((N, N), 10) * u.uK):
        same(measure_morphology(kelvin, background=given, **options), bare)
    found = [
        measure_morphology(data, errors=3, parameters="concentration", **more)
        for data, more in (
            (image, options | {"noise": 1e-6}),
            (image * u.K, options | {"noise": 1e-3 * u.mK}),
            (
                NDData(
                    image * u.K, uncertainty=StdDevUncertainty(np.full((N, N), 1e-3), unit="mK")
                ),
                options,
            ),
            (NDData(image, uncertainty=InverseVariance(np.full((N, N), 1e12))), options),
        )
    ]
    for table in found[1:]:
        assert table["concentration_err"][0] == pytest.approx(found[0]["concentration_err"][0])
    for data, given in ((kelvin, 1e-5 * u.m), (kelvin, 1e-5 * u.one)):
        with pytest.raises(InvalidUnitError, match="'background' must have a unit"):
            measure_morphology(data, background=given, **options)
    with pytest.raises(InvalidInputError, match="'background' must be plain numbers"):
        measure_morphology(image, background=1e-5 * u.K, **options)


def test_noise_that_is_not_known_is_not_taken_for_none():
    sigma = np.full((N, N), 1e-6)
    sigma[30, 30] = np.nan
    options = {"pixel_scale": 0.5 * u.arcmin, "r500": R500, "noise": sigma, "errors": 3}
    table = measure_morphology(cluster(), **options)
    assert table["flag"][0] == MorphologyFlag.FAILED
    assert np.isfinite(table["concentration"][0])
    assert np.isnan(table["concentration_err"][0])
    assert "'noise' is not finite" in table.meta["failures"][0]
    table = measure_morphology(cluster(), mask=np.isnan(sigma), **options)
    assert table["concentration_err"][0] > 0


def test_more_that_does_not_fit_is_refused(tmp_path):
    image, r500 = cluster(), {"r500": R500}
    scale = {"pixel_scale": 0.5 * u.arcmin}
    linear = WCS(naxis=2)
    same(measure_morphology(NDData(image, wcs=linear), **scale, **r500),
         measure_morphology(image, **scale, **r500))  # fmt: skip
    path = tmp_path / "map.fits"
    fits.writeto(path, image, fits.Header({"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"}))
    with pytest.raises(FileFormatError, match="The WCS of .*map.fits cannot be used"):
        measure_morphology(path, **r500)
    for more, text in (
        ({"pixel_scale": [1, 2] * u.arcmin}, "'pixel_scale' must be one"),
        (scale | {"parameters": 5}, "'parameters' must be among"),
        (scale | {"center": [3 * u.arcsec, 4 * u.arcsec]}, "'center' must have a unit"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            measure_morphology(image, **r500, **more)


def test_combination_of_what_is_no_dict_is_refused():
    table, signs = QTable({"a": [0.4, 0.1], "b": [0.2, 0.5]}), {"a": -1, "b": 1}
    for given, more, text in (
        (table, {"form": 5}, "'form' must give a sign"),
        (table, {"form": ["a"]}, "'form' must give a sign"),
        (5, {"form": signs}, "'table' must be a table"),
        (table, {"form": signs, "weights": 1.0}, "'weights' must be of a, b, a dict"),
        (table, {"form": signs, "weights": {"a": [1, 2], "b": 1}}, "one number of 'a'"),
        (table, {"form": signs, "reference": {"a": 1, "b": 2}}, "mean and standard deviation"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            combine_morphology(given, **more)


def test_counts_are_sums_over_pixels():
    """What the guide says of c where light was integrated over pixels: low by 0.9 %."""
    size, core = 20, 3.0
    middles = (np.arange(9) - 4) / 9
    y, x = np.mgrid[:61, :61] - 30.0

    def light(dx, dy):
        return (1 + ((x + dx) ** 2 + (y + dy) ** 2) / core**2) ** -1.5

    def within(radius):  # of the integral over a circle
        return 1 - (1 + (radius / core) ** 2) ** -0.5

    true = within(0.15 * size) / within(size)
    options = {"r500": size * u.arcsec, "pixel_scale": 1 * u.arcsec, "center": "middle"}
    for image, low in (
        (light(0, 0), 0.0),
        (np.mean([light(a, b) for a in middles for b in middles], axis=0), 0.0087),
    ):
        found = measure_morphology(image, parameters="concentration", **options)
        assert 1 - found["concentration"][0] / true == pytest.approx(low, abs=1e-3)


def test_no_clusters_give_no_rows():
    stack = stack_of(cluster(), cluster(2.0))
    for errors in (0, 2):
        options = {"noise": 1e-6, "errors": errors}
        full = measure_morphology(stack, r500=R500, **options)
        for r500 in (R500, [] * u.arcmin):
            table = measure_morphology(stack[:0], r500=r500, **options)
            assert len(table) == 0
            assert table.colnames == full.colnames
