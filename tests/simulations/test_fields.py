"""Fields of simulated clusters beside Compton-y: mass, X-rays, galaxies."""

import dataclasses
import hashlib
import tracemalloc

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from szmass.exceptions import (
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    UnknownNameError,
)
from szmass.maps import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.physics import TabulatedCooling, get_cosmology
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.templates import X_NODES, sphere_weights
from szmass.simulations import (
    CLUSTER_MODELS,
    ClusterField,
    Environment,
    FieldSet,
    FieldStack,
    GalaxyField,
    Ingredient,
    MassField,
    Observation,
    XRayField,
    draw_clusters,
    draw_flat,
    from_masses,
    read_fields,
    simulate,
    write_fields,
)
from szmass.simulations.bodies import _triaxial
from szmass.simulations.bodies.matter import nfw_mass

ALL = ("mass", "xray", "galaxies")
SPHERES = CLUSTER_MODELS["a10"].smooth()
SMALL = Observation(
    name="small", beam=2 * u.arcmin, geometry=CutoutGeometry((48, 48), 0.6 * u.arcmin)
)
OPTIONS = {"cosmology": "PSZ2", "seed": 5}


def run(sample, fields, observation=SMALL, **options):
    return simulate(sample, observation, fields=fields, **(OPTIONS | options))


def scene(mass, redshift, model="a10"):
    model = CLUSTER_MODELS[model] if isinstance(model, str) else model
    sample = from_masses(np.atleast_1d(mass) * u.solMass, redshift)
    clusters = draw_clusters(sample, model, cosmology="PSZ2", seed=2)
    nothing = dict.fromkeys(("geometry", "window", "rotation", "shift"))
    cosmology = get_cosmology("PSZ2")
    return FieldSet(clusters=clusters, seed=2, model=model, cosmology=cosmology, **nothing)


@pytest.fixture(scope="module")
def sample():
    return draw_flat(5, seed=3, redshift=(0.1, 0.6))


@pytest.fixture(scope="module")
def mocks(sample):
    return run(sample, ALL)


def arithmetic():
    """What tells processors apart that round powers otherwise."""
    x = np.linspace(0.1, 3, 4001)
    parts = [x**1.7, np.exp(x), np.log(x), np.sin(x), x @ np.outer(x, x)[:, :7]]
    parts.insert(4, np.exp(1j * x).astype(np.complex64).view(np.float32))
    whole = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return hashlib.sha256(whole).hexdigest()[:16]


def test_y_alone_is_what_it_was_before_there_were_fields():
    if arithmetic() != "67cfe742ba9f5879":
        pytest.skip("another processor or library rounds otherwise")
    total = NoiseModel.planck("total")
    holes = {"centring": 1 * u.arcmin, "hole_density": 2 / u.deg**2}
    fine = CutoutGeometry(shape=(64, 64), pixel_scale=0.5 * u.arcmin)
    digest = hashlib.sha256()
    for observation, model in (
        ("clean", "a10"),
        ("planck-like", "planck2013"),
        (
            Observation(name="total", sampling="nearest", noise=total, **holes),
            "battaglia2012-agn",
        ),
        (Observation(name="fine", beam=1.6 * u.arcmin, geometry=fine), "a10"),
    ):
        found = run(draw_flat(6, seed=7), None, observation, model=model, projections=2)
        digest.update(np.nan_to_num(found.cutouts.data, nan=-1).tobytes())
        for name in ("y500_true", "y5r500_true", "shift", "axes", "subhalo_ratio"):
            values = getattr(found.table[name], "value", found.table[name])
            digest.update(np.ascontiguousarray(values).tobytes())
    expected = "d0cdebcce38123c7a45c38588a31292cedd7a0703471735a13be50c7d6d12816"
    assert digest.hexdigest() == expected


def test_fields_change_neither_y_nor_each_other(sample, mocks):
    alone = run(sample, None)
    assert alone.fields == {}
    np.testing.assert_array_equal(alone.cutouts.data, mocks.cutouts.data)
    for name in ALL:
        one = run(sample, name)
        assert list(one.fields) == [name]
        np.testing.assert_array_equal(one.fields[name].data, mocks.fields[name].data)


