"""Light cones: haloes that are drawn, the gas they get, their maps, and catalogues of one's own."""

import dataclasses

import astropy.constants as const
import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable
from scipy.integrate import quad
from scipy.stats import spearmanr

from szmass.baryons import HaloCatalog, draw_halos, make_lightcone
from szmass.exceptions import InvalidInputError, InvalidUnitError, SzmassWarning, UnknownNameError
from szmass.maps import MMFNoiseTable
from szmass.physics import (
    BaryonFlag,
    CoolingFunction,
    TabulatedCooling,
    convert_mass,
    get_baryon_model,
    get_cosmology,
    get_pressure_profile,
    overdensity_radius,
    theta500,
    y_to_arcmin2,
)
from szmass.physics.concentration import colossus_for
from szmass.physics.mass_function import SkyAbundance
from szmass.simulations import SZSelection, draw_clusters, from_masses, get_cluster_model

AREA = 2000 * u.deg**2
FLUX = u.erg / u.s / u.cm**2


@pytest.fixture(scope="module")
def halos():
    return draw_halos(area=AREA, cosmology="Planck18", seed=7)


@pytest.fixture(scope="module")
def cone(halos):
    return make_lightcone("tng", halos, cosmology="Planck18", seed=8)


def own(n=6, **columns):
    """A small catalogue of one's own."""
    table = QTable()
    table["coord"] = SkyCoord(np.arange(n) * 7.0, np.linspace(-30, 30, n), unit="deg")
    table["redshift"] = np.linspace(0.05, 0.5, n)
    table["m500c"] = np.geomspace(2e14, 9e14, n) * u.solMass
    for name, values in columns.items():
        table[name] = values
    return table


def test_haloes_are_as_many_as_the_mass_function_has(halos):
    expected = SkyAbundance((1e14, 5e15), (0.01, 1.5), get_cosmology("Planck18")).total
    expected *= (AREA / (4 * np.pi * u.sr)).to_value("")
    assert abs(len(halos) - expected) < 4 * np.sqrt(expected)
    away = 90 * u.deg - halos["coord"].b
    assert away.max() < np.arccos(1 - AREA.to_value("sr") / (2 * np.pi)) * u.rad
    # Evenly over the area, not over the angle.
    inner = np.count_nonzero(np.cos(away) > 1 - AREA.to_value("sr") / (4 * np.pi))
    assert abs(inner / len(halos) - 0.5) < 2 / np.sqrt(len(halos))


