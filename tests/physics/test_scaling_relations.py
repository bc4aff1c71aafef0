"""Relations between Y500 and mass, and the units of Y."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.table import MaskedColumn
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.physics import (
    SCALING_RELATIONS,
    Arnaud2010,
    Planck2013,
    Planck2015,
    get_cosmology,
    get_pressure_profile,
    get_scaling_relation,
    planck_theta500,
    theta500,
    y_to_arcmin2,
    y_to_mpc2,
)

PSZ2 = get_cosmology("PSZ2")
M6 = 6e14 * u.solMass

relations = st.sampled_from(sorted(SCALING_RELATIONS))
masses = st.floats(13, 16).map(lambda x: 10**x * u.solMass)
redshifts = st.floats(1e-3, 3)
biases = st.floats(0.4, 1.4)
cosmologies = st.sampled_from(
    ["PSZ2", "TheThreeHundred", "Planck18", FlatLambdaCDM(H0=50, Om0=0.2)]
)


# ---- Relations


def test_published_relations():
    assert set(SCALING_RELATIONS) == {"planck2013", "planck2015", "arnaud2010"}
    for name, cls in [
        ("planck2013", Planck2013),
        ("planck2015", Planck2015),
        ("arnaud2010", Arnaud2010),
    ]:
        relation = get_scaling_relation(name)
        assert type(relation) is cls
        assert relation == cls() or np.isnan(relation.sigma_lny)
        assert relation.name == name
        assert relation.references
        assert get_scaling_relation(relation) is relation


def test_scatter_is_in_natural_logarithm():
    # Planck 2013 XX gives 0.075 dex, 2015 XXIV 0.173 in ln Y.
    for name in ("planck2013", "planck2015"):
        assert get_scaling_relation(name).sigma_lny == pytest.approx(0.075 * np.log(10), abs=5e-4)
    assert np.isnan(get_scaling_relation("arnaud2010").sigma_lny)


def test_arnaud2010_is_the_integral_of_its_profile():
    relation, profile = get_scaling_relation("arnaud2010"), get_pressure_profile("arnaud2010")
    mass = np.geomspace(1e14, 2e15, 7) * u.solMass
    for cosmology in ("PSZ2", FlatLambdaCDM(H0=55, Om0=0.25)):
        y = relation.y500(mass, 0.4, one_minus_b=1, cosmology=cosmology)
        integral = profile.y_spherical(mass, 0.4, cosmology=cosmology)
        np.testing.assert_allclose(y.value, integral.value, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(relations, masses, redshifts, biases, cosmologies)
def test_there_and_back(name, mass, z, one_minus_b, cosmology):
    relation = get_scaling_relation(name)
    options = {"one_minus_b": one_minus_b, "cosmology": cosmology}
    y = relation.y500(mass, z, **options)
    assert y.unit == u.Mpc**2
    assert relation.mass(y, z, **options).value == pytest.approx(mass.value, rel=1e-10)
    solid_angle = y_to_arcmin2(y, z, cosmology=cosmology)
    for unit in (u.arcmin**2, u.sr):
        back = relation.mass(solid_angle.to(unit), z, **options)
        assert back.unit == u.solMass
        assert back.value == pytest.approx(mass.value, rel=1e-10)


@settings(deadline=None, max_examples=30)
@given(relations, masses, redshifts, st.floats(1.1, 9), biases)
def test_power_laws(name, mass, z, factor, one_minus_b):
    relation = get_scaling_relation(name)
    y = relation.y500(mass, z, one_minus_b=1, cosmology="PSZ2")
    heavier = relation.y500(factor * mass, z, one_minus_b=1, cosmology="PSZ2")
    assert (heavier / y).value == pytest.approx(factor**relation.alpha, rel=1e-10)
    local = relation.y500(mass, 0, one_minus_b=1, cosmology="PSZ2")
    assert (y / local).value == pytest.approx(PSZ2.efunc(z) ** relation.beta, rel=1e-10)
    # 1-b and the mass only come as a product, and the inverse divides by it.
    biased = relation.y500(mass, z, one_minus_b=one_minus_b, cosmology="PSZ2")
    same = relation.y500(one_minus_b * mass, z, one_minus_b=1, cosmology="PSZ2")
    assert biased.value == pytest.approx(same.value, rel=1e-12)
    inverse = relation.mass(y, z, one_minus_b=one_minus_b, cosmology="PSZ2")
    assert (inverse / mass).value == pytest.approx(1 / one_minus_b, rel=1e-10)


@pytest.mark.parametrize("h0", [50.0, 67.4, 100.0])
def test_planck_relation_in_another_hubble_constant(h0):
    # Y* (H0/70)^(alpha-2): the relation in h70^-1 Msun and h70^-2 Mpc2.
    relation = get_scaling_relation("planck2015")
    cosmology = FlatLambdaCDM(H0=h0, Om0=0.3, Tcmb0=0)
    y = relation.y500(M6, 0.3, one_minus_b=1, cosmology=cosmology)
    reference = relation.y500(M6, 0.3, one_minus_b=1, cosmology="PSZ2")
    expected = (h0 / 70) ** (relation.alpha - 2)
    assert (y / reference).value == pytest.approx(expected, rel=1e-10)


def test_numbers_can_be_replaced():
    # The pair of the Planck likelihood code: 0.5 % in mass at the pivot.
    code = dataclasses.replace(Planck2015(), name="code", log10_y_star=-0.186, alpha=1.789)
    y = Planck2015().y500(M6, 0.2, one_minus_b=1, cosmology="PSZ2")
    ratio = code.mass(y, 0.2, one_minus_b=1, cosmology="PSZ2") / M6
    assert ratio.value == pytest.approx(10 ** (-0.004 / 1.789), rel=1e-10)
    assert ratio.value == pytest.approx(0.995, abs=5e-4)
    with pytest.raises(InvalidInputError, match="'alpha' must be positive"):
        Planck2015(alpha=0)


def test_unit_of_mass_does_not_matter():
    for relation in SCALING_RELATIONS.values():
        expected = relation.y500(M6, 0.2, one_minus_b=0.8, cosmology="PSZ2")
        y = relation.y500(M6.to(u.kg), 0.2, one_minus_b=0.8, cosmology="PSZ2")
        assert y.value == pytest.approx(expected.value, rel=1e-12)
        kpc = relation.mass(expected.to(u.kpc**2), 0.2, one_minus_b=0.8, cosmology="PSZ2")
        assert kpc.value == pytest.approx(6e14, rel=1e-12)


@pytest.mark.parametrize("unit", [u.Mpc**2, u.arcmin**2])
def test_broadcasting_and_nan(unit):
    relation = get_scaling_relation("planck2015")
    y = np.array([1e-5, 5e-5, np.nan]) * unit
    z = np.array([[0.1], [np.nan]])
    mass = relation.mass(y, z, one_minus_b=[0.8, 0.9, 1], cosmology="PSZ2")
    assert mass.shape == (2, 3)
    known = np.isfinite(y) & np.isfinite(z)
    # A solid angle becomes a mass only with a redshift, and E(z) is needed in any case.
    assert np.all(np.isfinite(mass) == known)
    back = relation.y500(mass, z, one_minus_b=[0.8, 0.9, 1], cosmology="PSZ2")
    assert back.shape == (2, 3)
    expected = y_to_mpc2(y[1], 0.1, cosmology="PSZ2")
    assert back[0, 1].value == pytest.approx(expected.value, rel=1e-10)
    one = relation.mass(y[1], 0.1, one_minus_b=0.9, cosmology="PSZ2")
    assert one.shape == ()
    masked = MaskedColumn([0.1, 0.2], mask=[False, True])
    result = relation.mass(y[:2], masked, one_minus_b=1, cosmology="PSZ2")
    assert np.isnan(result).tolist() == [False, True]


def test_one_minus_b_is_required():
    relation = get_scaling_relation("planck2015")
    with pytest.raises(TypeError, match="one_minus_b"):
        relation.y500(M6, 0.2, cosmology="PSZ2")
    with pytest.raises(TypeError, match="one_minus_b"):
        relation.mass(1e-4 * u.Mpc**2, 0.2, cosmology="PSZ2")


@pytest.mark.parametrize("wrong", [0, -0.2, 2.5, np.nan, [0.8, np.inf]])
def test_impossible_one_minus_b(wrong):
    relation = get_scaling_relation("planck2015")
    for call in (
        lambda: relation.y500(M6, 0.2, one_minus_b=wrong, cosmology="PSZ2"),
        lambda: relation.mass(1e-4 * u.Mpc**2, 0.2, one_minus_b=wrong, cosmology="PSZ2"),
        lambda: planck_theta500(M6, 0.2, one_minus_b=wrong, cosmology="PSZ2"),
    ):
        with pytest.raises(InvalidInputError, match="'one_minus_b' must be .* it is 1-b, not b"):
            call()


@pytest.mark.parametrize(
    ("y", "z", "error", "message"),
    [
        (1e-4, 0.2, InvalidUnitError, "'y' must be a Quantity in units of area"),
        (1e-4 * u.Mpc, 0.2, InvalidUnitError, "'y' must be a Quantity in units of area"),
        ([1e-4, 0] * u.Mpc**2, 0.2, InvalidInputError, r"'y500' must be positive .*\(1 value"),
        (-1e-4 * u.arcmin**2, 0.2, InvalidInputError, "'y500' must be positive"),
        (1e-4 * u.arcmin**2, 0, InvalidInputError, "'redshift' must be greater than 0"),
        (1e-4 * u.Mpc**2, -1, InvalidInputError, "'redshift' must be at least 0"),
        ([1, 2] * u.Mpc**2, [0.1, 0.2, 0.3], InvalidInputError, r"'y' \(2,\), 'redshift' \(3,\)"),
    ],
)
def test_bad_y(y, z, error, message):
    with pytest.raises(error, match=message):
        get_scaling_relation("planck2015").mass(y, z, one_minus_b=1, cosmology="PSZ2")


@pytest.mark.parametrize(
    ("mass", "z", "error", "message"),
    [
        (6e14, 0.2, InvalidUnitError, "'mass' must be a Quantity"),
        (0 * u.solMass, 0.2, InvalidInputError, "'mass' must be positive"),
        (14.7 * u.solMass, 0.2, InvalidInputError, "neither log10 nor in 1e14"),
        (M6, -1, InvalidInputError, "'redshift' must be"),
    ],
)
def test_bad_mass(mass, z, error, message):
    with pytest.raises(error, match=message):
        get_scaling_relation("planck2015").y500(mass, z, one_minus_b=1, cosmology="PSZ2")
    with pytest.raises(error, match=message):
        planck_theta500(mass, z, one_minus_b=1, cosmology="PSZ2")


def test_unknown_relation():
    with pytest.raises(UnknownNameError, match="scaling relation is named 'planck2016'"):
        get_scaling_relation("planck2016")
    with pytest.raises(InvalidInputError, match="a ScalingRelation. Received: None"):
        get_scaling_relation(None)


# ---- Units of Y


@settings(deadline=None, max_examples=60)
@given(st.floats(-8, 2), redshifts, cosmologies)
def test_area_and_solid_angle(log_y, z, cosmology):
    area = 10**log_y * u.Mpc**2
    solid_angle = y_to_arcmin2(area, z, cosmology=cosmology)
    distance = get_cosmology(cosmology).angular_diameter_distance(z)
    expected = (area / distance**2).to_value("") * u.sr
    assert solid_angle.unit == u.arcmin**2
    assert solid_angle.value == pytest.approx(expected.to_value("arcmin2"), rel=1e-12)
    back = y_to_mpc2(solid_angle, z, cosmology=cosmology)
    assert back.unit == u.Mpc**2
    assert back.value == pytest.approx(area.value, rel=1e-12)


def test_what_already_is_of_that_kind_only_changes_unit():
    assert y_to_arcmin2(1 * u.deg**2, 0.2, cosmology="PSZ2").value == pytest.approx(3600)
    assert y_to_mpc2(1e6 * u.kpc**2, 0.2, cosmology="PSZ2").value == pytest.approx(1)
    assert y_to_mpc2(1 * u.Mpc**2, [0.1, 0.2], cosmology="PSZ2").shape == (2,)
    # Negative values occur in catalogues and are converted like others.
    assert y_to_mpc2(-1 * u.arcmin**2, 0.2, cosmology="PSZ2") < 0


# ---- Planck's theta500


@settings(deadline=None, max_examples=30)
@given(masses, redshifts, biases, cosmologies)
def test_planck_theta500_is_theta500_of_the_biased_mass(mass, z, one_minus_b, cosmology):
    formula = planck_theta500(mass, z, one_minus_b=one_minus_b, cosmology=cosmology)
    angle = theta500(one_minus_b * mass, z, cosmology=cosmology)
    assert formula.unit == u.arcmin
    assert formula.value == pytest.approx(angle.value, rel=3e-4)