def test_fields_of_a_cluster_do_not_depend_on_its_company(sample, mocks):
    alone = run(sample[3:4], ALL)
    parts = run(sample, ALL, chunk_size=2)
    for name in ALL:
        np.testing.assert_array_equal(alone.fields[name].data[0], mocks.fields[name].data[3])
        np.testing.assert_array_equal(parts.fields[name].data, mocks.fields[name].data)
        assert list(parts.fields[name].names) == list(sample.names)


def test_fields_follow_rows_projections_and_sampling(sample):
    observation = dataclasses.replace(SMALL, sampling="nearest", nside=4096)
    mocks = run(sample, ALL, observation, projections=2)
    part = mocks[[7, 2]]
    for name, unit in zip(ALL, ("solMass / Mpc2", "erg / (s cm2 arcmin2)", "ct"), strict=True):
        stack = mocks.fields[name]
        assert isinstance(stack, FieldStack)
        assert stack.unit == u.Unit(unit)
        assert stack.data.shape == (10, 48, 48)
        np.testing.assert_array_equal(part.fields[name].data, stack.data[[7, 2]])
        assert stack[mocks.names[1]].shape == (48, 48)
        assert not np.array_equal(stack.data[0], stack.data[1])
    assert mocks.fields["galaxies"].beam is None
    assert mocks.fields["mass"].beam == 2 * u.arcmin
    mocks.table.sort("mass_true")
    assert list(mocks.fields["mass"].names) == list(mocks.names)


def test_maps_of_fields_are_no_cutouts(sample, mocks):
    with pytest.raises(InvalidInputError, match="'cutouts' must be of Compton-y"):
        sample[:].cutouts = mocks.fields["mass"]
    with pytest.raises(InvalidInputError, match="'fields' must hold a map per cluster"):
        sample[:2].fields = mocks.fields
    with pytest.raises(InvalidInputError, match="'fields' must be a FieldStack"):
        sample[:].fields = {"mass": mocks.cutouts}


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("lensing", UnknownNameError, "galaxies, mass, xray"),
        (["mass", "mass"], InvalidInputError, "each field once"),
        (3, InvalidInputError, "'fields' must be names"),
        ([3], InvalidInputError, "A field must be a name"),
        ({"mass": {"colour": 1}}, InvalidInputError, "cannot be made of the options"),
        ({"mass": {"concentration": "nobody"}}, InvalidInputError, "'concentration' must be"),
        ({"mass": {"flattening": -1}}, InvalidInputError, "'flattening' must be at least 0"),
        ({"xray": {"profile": "nobody"}}, UnknownNameError, "pratt2022"),
        ({"xray": {"baryons": "nobody"}}, UnknownNameError, "the300-gizmo, tng"),
        ({"xray": {"baryons": "the300-gizmo"}}, InvalidInputError, "gives mgas500 and y500"),
        ({"xray": {"exposure": 3}}, InvalidUnitError, "exposure"),
        ({"xray": {"exposure": 3 * u.m}}, InvalidUnitError, "exposure"),
        ({"xray": {"polytropic_index": 0.5}}, InvalidInputError, "polytropic_index"),
        ({"xray": {"exposure": 1e30 * u.ks}}, InvalidInputError, "counts.*Make 'exposure'"),
        ({"galaxies": {"background": 3}}, InvalidUnitError, "background"),
        ({"galaxies": {"background": 1e12 / u.arcmin**2}}, InvalidInputError, "Make 'background'"),
        ({"galaxies": {"sigma_lnrichness": 90}}, InvalidInputError, "Make 'sigma_lnrichness'"),
        ({"galaxies": {"concentration": 0}}, InvalidInputError, "'concentration' must be one"),
        ({"galaxies": {"smoothed": 1}}, InvalidInputError, "'smoothed' True or False"),
    ],
)
def test_wrong_fields_are_refused(sample, fields, error, message):
    with pytest.raises(error, match=message):
        run(sample, fields)


def test_no_fields_and_no_clusters(sample):
    assert run(sample, []).fields == {}
    with pytest.raises(InvalidInputError, match="at least one cluster"):
        run(sample[:0], ALL)


def test_maps_that_do_not_fit_into_memory_are_refused(sample, monkeypatch):
    monkeypatch.setattr("szmass._utils.memory._available", lambda: 1e6)
    with pytest.raises(InvalidInputError, match="20 maps with 3 fields.*iter_simulate"):
        run(sample, ALL, projections=4)