def test_concentrations_and_masses_belong_together(halos):
    some = halos[:: len(halos) // 300]
    back = convert_mass(
        some["m200c"], some["redshift"], "200c", "500c", cosmology="Planck18",
        concentration=np.asarray(some["c200c"]),
    )  # fmt: skip
    np.testing.assert_allclose(back, some["m500c"], rtol=2e-4)


def test_concentrations_scatter_about_the_relation(halos):
    cosmology = get_cosmology("Planck18")
    few = halos[:400]
    # At the M200c of the median concentration, from colossus itself.
    median = convert_mass(few["m500c"], few["redshift"], "500c", "200c", cosmology=cosmology)
    with colossus_for(cosmology) as concentration:
        expected = [
            concentration.concentration(m * cosmology.h, "200c", z, model="diemer19")
            for m, z in zip(median.value, few["redshift"], strict=True)
        ]
    deviation = np.log(few["c200c"] / np.array(expected))
    assert abs(np.median(deviation)) < 0.04
    assert deviation.std() == pytest.approx(0.26, abs=0.03)


def test_formation_goes_with_concentration(halos):
    share = halos["half_mass_scale"] * (1 + halos["redshift"])
    assert share.max() < 1
    # Well above the lowest M500c, at which concentrated haloes alone have an M200c.
    middle = np.abs(np.log(halos["m200c"] / (2.5e14 * u.solMass)).value) < 0.15
    # 0.58 at 1e14 Msun with a slope of 0.06; Spearman's r of normal numbers with r = -0.54.
    assert np.median(share[middle]) == pytest.approx(0.613, abs=0.01)
    assert np.log(share[middle]).std() == pytest.approx(0.20, abs=0.02)
    r = spearmanr(halos["c200c"][middle], share[middle])[0]
    assert r == pytest.approx(-0.52, abs=0.06)


def test_the_whole_sky_and_none_of_it():
    whole = draw_halos(mass=(8e14, 5e15) * u.solMass, cosmology="Planck18", seed=1)
    assert np.any(whole["coord"].b < -80 * u.deg)
    few = draw_halos(area=1 * u.deg**2, mass=(4e15, 5e15) * u.solMass, cosmology="Planck18", seed=1)
    assert len(few) == 0
    empty = make_lightcone("tng", few, cosmology="Planck18", seed=1) if len(few) else None
    assert empty is None


def test_properties_are_drawn_together(halos, cone):
    model = get_baryon_model("tng")
    features = {"m500c": halos["m500c"].value, "redshift": np.asarray(halos["redshift"])}
    mean, covariance = model.moments(features)
    drawn = np.stack([np.log(cone.table[name].value) for name in model.properties], axis=1)
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    normal = (drawn - mean) / sigma
    n = len(halos)
    assert np.all(np.abs(normal.mean(axis=0)) < 4 / np.sqrt(n))
    assert np.all(np.abs(normal.std(axis=0) - 1) < 4 / np.sqrt(2 * n))
    expected = np.mean(covariance / sigma[:, :, None] / sigma[:, None, :], axis=0)
    np.testing.assert_allclose(np.corrcoef(normal.T), expected, atol=4 / np.sqrt(n))
    assert expected[0, model.properties.index("y500")] > 0.7


def test_angles_and_sizes(cone):
    table = cone.table
    expected = y_to_arcmin2(table["y500"][:50], table["redshift"][:50], cosmology="Planck18")
    np.testing.assert_allclose(cone.y500_angle[:50], expected, rtol=1e-8)
    # The physics has a Y500: 1-b is 1.
    size = theta500(table["m500c"][:50], table["redshift"][:50], cosmology="Planck18")
    np.testing.assert_allclose(table["theta500"][:50], size, rtol=1e-8)
    assert cone.gas.one_minus_b == 1
    assert "drawn with its other properties" in table.meta["y500"]


def spectrum(low, high, kt):
    return quad(lambda e: e**-0.4 * np.exp(-e / kt), low, high)[0]


@pytest.mark.parametrize("row", [0, 1234])
def test_flux_is_the_luminosity_in_another_band(cone, row):
    halo = cone.table[row]
    z, kt = halo["redshift"], halo["t_sl"].to_value("keV")
    # L_X of TNG is that of 0.5 to 2 keV at the observer.
    share = spectrum(0.1 * (1 + z), 2.4 * (1 + z), kt) / spectrum(0.5 * (1 + z), 2 * (1 + z), kt)
    distance = get_cosmology("Planck18").luminosity_distance(z)
    expected = halo["lx"] * share / (4 * np.pi * distance**2)
    np.testing.assert_allclose(halo["flux"].to_value(FLUX), expected.to_value(FLUX), rtol=2e-3)


class RestFrame(type(get_baryon_model("tng"))):
    """TNG as if its luminosities were those of the rest frame, from mass-weighted temperatures."""

    def __init__(self):
        self.__dict__.update(get_baryon_model("tng").__dict__)
        self.name, self.lx_band = "rest", (0.5, 2.0, "rest")


def test_bands_of_the_rest_frame_are_k_corrected(halos):
    cone = make_lightcone(RestFrame(), halos[:20], area=AREA, cosmology="Planck18", seed=8)
    halo = cone.table[3]
    z, kt = halo["redshift"], halo["t_sl"].to_value("keV")
    share = spectrum(0.1 * (1 + z), 2.4 * (1 + z), kt) / spectrum(0.5, 2, kt)
    distance = get_cosmology("Planck18").luminosity_distance(z)
    expected = halo["lx"] * share / (4 * np.pi * distance**2)
    np.testing.assert_allclose(halo["flux"].to_value(FLUX), expected.to_value(FLUX), rtol=2e-3)


def test_a_table_of_cooling_replaces_the_closed_form(halos):
    kt, z = np.geomspace(0.1, 50, 300), np.linspace(0, 1.6, 60)
    tables = [
        TabulatedCooling(
            band=band * u.keV,
            temperature=kt * u.keV,
            redshift=z,
            rate=CoolingFunction(band=band * u.keV).emission(kt, z[:, np.newaxis])
            * u.erg
            * u.cm**3
            / u.s,
        )
        for band in ((0.1, 2.4), (0.5, 2.0))
    ]
    options = {"area": AREA, "cosmology": "Planck18", "seed": 8}
    expected = make_lightcone("tng", halos[:200], **options).table["flux"]
    cone = make_lightcone("tng", halos[:200], cooling=tables[0], reference=tables[1], **options)
    np.testing.assert_allclose(cone.table["flux"], expected, rtol=2e-3)
    with pytest.raises(InvalidInputError, match=r"'reference' .* 0.5 to 2 keV \(observer"):
        make_lightcone("tng", halos[:200], cooling=tables[0], **options)


def test_what_a_physics_has_not_is_said(halos):
    gas = dataclasses.replace(get_cluster_model("a10-spheres"), one_minus_b=0.7)
    cone = make_lightcone("the300-gadgetx", halos, gas=gas, cosmology="Planck18", seed=8)
    assert {"mgas500", "mstar500", "y500"} <= set(cone.table.colnames)
    assert "flux" not in cone.table.colnames
    with pytest.raises(InvalidInputError, match="the300-gadgetx has no luminosity"):
        cone.above_flux(1e-12 * FLUX)
    profile = get_pressure_profile("arnaud2010")
    some = np.arange(0, len(halos), 40)
    # Y500 as the volume integral of the pressure, by quadrature of its own.
    x = (np.arange(2000) + 0.5) / 2000
    mass, z = 0.7 * halos["m500c"][some], np.asarray(halos["redshift"][some])
    radius = overdensity_radius(mass, z, cosmology="Planck18")
    pressure = profile.pressure(x[:, np.newaxis] * radius, mass, z, cosmology="Planck18")
    inside = np.sum(4 * np.pi * x[:, np.newaxis] ** 2 * pressure, axis=0) / 2000 * radius**3
    mean = inside * const.sigma_T / (const.m_e * const.c**2)
    mean = y_to_arcmin2(mean.to("Mpc2"), z, cosmology="Planck18")
    deviation = np.log((cone.y500_angle[some] / mean).value)
    n = len(some)
    assert abs(deviation.mean()) < 4 * 0.1 / np.sqrt(n)
    assert deviation.std() == pytest.approx(0.10, rel=4 / np.sqrt(2 * n))
    gas_left = np.log(cone.table["mgas500"][some] / halos["m500c"][some])
    assert abs(spearmanr(gas_left, deviation)[0]) < 4 / np.sqrt(n)
    assert "1-b = 0.7" in cone.table.meta["y500"]
    assert "without correlation" in cone.table.meta["y500"]


def test_profiles_of_no_fixed_shape_have_their_own_y(halos, monkeypatch):
    monkeypatch.setattr("szmass.baryons.gas._PROFILES", 7)
    gas = get_cluster_model("battaglia2012-agn").smooth()
    cone = make_lightcone("the300-gizmo", halos[:20], gas=gas, cosmology="Planck18", seed=1)
    sample = from_masses(halos["m500c"][:20], halos["redshift"][:20])
    expected = draw_clusters(sample, gas, cosmology="Planck18", seed=1)["y500_true"]
    np.testing.assert_allclose(cone.y500_angle, expected, rtol=1e-6)


def test_formation_times_of_drawn_haloes_feed_models(halos):
    cone = make_lightcone("the300-gadgetx-formation", halos[:50], cosmology="Planck18", seed=1)
    assert np.all(np.isfinite(cone.table["mgas500"]))


def test_maps_hold_the_drawn_y(halos):
    heavy = halos[halos["m500c"] > 3e14 * u.solMass]
    gas = get_cluster_model("a10").smooth()
    cone = make_lightcone("flamingo", heavy, gas=gas, cosmology="Planck18", seed=8)
    ymap = cone.ymap(nside=256)
    values = ymap.values(np.arange(12 * 256**2)).astype(float)
    pixel = (4 * np.pi / values.size * u.sr).to_value("arcmin2")
    # What is within the disc; few clusters are cut by its edge. I(5) / I(1) of the profile.
    total = np.nansum(values) * pixel
    assert total == pytest.approx(1.796 * cone.y500_angle.value.sum(), rel=0.02)
    assert np.mean(np.isfinite(values)) == pytest.approx(
        AREA.to_value("sr") / (4 * np.pi), rel=0.01
    )
    assert ymap.meta["PHYSICS"] == "flamingo"
    # Where the drawn Y500 is higher, so is the map.
    bright = np.argsort(-cone.y500_angle.value)[:5]
    alone = cone[bright[:1]].ymap(nside=256)
    more = dataclasses.replace(cone[bright[:1]], table=cone[bright[:1]].table.copy())
    more.table["y500"] = 2 * more.table["y500"]
    ratio = np.nansum(more.ymap(nside=256).values(np.arange(12 * 256**2)).astype(float))
    ratio /= np.nansum(alone.values(np.arange(12 * 256**2)).astype(float))
    assert ratio == pytest.approx(2, rel=1e-4)


def test_a_cluster_gives_the_same(halos, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("szmass.baryons.gas._ROWS", 400)
    some, pixels = halos[:1100], np.arange(12 * 64**2)
    options = {"cosmology": "Planck18", "seed": 8}
    alone = make_lightcone("tng", some, **options)
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        spread = make_lightcone("tng", some, scheduler=client, **options)
        found = spread.ymap(nside=64, scheduler=client).values(pixels)
    for name in set(alone.table.colnames) - {"coord"}:
        np.testing.assert_array_equal(alone.table[name], spread.table[name])
    np.testing.assert_array_equal(found, alone.ymap(nside=64).values(pixels))


def test_catalogues_of_ones_own():
    hosts = MaskedColumn([0, 5, 0, 0, 0, 0], mask=[1, 0, 1, 1, 1, 1])
    table = own(host=hosts, id=np.arange(6) + 3)
    table["redshift"][2] = np.nan
    with pytest.warns(SzmassWarning, match="1 of 6 haloes are sub-haloes"):
        cone = make_lightcone("flamingo", table, area=AREA, cosmology="Planck18", seed=1)
    assert list(cone.table["id"]) == [3, 5, 6, 7, 8]
    assert cone.table.meta["subhalos_left_out"] == 1
    assert cone.table["flag"][1] == BaryonFlag.MISSING_FEATURE
    assert np.isnan(cone.table["y500"][1])
    assert np.all(np.isfinite(cone.table["y500"][[0, 2, 3, 4]]))
    values = cone.ymap(nside=64).values(np.arange(12 * 64**2))
    assert np.all(np.isfinite(values))
    assert values.max() > 0
    # The same from a HaloCatalog with ra and dec.
    plain = own()
    plain["ra"], plain["dec"] = plain["coord"].ra, plain["coord"].dec
    del plain["coord"]
    catalog = HaloCatalog(plain, cosmology="Planck18")
    cone = make_lightcone("flamingo", catalog, area=AREA, cosmology="Planck18", seed=1)
    assert cone.table["coord"].separation(own()["coord"]).max() < 1e-6 * u.arcsec


@pytest.mark.parametrize(
    ("halos", "options", "message"),
    [
        (own(), {"area": None}, "Give the 'area' of the sky"),
        (own(), {"area": 5e4 * u.deg**2}, "at most that of the sky, 41253"),
        (own(), {"area": -1 * u.deg**2}, "'area' must be positive"),
        (own(), {"area": 5000.0}, "'area' must be a Quantity"),
        (own()[["redshift", "m500c"]], {}, "must have positions on the sky"),
        (own()[["coord", "m500c"]], {}, "'redshift'"),
        (own()[["coord", "redshift"]], {}, "'m500c'"),
        (own(m500c=np.full(6, 3e24) * u.solMass), {}, "'m500c' must be in solar masses"),
        (own(redshift=np.full(6, -1.0)), {}, "redshift"),
        (own(redshift=np.full(6, np.nan)), {}, "No host of the 6 'halos' has both"),
        (own(), {"mass": (1e14, 1e15) * u.solMass}, "'mass' is for haloes that are drawn"),
        ("halos.fits", {}, "must be a"),
        (own(), {"gas": 3}, "'model' must be a name such as"),
        (own(), {"cooling": 1.0}, "'cooling' must be a CoolingFunction"),
        (own(), {"seed": -1}, "'seed'"),
    ],
)
def test_bad_haloes_and_options(halos, options, message):
    options = {"area": AREA, "cosmology": "Planck18", "seed": 1} | options
    with pytest.raises(InvalidInputError, match=message):
        make_lightcone("flamingo", halos, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mass": (2e15, 1e15) * u.solMass}, "'mass' must be a lower and a higher limit"),
        ({"redshift": (0.5, 0.1)}, "'redshift' must be a lower and a higher limit"),
        ({"area": 42000 * u.deg**2}, "at most that of the sky"),
        ({"mass": (14, 15) * u.solMass}, "'mass' must be between"),
    ],
)
def test_bad_limits(options, message):
    with pytest.raises(InvalidInputError, match=message):
        draw_halos(**{"cosmology": "Planck18", "seed": 1} | options)


def test_other_mistakes(halos, cone):
    with pytest.raises(UnknownNameError, match="No baryon model is named 'tgn'. Did you mean"):
        make_lightcone("tgn", halos, cosmology="Planck18", seed=1)
    with pytest.raises(InvalidInputError, match=r"'m500c_at_0.95'.*needs"):
        make_lightcone("the300-gadgetx-assembly", halos, cosmology="Planck18", seed=1)
    with pytest.raises(InvalidUnitError, match="'limit'"):
        cone.above_flux(3e-12)
    with pytest.raises(InvalidInputError, match="has no column 'mstar500'"):
        cone.column("mstar500")
    assert len(cone.above_flux(1.0 * FLUX)) == 0


def test_parts_of_a_cone(cone):
    np.testing.assert_array_equal(cone["flux"], cone.table["flux"])
    for rows in (slice(3, 5), [3, 4], np.arange(len(cone)) // 2 * 0 + 1 == 0):
        part = cone[rows]
        assert len(part) == len(np.arange(len(cone))[rows])
        assert part.physics == "tng"
    assert cone[7].table["id"].tolist() == [cone.table["id"][7]]
    with pytest.raises(InvalidInputError, match="has no column 'nothing'"):
        _ = cone["nothing"]


def test_the_disc_is_where_it_is_in_any_frame(cone):
    few = cone[cone["m500c"] > 1e15 * u.solMass]
    ymap = few.ymap(nside=32, frame="icrs")
    lon, lat = healpy.pix2ang(32, np.arange(12 * 32**2), lonlat=True)
    seen = np.isfinite(ymap.values(np.arange(12 * 32**2)))
    away = SkyCoord(lon, lat, unit="deg").galactic.b
    edge = 90 - np.degrees(np.arccos(1 - AREA.to_value("sr") / (2 * np.pi)))
    assert np.all(seen == (away.deg > edge))


def test_catalogue_of_bright_haloes(cone):
    bright = cone.above_flux(2e-12 * FLUX)
    flux = bright.table["flux"].value
    assert 20 < len(bright) == np.count_nonzero(cone.table["flux"].value > 2e-12)
    assert np.all(np.diff(flux) <= 0)
    assert bright.table.meta["flux_limit"] == "2e-12 erg / (s cm2)"
    assert "flux_limit" not in cone.table.meta
    assert bright.physics == "tng"
    assert "in 2000 deg2" in repr(bright)


def test_signal_to_noise_is_that_of_the_survey(cone):
    theta = np.geomspace(0.9, 100, 12)
    noise = MMFNoiseTable(
        theta * u.arcmin,
        [0.2, 0.4],
        0.7e-4 * theta[:, np.newaxis] ** 0.7 * [0.8, 1.3] * u.arcmin**2,
    )
    selection = SZSelection(noise, q_cut=6)
    snr = cone.observed_snr(selection)
    np.testing.assert_array_equal(snr, cone.observed_snr(selection))
    expected = selection.completeness(cone.y500_angle, cone.table["theta500"]).sum()
    assert abs(np.count_nonzero(snr > 6) - expected) < 4 * np.sqrt(expected)
    assert expected > 20
