"""Mass maps in pictures, on the shell and in reports."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from click.testing import CliRunner

from szmass.cli import main
from szmass.estimators import estimate_masses
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError
from szmass.massmaps import MassMap, MassMapStack, NFWMaps
from szmass.plots import plot_mass_map
from szmass.report import write_report

Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.fixture(scope="module")
def sample():
    return make_check_sample(3)


@pytest.fixture(scope="module")
def maps(sample):
    return NFWMaps(mass="scaling", one_minus_b=0.8).predict(sample)


def axes():
    return Figure().add_subplot()


def test_picture_is_the_map_with_contours_of_y(sample, maps):
    ax = plot_mass_map(maps[0], sample.cutouts[0], ax=axes(), contours=[1e-6, 1e-5])
    np.testing.assert_allclose(ax.images[0].get_array(), maps[0].data / 1e14)
    height = maps[0].geometry.size[0].to_value("arcmin") / 2
    assert ax.get_ylim() == pytest.approx((-height, height))
    assert ax.get_xlim() == pytest.approx((height, -height))
    assert len(ax.collections[0].get_paths()) == 2
    ax = plot_mass_map(maps[0], ax=axes(), error=True)
    np.testing.assert_allclose(ax.images[0].get_array(), maps[0].std / maps[0].data)
    with pytest.raises(InvalidInputError, match="position"):
        plot_mass_map(maps[0], sample.cutouts[1], ax=axes())
    with pytest.raises(InvalidInputError, match="increasing"):
        plot_mass_map(maps[0], sample.cutouts[0], ax=axes(), contours=[2, 1])
    with pytest.raises(InvalidInputError, match="MassMap"):
        plot_mass_map(sample.cutouts[0], ax=axes())


def test_contours_stand_where_the_gas_is(sample, maps):
    cutout = sample.cutouts[0]
    side = cutout.geometry.pixel_scale.to_value("arcmin")
    bright = type(cutout)(
        np.zeros(cutout.data.shape, np.float32), cutout.coord, cutout.geometry, beam=cutout.beam
    )
    bright.data[49, 46] = 1.0  # up by 1.5 pixels, to the left by 1.5: an excess of longitude
    ax = plot_mass_map(maps[0], bright, ax=axes(), contours=[0.5])
    middle = ax.collections[0].get_paths()[0].vertices.mean(axis=0)
    assert middle == pytest.approx([1.5 * side, 1.5 * side], abs=0.2 * side)


def test_page_of_a_cluster_has_its_map(tmp_path, sample, maps):
    table = estimate_masses(sample, ["scaling"])
    page = write_report(table, tmp_path / "r", mass_maps=maps[:2], figures=False)
    pages = sorted((page.parent / "clusters").glob("*.html"))
    text = pages[0].read_text(encoding="utf-8")
    mass, _ = maps[0].mass_within(maps[0].r500)
    assert "Projected mass" in text
    assert f"{mass.value / 1e14:.3g}" in text
    assert "Projected mass" not in pages[2].read_text(encoding="utf-8")
    assert len(list((page.parent / "massmaps").glob("*.png"))) == 2
    with pytest.raises(InvalidInputError, match="mass_maps"):
        write_report(table, tmp_path / "x", mass_maps=table, figures=False)


def test_pages_leave_out_maps_without_a_value(tmp_path, sample, maps):
    hollow = maps[[0, 1, 2]]
    hollow.data[0] = np.nan
    hollow.data[1] = 0
    hollow.data[2, :40] = np.nan
    table = estimate_masses(sample, ["scaling"])
    page = write_report(table, tmp_path / "r", mass_maps=hollow, figures=False)
    assert len(list((page.parent / "massmaps").glob("*.png"))) == 1


def run(*args, **options):
    return CliRunner().invoke(main, [str(arg) for arg in args], **options)


def test_shell(sample, tmp_path):
    part = sample[:]
    part.table["redshift"].mask[0] = True
    part.write(tmp_path / "catalog.ecsv")
    values = np.random.default_rng(0).normal(0, 1e-6, 12 * 64**2).astype(np.float32)
    healpy.write_map(tmp_path / "map.fits", values, coord="G", column_names=["FULL"],
                     dtype=np.float32)  # fmt: skip
    given = ("--catalog", tmp_path / "catalog.ecsv", "--map", tmp_path / "map.fits")
    given += ("--beam", "10 arcmin", "--noise", "planck", "--map-unit", "", "--masses", "scaling")
    output, picture = tmp_path / "maps.fits", tmp_path / "map.png"
    result = run("massmap", *given, "--one-minus-b", 0.8, "-o", output, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert "2 mapped; flags: 1 NO_REDSHIFT" in result.output
    assert picture.stat().st_size > 5000
    stack = MassMapStack.read(output)
    assert np.isfinite(stack.r500).tolist() == [False, True, True]
    assert stack.meta["one_minus_b"] == 0.8
    one = tmp_path / "one.fits"
    result = run("massmap", *given, "--name", sample.names[1], "-o", one,
                 "--set", "nfw.ellipticity=none")  # fmt: skip
    assert result.exit_code == 0, result.output
    mass, _ = MassMap.read(one).mass_within(stack.r500[1] * u.arcmin)
    assert mass > 0 * u.solMass
    piped, content = tmp_path / "piped.fits", (tmp_path / "catalog.ecsv").read_bytes()
    result = run("massmap", "--catalog", "-", *given[2:], "-o", piped, input=content)
    assert result.exit_code == 0, result.output
    assert list(MassMapStack.read(piped).names) == list(stack.names)
    for args, code, text in (
        ((*given[:2], "-o", tmp_path / "x.fits"), 2, "--map is missing"),
        ((*given, "-o", output), 1, "exists"),
        ((*given, "-o", tmp_path / "x.png"), 2, ".fits"),
        ((*given, "-o", tmp_path / "x.fits", "--estimator", "nffw"), 1, "No map estimator"),
        ((*given, "-o", tmp_path / "x.fits", "--set", "unet.x=1"), 2, "the estimator is"),
        ((*given, "-o", tmp_path / "x.fits", "--name", "nobody"), 1, "nobody"),
        ((*given, "-o", tmp_path / "map.fits", "--overwrite"), 2, "this command reads it"),
        ((*given, "-o", tmp_path / "x.fits", "--picture", tmp_path / "x.fits"), 2, "cannot be"),
        ((*given, "-o", tmp_path / "x.fits", "--picture", tmp_path / "x.foo"), 2, ".png"),
        ((*given, "-o", tmp_path / "x.fits", "--picture", tmp_path / "x"), 2, ".png"),
    ):
        result = run("massmap", *args)
        assert (result.exit_code, text in result.stderr) == (code, True), result.stderr
    assert not (tmp_path / "x.fits").exists()