def test_fields_have_streams_and_columns_of_their_own(sample):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Mass(Ingredient):
        name: str = "mass"

        def add(self, maps, fields):
            return None

    environment = Environment(ingredients=[Mass()], haloes=False, clustered=False)
    with pytest.raises(InvalidInputError, match="name of an ingredient"):
        run(sample, "mass", environment=environment)

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Again(ClusterField):
        name = "again"
        unit = u.one

        def paint(self, fields):
            return fields.draw([]), {"axes": np.zeros(len(fields.clusters))}

    with pytest.raises((InvalidInputError, ValueError)):
        run(sample, Again())


# Mass


def test_cylinder_mass_of_a_sphere():
    sharp = Observation(
        name="sharp", beam=0.4 * u.arcmin, geometry=CutoutGeometry((96, 96), 0.15 * u.arcmin)
    )
    mass, redshift, c = 8e14, 0.2, 3.0
    sphere = from_masses([mass] * u.solMass, redshift)
    mocks = run(sphere, MassField(concentration=c, sigma_lnc=0.0), sharp, model=SPHERES)
    assert mocks.table["concentration500"][0] == c
    theta = mocks.table["theta500_true"].value[0] / np.cbrt(mocks.table["one_minus_b"][0])
    x = (np.arange(100_000) + 0.5) / 20_000  # [R500], to the edge at 5
    shells = x / (1 + c * x) ** 2
    beyond = np.sqrt(1 - np.minimum(1, 1 / np.maximum(x, 1)) ** 2)
    expected = mass * c**2 / nfw_mass(c) * np.sum(shells * (1 - beyond)) / 20_000
    at = (np.arange(96 * 8) - (96 * 8 - 1) / 2) * 0.15 / 8
    inside = (at[:, None] ** 2 + at**2 < theta**2).reshape(96, 8, 96, 8).mean(axis=(1, 3))
    area = (
        0.15 / ARCMIN_PER_RADIAN * angular_diameter_distance(redshift, get_cosmology("PSZ2"))
    ) ** 2
    found = np.sum(inside * mocks.fields["mass"].data[0].astype(float)) * area
    assert found == pytest.approx(expected, rel=3e-3)


def test_mass_inside_r500_is_that_of_the_cluster():
    fields = scene(np.geomspace(1e14, 1e15, 40), 0.2)
    matter = MassField().matter(fields)
    mass = fields.clusters["mass_true"].value
    rng = np.random.default_rng(1)
    cloud = rng.standard_normal((100_000, 3))
    cloud /= np.linalg.norm(cloud, axis=1)[:, np.newaxis]
    table = np.linspace(0, 5, 10_001)
    uniform = rng.random(100_000)
    for i in range(40):
        held = nfw_mass(matter.c500[i] * table)
        place = cloud * np.interp(uniform * held[-1], held, table)[:, np.newaxis]
        r = np.linalg.norm(place * matter.axes[i], axis=1)
        inside = matter.smooth[i] * np.mean(r < 1) + matter.inside[i] * mass[i]
        assert inside == pytest.approx(mass[i], rel=0.01)
    whole = np.nansum(matter.bound, axis=1)
    assert np.all(matter.inside <= 0.8 + 1e-9)
    assert np.all(matter.inside * mass <= whole * (1 + 1e-9))
    assert np.nanmax(matter.inside) > 0.2


def test_matter_is_flatter_than_the_gas_and_lies_along_it():
    fields = scene(np.full(200, 5e14), 0.2)
    matter = MassField(flattening=2).matter(fields)
    gas = np.asarray(fields.clusters["axes"])
    of_gas, of_matter = gas / gas[:, :1], matter.axes / matter.axes[:, :1]
    np.testing.assert_allclose(1 - of_matter, np.minimum(2 * (1 - of_gas), 0.7), atol=1e-12)
    np.testing.assert_allclose(matter.axes.prod(axis=1), 1)
    spheres = MassField().matter(scene(np.full(3, 5e14), 0.2, SPHERES))
    np.testing.assert_allclose(spheres.axes, 1)


def test_share_of_an_ellipsoid_in_a_sphere():
    axes = np.array([[1.2, 1.0, 1 / 1.2], [1.0, 1.0, 1.0]])
    held = _triaxial.within_sphere(axes, np.array([1.0, 0.5]), lambda x: np.minimum(x, 1) ** 3)
    points = np.random.default_rng(1).uniform(-1, 1, (400_000, 3))
    points = points[np.linalg.norm(points, axis=1) < 1] * axes[0]
    assert held[0] == pytest.approx(np.mean(np.linalg.norm(points, axis=1) < 1), abs=3e-3)
    assert held[1] == pytest.approx(0.125)


# Gas and X-rays


@pytest.mark.parametrize("baryons", ["tng", "flamingo"])
def test_gas_has_the_mass_of_the_simulation(baryons):
    fields = scene(np.full(1500, 10**14.5), 0.01)
    field = XRayField(baryons=baryons)
    gas = field.gas(fields)
    logs = np.log10(gas.mass)
    norm, scatter, r = {"tng": (13.6372, 0.055, 0.79), "flamingo": (13.5347, 0.066, 0.77)}[baryons]
    assert logs.mean() == pytest.approx(norm, abs=0.005)
    assert logs.std() * np.log(10) == pytest.approx(scatter, abs=0.005)
    y = np.asarray(fields.clusters["ln_y"])
    assert np.corrcoef(logs, y)[0, 1] == pytest.approx(r, abs=0.04)
    assert np.corrcoef(logs, np.log(gas.stars))[0, 1] == pytest.approx(-0.35, abs=0.08)
    assert np.log(gas.stars).std() == pytest.approx(0.142, abs=0.012)
    assert np.log(gas.stars).mean() == pytest.approx(np.log(0.0142 * 10**14.5), abs=0.02)
    # What is painted holds that mass.
    axes = np.asarray(fields.clusters["axes"])
    volume = 4 * np.pi / 3 * (gas.radius * 3.0857e24) ** 3
    smooth = gas.within(axes, gas.density) * volume * 1.14 * 1.6726e-24 / 1.9884e33
    held = field._substructure_inside(fields.clusters, gas.edge)
    np.testing.assert_allclose(smooth / gas.mass, 1 - np.minimum(held, 0.8), rtol=2e-3)


def test_mean_density_is_the_published_one():
    model = CLUSTER_MODELS["a10"].off("subhaloes", "merging")
    fields = scene(np.full(6000, 5e14), 0.1, model)
    field = XRayField(baryons=None)
    scaled = fields.clusters["one_minus_b"] * fields.clusters["mass_true"].value
    amplitude = field.profile.amplitude(scaled, 0.1, fields.cosmology)
    ratio = np.log(field.gas(fields).density / (amplitude[:, None] * field.profile.shape(X_NODES)))
    seen = (X_NODES > 0.02) & (X_NODES < 1.5)
    assert np.abs(ratio.mean(axis=0)[seen]).max() < 0.02
    cool = np.asarray(fields.clusters["state"]) == "relaxed"
    core = ratio[:, np.argmin(abs(X_NODES - 0.03))]
    assert core[cool].mean() - core[~cool].mean() > 0.3


def test_temperature_is_pressure_over_density():
    fields = scene([6e14], 0.1, SPHERES)
    gas = XRayField().gas(fields)
    y500 = fields.clusters["y500_true"].value[0]
    # Y500 = sigma_T / (m_e c^2) int n kT dV / D_A^2, inside R500 of the pressure.
    integral = (gas.density * gas.temperature)[0] @ sphere_weights(1.0)
    distance = angular_diameter_distance(0.1, fields.cosmology)
    total = 4.0171e-3 * 4 * np.pi / 3 * gas.radius[0] ** 3 * integral / distance**2
    assert total * ARCMIN_PER_RADIAN**2 == pytest.approx(y500, rel=1e-4)
    assert 3 < gas.temperature[0, np.argmin(abs(X_NODES - 0.5))] < 8


def test_surface_brightness_holds_the_luminosity():
    wide = Observation(
        name="wide", beam=1 * u.arcmin, geometry=CutoutGeometry((128, 128), 0.3 * u.arcmin)
    )
    table = TabulatedCooling(temperature=[0.01, 100] * u.keV, rate=[1e-23] * 2 * _RATE)
    sample = from_masses([6e14] * u.solMass, 0.2)
    field = XRayField(cooling=table)
    mocks = run(sample, field, wide, model=SPHERES)
    gas = field.gas(scene([6e14], 0.2, SPHERES))
    volume = 4 * np.pi / 3 * (gas.radius[0] * 3.0857e24) ** 3
    ratio = mocks.table["mgas500"].to_value("solMass")[0] / gas.mass[0]
    emission = 1e-23 * (1.14 / 0.59 - 1) * (gas.density[0] * ratio) ** 2 @ sphere_weights(5.0)
    luminosity = emission * volume
    distance = angular_diameter_distance(0.2, get_cosmology("PSZ2")) * 1.2**2 * 3.0857e24
    flux = mocks.fields["xray"].data[0].astype(float).sum() * 0.3**2
    assert flux == pytest.approx(luminosity / (4 * np.pi * distance**2), rel=5e-3)
    assert 0.8 < mocks.table["lx500"].value[0] / luminosity < 1


_RATE = u.erg * u.cm**3 / u.s


def test_photons_are_counted(sample):
    exposure = {"exposure": 20 * u.ks, "area": 800 * u.cm**2}
    background = 1e-4 * u.ct / u.s / u.arcmin**2
    bright = run(sample, "xray").fields["xray"]
    counts = run(sample, {"xray": {**exposure, "background": background}}).fields["xray"]
    assert counts.unit == u.ct
    assert np.array_equal(counts.data, np.rint(counts.data))
    behind = 1e-4 * 20e3 * 0.6**2
    expected = bright.data * 20e3 * 800 * 0.6**2 / (0.95 * 1.602e-9) + behind
    total = expected.sum(axis=(1, 2))
    np.testing.assert_allclose(counts.data.sum(axis=(1, 2)) / total, 1, atol=0.1)
    strange = (counts.data - expected) ** 2 / expected
    assert strange.mean() == pytest.approx(1, abs=0.2)
    other = run(sample, {"xray": exposure}).fields["xray"]
    assert other.data.sum() < counts.data.sum()


# Galaxies


def test_galaxies_are_as_many_as_the_richness_says():
    field = GalaxyField(sigma_lnrichness=0.0)
    cosmology = get_cosmology("PSZ2")
    mass = np.full(1, 3.081e14 * 0.56)
    assert field.richness(mass, np.array([0.35]), cosmology)[0] == pytest.approx(40, rel=0.05)
    sample = from_masses(np.full(60, 4e14) * u.solMass, 0.35)
    wide = Observation(
        name="wide", beam=1 * u.arcmin, geometry=CutoutGeometry((101, 101), 0.2 * u.arcmin)
    )
    mocks = run(sample, field, wide, model=SPHERES)
    maps, richness = mocks.fields["galaxies"].data, mocks.table["richness"]
    np.testing.assert_allclose(richness, richness[0])
    np.testing.assert_array_equal(maps.sum(axis=(1, 2)), mocks.table["members"] + 1)
    angle = angular_diameter_distance(0.35, cosmology) / ARCMIN_PER_RADIAN
    radius = (richness[0] / 100) ** 0.2 / 0.7 / angle
    at = (np.arange(101) - 50) * 0.2
    inside = at[:, None] ** 2 + at**2 < radius**2
    assert maps[:, inside].sum(axis=1).mean() - 1 == pytest.approx(richness[0], rel=0.05)


def test_galaxies_through_the_beam_and_with_others(sample):
    counts = run(sample, "galaxies")
    seen = run(sample, {"galaxies": {"smoothed": True}}).fields["galaxies"]
    assert seen.unit == u.arcmin**-2
    inside = counts.fields["galaxies"].data.sum(axis=(1, 2))
    np.testing.assert_allclose(seen.data.sum(axis=(1, 2)) * 0.6**2 / inside, 1, atol=0.2)
    more = run(sample, {"galaxies": {"background": 2 / u.arcmin**2}}).fields["galaxies"]
    others = (more.data - counts.fields["galaxies"].data).sum(axis=(1, 2))
    np.testing.assert_allclose(others, 2 * (48 * 0.6) ** 2, rtol=0.1)


# Resolution


@pytest.mark.parametrize("beam", [5 / 60, 1 / 3, 10.0])
def test_any_beam_shows_the_core_of_the_gas(beam):
    pixel, n = 0.17 * beam, 33
    observation = Observation(
        name="any", beam=beam * u.arcmin, geometry=CutoutGeometry((n, n), pixel * u.arcmin)
    )
    table = TabulatedCooling(temperature=[0.01, 100] * u.keV, rate=[1e-23] * 2 * _RATE)
    sample = from_masses([6e14] * u.solMass, 0.15)
    mocks = run(sample, XRayField(cooling=table), observation, model=SPHERES)
    theta = mocks.table["theta500_true"].value[0]
    profile = XRayField().profile
    x = np.geomspace(1e-6, 5, 4000)
    t = np.linspace(0, 1, 3001)[1:] ** 3 * 5
    r = np.hypot(x[:, None], t)
    column = np.trapezoid(np.where(r < 5, profile.shape(r) ** 2, 0), t, axis=1)
    sigma = beam / np.sqrt(8 * np.log(2)) / theta
    column = [
        np.trapezoid(column * _ring(x, at / theta, sigma), x)
        for at in (0.0, 10 * pixel, np.sqrt(2) * 12 * pixel)
    ]
    image = mocks.fields["xray"].data[0]
    found = image[[16, 16, 28], [16, 26, 28]]
    np.testing.assert_allclose(found / found[0], np.array(column) / column[0], rtol=5e-3, atol=1e-5)


def _ring(x, at, sigma):
    from scipy.special import i0e

    return np.exp(-0.5 * ((x - at) / sigma) ** 2) * i0e(x * at / sigma**2) * x / sigma**2


@pytest.fixture(scope="module")
def turned(sample):
    grid = CutoutGeometry((32, 48), 0.6 * u.arcmin, frame="icrs", rotation=20 * u.deg)
    return run(sample, ALL, Observation(name="turned", beam=50 * u.arcsec, geometry=grid))


def same(found, stack):
    np.testing.assert_array_equal(found.data, stack.data)
    assert (found.unit, found.geometry, found.beam) == (stack.unit, stack.geometry, stack.beam)
    assert found.names.tolist() == stack.names.tolist()
    assert found.meta == stack.meta
    assert np.all(found.coord.separation(stack.coord) < 1e-6 * u.arcsec)
    return True


class TestFiles:
    def test_fields_come_back(self, turned, tmp_path):
        write_fields(turned.fields, tmp_path / "all.fits")
        found = read_fields(tmp_path / "all.fits")
        assert list(found) == list(ALL)
        assert all(same(found[name], turned.fields[name]) for name in ALL)
        back = turned[:]
        back.fields = found
        assert same(back[1:3].fields["xray"], turned.fields["xray"][1:3])
        assert same(FieldStack.read(tmp_path / "all.fits", "galaxies"), turned.fields["galaxies"])
        turned.fields["mass"].write(tmp_path / "one.fits.gz")
        assert same(FieldStack.read(tmp_path / "one.fits.gz"), turned.fields["mass"])

    def test_others_understand_the_files(self, turned, tmp_path):
        """With astropy alone: the heaviest place of a map lies at the cluster, as the WCS says."""
        turned.fields["mass"].write(tmp_path / "mass.fits")
        with fits.open(tmp_path / "mass.fits") as hdus:
            image, table = hdus["MASS"], hdus["POSITIONS"].data
            assert u.Unit(image.header["BUNIT"]) == u.solMass / u.Mpc**2
            assert "CRVAL" in str(hdus[0].header["COMMENT"])
            plane, scale = image.data[2], u.Quantity(hdus[0].header["PIXSCALE"]).to_value(u.deg)
            angle = u.Quantity(hdus[0].header["ROTATION"]).to_value(u.rad)
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-scale, scale]
        wcs.wcs.crval = table["lon"][2], table["lat"][2]
        wcs.wcs.crpix = (np.array(plane.shape[::-1]) + 1) / 2
        wcs.wcs.pc = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        place = wcs.pixel_to_world(*np.unravel_index(plane.argmax(), plane.shape)[::-1])
        assert place.separation(turned.coord[2]) < 2 * u.arcmin
        middle, up, right = (
            wcs.pixel_to_world(23.5 + x, 15.5 + y) for x, y in [(0, 0), (0, 9), (9, 0)]
        )
        assert middle.position_angle(up).to_value(u.deg) == pytest.approx(20, abs=0.1)
        assert middle.position_angle(right).to_value(u.deg) == pytest.approx(360 - 70, abs=0.1)
        for ours in (turned.fields["mass"].wcs(2), turned.fields["mass"].wcs("MOCK 2")):
            there = ours.world_to_pixel(wcs.pixel_to_world(5, 30))
            np.testing.assert_allclose(there, (5, 30), atol=1e-6)
        with pytest.raises(InvalidInputError, match="that of one map"):
            turned.fields["mass"].wcs(slice(2))

    def test_one_field_costs_one(self, sample, tmp_path):
        names = [f"c{i}" for i in range(400)]
        coord = SkyCoord(np.zeros(400), np.zeros(400), unit="deg")
        about = {"geometry": CutoutGeometry((64, 64)), "names": names}
        maps = np.zeros((400, 64, 64), np.float32)
        stacks = [FieldStack(f"field{i}", maps, "ct", coord, **about) for i in range(5)]
        write_fields(stacks, tmp_path / "five.fits")
        tracemalloc.start()
        found = FieldStack.read(tmp_path / "five.fits", "field3")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found) == 400
        assert peak < 1.5 * maps.nbytes

    def test_odd_names_and_no_clusters(self, turned, tmp_path):
        stack = turned.fields["mass"][:2]
        stack.names = np.array(["Å \\ 1 ", "β"])
        stack.write(tmp_path / "names.fits")
        assert FieldStack.read(tmp_path / "names.fits").names.tolist() == stack.names.tolist()
        stack[:0].write(tmp_path / "none.fits")
        assert FieldStack.read(tmp_path / "none.fits").data.shape == (0, 32, 48)

    def test_what_cannot_be_written(self, turned, tmp_path):
        mass, xray = turned.fields["mass"], turned.fields["xray"]
        for fields, message in [
            ([], "at least one FieldStack"),
            (mass, "a dict or a list"),
            ([turned.cutouts], "'fields' must be a FieldStack"),
            ([mass, mass], "each field once"),
            ([mass, xray[::-1]], "same clusters"),
            ([mass, xray[:2]], "same clusters"),
        ]:
            with pytest.raises(InvalidInputError, match=message):
                write_fields(fields, tmp_path / "x.fits")
        other = FieldStack(
            "other",
            mass.data[:, :, :32],
            "ct",
            mass.coord,
            geometry=CutoutGeometry((32, 32)),
            names=mass.names,
        )
        with pytest.raises(InvalidInputError, match="same grid"):
            write_fields([mass, other], tmp_path / "x.fits")
        assert not any(tmp_path.iterdir())
        mass.write(tmp_path / "x.fits")
        with pytest.raises(InvalidInputError, match="exists"):
            xray.write(tmp_path / "x.fits")
        xray.write(tmp_path / "x.fits", overwrite=True)
        assert list(read_fields(tmp_path / "x.fits")) == ["xray"]

    def test_files_that_hold_something_else(self, turned, tmp_path):
        path = tmp_path / "f.fits"
        write_fields(turned.fields, path)
        with pytest.raises(UnknownNameError, match="no field 'mas'. Did you mean 'mass'"):
            FieldStack.read(path, "mas")
        with pytest.raises(UnknownNameError, match="several fields.*mass, xray, galaxies"):
            FieldStack.read(path)
        turned.cutouts.write(tmp_path / "y.fits")
        with pytest.raises(FileFormatError, match="no fields of simulated clusters"):
            read_fields(tmp_path / "y.fits")
        with fits.open(path) as hdus:
            hdus["POSITIONS"].data = hdus["POSITIONS"].data[:2]
            hdus.writeto(tmp_path / "lost.fits")
        with pytest.raises(FileFormatError, match="not complete"):
            read_fields(tmp_path / "lost.fits")
        for key, value in [("PIXSCALE", "3 furlong"), ("GEOFRAME", "lunar"), ("SHAPE1", "x")]:
            with fits.open(path) as hdus:
                hdus[0].header[key] = value
                hdus.writeto(tmp_path / "odd.fits", overwrite=True)
            with pytest.raises(FileFormatError, match="odd.fits"):
                read_fields(tmp_path / "odd.fits")
        for key, value in [("META", "{"), ("BUNIT", "zorkmid"), ("BEAM", "3")]:
            with fits.open(path) as hdus:
                hdus["XRAY"].header[key] = value
                hdus.writeto(tmp_path / "odd.fits", overwrite=True)
            with pytest.raises(FileFormatError, match="field xray"):
                read_fields(tmp_path / "odd.fits")
            assert same(FieldStack.read(tmp_path / "odd.fits", "mass"), turned.fields["mass"])
        path.write_bytes(path.read_bytes()[:20000])
        with pytest.raises(FileFormatError, match="truncated"):
            read_fields(path)
