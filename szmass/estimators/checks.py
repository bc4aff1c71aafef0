"""The contract of a mass estimator as checks that can be run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyEstimator())
"""

import copy
import inspect
import tempfile
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable

from szmass._tables.files import read_table, write_table
from szmass.clusters import ClusterSample
from szmass.estimators.core import KINDS, MassEstimator, estimate_masses
from szmass.exceptions import SzmassError, UnweighedClustersWarning
from szmass.maps import CutoutGeometry, CutoutStack
from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.results import MASS_COLUMNS, MassFlag, MassScale, masses_of

__all__ = ["ESTIMATOR_CHECKS", "check_estimator", "make_check_sample"]

COSMOLOGY = "PSZ2"
BEAM = 10 * u.arcmin
Y500_PER_Y5R500 = 0.5567
_LAST_BITS = 1e-12


def make_check_sample(n=12, *, seed=1, geometry=None):
    """Make a small sample in which every kind of input is present and realistic.

    Parameters
    ----------
    n : int, optional
        Number of clusters.
    seed : int, optional
        Seed of all that is drawn.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        Of the cutouts.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        With redshift, msz, y5r500, y500, snr and cutouts: a Gaussian of the right flux and
        about the right size per cluster, plus noise of 1e-6 a pixel.

    Examples
    --------
    >>> from szmass.estimators.checks import make_check_sample
    >>> sample = make_check_sample(4)
    >>> len(sample), sample.cutouts.data.shape
    (4, (4, 96, 96))
    """
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(0.03, 0.6, n)
    mass = 10 ** rng.uniform(14.4, 15.0, n) * u.solMass
    y500 = y_to_arcmin2(
        get_scaling_relation("planck2015").y500(
            mass, redshift, one_minus_b=1.0, cosmology=COSMOLOGY
        ),
        redshift,
        cosmology=COSMOLOGY,
    )
    table = QTable()
    table["name"] = [f"check {i}" for i in range(n)]
    table["coord"] = SkyCoord(rng.uniform(0, 360, n), rng.uniform(-80, 80, n), unit="deg")
    table["redshift"] = MaskedColumn(redshift, mask=np.zeros(n, bool))
    table["msz"] = mass
    table["y500"], table["y500_err"] = y500, 0.15 * y500
    table["y5r500"], table["y5r500_err"] = y500 / Y500_PER_Y5R500, 0.15 * y500 / Y500_PER_Y5R500
    table["snr"] = rng.uniform(4.5, 12, n)
    sample = ClusterSample(table)
    geometry = geometry or CutoutGeometry()
    ny, nx = geometry.shape
    row, column = np.mgrid[:ny, :nx]
    scale = geometry.pixel_scale.to_value(u.arcmin)
    r2 = ((row - (ny - 1) / 2) ** 2 + (column - (nx - 1) / 2) ** 2) * scale**2
    size = theta500(mass, redshift, cosmology=COSMOLOGY).to_value(u.arcmin)
    s2 = ((BEAM.value / 2.355) ** 2 + (size / 2) ** 2)[:, None, None]
    y = table["y5r500"].value[:, None, None]
    data = y / (2 * np.pi * s2) * np.exp(-0.5 * r2 / s2) + rng.normal(0, 1e-6, (n, ny, nx))
    sample.cutouts = CutoutStack(
        data.astype(np.float32),
        np.ones(data.shape, dtype=bool),
        sample.coord,
        names=sample.names,
        geometry=geometry,
        beam=BEAM,
        noise="planck",
        interpolation="nearest",
    )
    return sample


def _predict(estimator, sample):
    """Predict without the warning about unweighed clusters."""
    return _quietly(estimator.predict, sample)


def _quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnweighedClustersWarning)
        return function(*args, **options)


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _same(a, b, message, rtol=0.0):
    for name in ("mass", "mass_errn", "mass_errp"):
        x, y = a[name].to_value(u.solMass), b[name].to_value(u.solMass)
        if not np.allclose(x, y, rtol=rtol, atol=0.0, equal_nan=True):
            with np.errstate(invalid="ignore", divide="ignore"):
                change = np.nanmax(np.abs(x / y - 1), initial=0.0)
            raise AssertionError(f"{message}: column {name!r}, by a part of up to {change:.1g}")
    _require(np.array_equal(a["flag"], b["flag"]), f"{message}: column 'flag'")


def check_declares_itself(estimator):
    """Tag, requirements, kind, mass definition and scale, references and software are set."""
    cls = type(estimator)
    _require(isinstance(estimator, MassEstimator), f"{cls.__name__} is no MassEstimator")
    _require(isinstance(cls.tag, str) and cls.tag.strip(), "'tag' must be a non-empty string")
    _require(isinstance(cls.requires, frozenset), "'requires' must be a frozenset")
    _require(isinstance(cls.mass_definition, str), "'mass_definition' must be a string")
    _require(cls.kind in KINDS, f"'kind' must be one of {', '.join(KINDS)}")
    _require(isinstance(cls.gives_posterior, bool), "'gives_posterior' must be True or False")
    MassScale(cls.mass_scale)
    for name, what in (
        ("references", "ADS bibcodes"),
        ("software", "names of packages"),
        ("errors_hold", "words"),
    ):
        value = getattr(cls, name)
        _require(
            not isinstance(value, str) and all(isinstance(r, str) for r in value),
            f"{name!r} must be a sequence of {what}",
        )
    _require(inspect.getdoc(cls), "the class has no docstring")


def check_options_are_stored_as_given(estimator):
    """Options are keyword-only, kept unchanged, and rebuild the same estimator."""
    cls = type(estimator)
    for name, parameter in inspect.signature(cls).parameters.items():
        _require(parameter.kind is parameter.KEYWORD_ONLY, f"option {name!r} is not keyword-only")
        marker = object()
        _require(
            getattr(cls(**{name: marker}), name, None) is marker,
            f"option {name!r} is not stored unchanged under its name",
        )
    _require(cls(**estimator.options).options == estimator.options, "options do not round-trip")
    _require(repr(estimator).startswith(cls.__name__), "repr does not show the class")


def check_table_follows_schema(estimator):
    """One row per cluster in input order, with the columns and units of the schema."""
    sample = make_check_sample()
    table = _predict(estimator, sample)
    _require(isinstance(table, QTable), "predict must return a QTable")
    _require(table.colnames == list(MASS_COLUMNS), f"columns are {table.colnames}")
    _require(list(table["name"]) == list(sample.names), "rows are not in the order of the sample")
    for name, (unit, _) in MASS_COLUMNS.items():
        _require(getattr(table[name], "unit", None) == unit, f"unit of {name!r} is not {unit}")
    _require(set(table["method"]) == {estimator.tag}, "'method' is not the tag")
    known = sum(MassFlag)
    _require(np.all(np.asarray(table["flag"]) & ~known == 0), "unknown bits in 'flag'")


def check_masses_are_sensible(estimator):
    """What is weighed is a positive finite mass with errors >= 0; what is not has a flag."""
    table = _predict(estimator, make_check_sample())
    mass = table["mass"].value
    weighed = np.isfinite(mass)
    _require(weighed.any(), "not one cluster of the check sample was weighed")
    _require(np.all(mass[weighed] > 0), "a mass is not positive")
    _require(
        np.all((mass[weighed] > 1e12) & (mass[weighed] < 1e17)), "a mass is not one of a cluster"
    )
    for name in ("mass_errn", "mass_errp"):
        error = table[name].value[weighed]
        known = np.isfinite(error)
        _require(np.all(error[known] >= 0), f"{name!r} is negative")
        flagged = np.asarray(table["flag"])[weighed] & MassFlag.NO_ERROR
        _require(np.all(known | (flagged > 0)), f"{name!r} is NaN without NO_ERROR")
    _require(np.all(np.asarray(table["flag"])[~weighed] != 0), "a NaN mass has no flag")


def check_rows_are_independent(estimator):
    """Order and company of a cluster do not change its mass, or its posterior.

    Equal means to 1e-12: the last bit of a power or a logarithm depends on where in an array
    the processor meets it. What libraries sum depends on the shapes of arrays by more than that:
    give them pieces of one shape.
    """
    sample = make_check_sample(50)
    sample.table["pos_err"] = np.resize([0.0, 1.0, 4.0], len(sample)) * u.arcmin
    sample.cutouts.data[7, :9], sample.cutouts.footprint[7, :9] = np.nan, False
    table = _predict(estimator, sample)
    order = np.random.default_rng(0).permutation(len(sample))
    _same(
        _predict(estimator, sample[order]), table[order], "masses depend on the order", _LAST_BITS
    )
    for part in (slice(3, 4), slice(7, 8), slice(49, 50), slice(0, 13), slice(13, 50)):
        found = _predict(estimator, sample[part])
        _same(found, table[part], "masses depend on the other clusters", _LAST_BITS)
    if estimator.gives_posterior:
        whole, part = estimator.predict_posterior(sample), slice(5, 16)
        _require(
            np.allclose(
                estimator.predict_posterior(sample[part]).density,
                whole.density[part],
                rtol=_LAST_BITS,
                atol=0.0,
                equal_nan=True,
            ),
            "posteriors depend on the other clusters",
        )


def check_one_cluster_stops_no_others(estimator):
    """Whatever stands in the row of one cluster, the others are weighed as without it."""
    rest, needs = slice(1, None), estimator.needs
    complete = _predict(estimator, make_check_sample())
    cases = [("redshift", z, "redshift" in needs) for z in (0.0, 1e-9, 99.0, np.inf, np.nan)]
    cases += [
        (name, value, name in needs)
        for name in ("y5r500", "y500")
        for value in (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300)
    ]
    cases += [(f"{name}_err", v, False) for name in ("y5r500", "y500") for v in (np.inf, -1.0)]
    looks = bool({"cutout", "complete_cutout"} & needs)
    cases += [("pixels", value, looks) for value in (np.nan, np.inf, 1.0, -1.0, 1e30)]
    for name, value, told in cases:
        sample, case = make_check_sample(), f"{name} = {value:g}"
        if name == "pixels":
            sample.cutouts.data[0] = value
        else:
            column = sample.table[name]
            column[0] = value if column.unit is None else value * column.unit
        table = _predict(estimator, sample)
        _same(table[rest], complete[rest], f"a cluster of {case} changes the others", _LAST_BITS)
        _require(not told or table["flag"][0] != 0, f"a cluster of {case} has no flag")


def check_predict_is_repeatable(estimator):
    """Twice the same input gives twice the same answer, and the input stays as it was."""
    sample = make_check_sample()
    before = copy.deepcopy(sample.table), sample.cutouts.data.copy()
    first = _predict(estimator, sample)
    _same(first, _predict(estimator, sample), "predict is not repeatable")
    _same(first, _predict(copy.deepcopy(estimator), sample), "a copy predicts something else")
    _require(sample.table.colnames == before[0].colnames, "predict changed the sample's columns")
    for name in before[0].colnames:
        if name != "coord":
            _require(
                np.all(sample.table[name] == before[0][name]), f"predict changed column {name!r}"
            )
    _require(np.array_equal(sample.cutouts.data, before[1]), "predict changed the cutouts")


def check_posteriors_and_masses_agree(estimator):
    """Masses are the same, bit by bit, whether posteriors are asked for or not: their medians."""
    sample = make_check_sample()
    sample.table["redshift"].mask[0] = True
    if not estimator.gives_posterior:
        try:
            estimator.predict_posterior(sample)
        except SzmassError as err:
            _require("has no posteriors" in str(err), f"another error than expected: {err}")
            return
        raise AssertionError("'gives_posterior' is False and predict_posterior gives something")
    found, tag = {}, estimator.tag
    plain = masses_of(_quietly(estimate_masses, sample, estimator), tag)
    table = _quietly(estimate_masses, sample, estimator, posteriors=found, mean=True)
    masses = masses_of(table, tag)
    for name in ("mass", "errn", "errp", "flag"):
        _require(
            np.array_equal(getattr(plain, name), getattr(masses, name), equal_nan=True),
            f"{name!r} depends on whether posteriors are asked for",
        )
    posterior = estimator.predict_posterior(sample)
    _require(list(posterior.names) == list(sample.names), "the posterior has other rows")
    for one in (posterior, found[tag]):
        _require(np.array_equal(one.flag, plain.flag), "the posterior has other flags")
        for name, value in (("mass", one.median()), ("mean", one.mean_mass())):
            value = value.to_value(u.solMass)
            _require(
                np.allclose(value, getattr(masses, name), rtol=1e-12, equal_nan=True),
                f"{name!r} is not that of the posterior",
            )


def check_missing_inputs_keep_their_rows(estimator):
    """A cluster without redshift, measurement or map keeps its row and gets a flag."""
    sample = make_check_sample()
    complete = _predict(estimator, sample)
    needs = estimator.needs
    sample.table["redshift"].mask[0] = True
    for name in ("y5r500", "y500"):
        values = sample.table[name]
        values[1] = np.nan
    sample.cutouts.data[2], sample.cutouts.footprint[2] = np.nan, False
    sample.cutouts.data[3, :, :4], sample.cutouts.footprint[3, :, :4] = np.nan, False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = estimator.predict(sample)
    expected = {
        0: ("redshift" in needs, MassFlag.NO_REDSHIFT),
        1: (bool({"y5r500", "y500"} & needs), MassFlag.NO_MEASUREMENT),
        2: (bool({"cutout", "complete_cutout"} & needs), MassFlag.NO_CUTOUT),
        3: ("complete_cutout" in needs, MassFlag.INCOMPLETE_CUTOUT),
    }
    _require(len(table) == len(sample), "rows were lost")
    for row, (needed, bit) in expected.items():
        if needed:
            _require(table["flag"][row] & bit, f"row {row} lacks the flag {bit.name}")
            _require(np.isnan(table["mass"][row]), f"row {row} has a mass in spite of {bit.name}")
    rest = slice(4, None)
    _same(table[rest], complete[rest], "a bad row changes the others", _LAST_BITS)
    if any(needed for needed, _ in expected.values()):
        ours = [w for w in caught if issubclass(w.category, UnweighedClustersWarning)]
        _require(len(ours) == 1, f"expected one summarising warning, got {len(ours)}")


def check_whole_input_missing_is_an_error(estimator):
    """No cutouts attached, or no such column: an error that says so."""
    needs = estimator.needs
    if {"cutout", "complete_cutout"} & needs:
        sample = make_check_sample()
        sample.cutouts = None
        _expect_error(estimator, sample, "cutouts")
    for name in {"y5r500", "y500"} & needs:
        sample = make_check_sample()
        sample.table.remove_column(name)
        _expect_error(estimator, sample, name)


def _expect_error(estimator, sample, word):
    try:
        estimator.predict(sample)
    except SzmassError as err:
        _require(word in str(err), f"the error does not name {word!r}: {err}")
    else:
        raise AssertionError(f"no error though the sample lacks {word!r}")


def check_empty_sample(estimator):
    """No clusters give no rows."""
    table = estimator.predict(make_check_sample()[:0])
    _require(len(table) == 0, "an empty sample gave rows")
    _require(table.colnames == list(MASS_COLUMNS), "an empty sample gave other columns")


def check_meta_is_complete_and_survives(estimator):
    """``meta`` says what the numbers were made with, and ECSV, FITS and VOTable keep it."""
    table = _predict(estimator, make_check_sample())
    for key in (
        *("method", "estimator", "kind", "mass_definition", "mass_scale", "errors_hold"),
        *("point_estimate", "references", "software", "szmass_version", "date"),
    ):
        _require(key in table.meta, f"meta lacks {key!r}")
    MassScale(table.meta["mass_scale"])
    if "redshift" in estimator.needs and {"y5r500", "y500"} & estimator.needs:
        _require("cosmology" in table.meta, "meta lacks 'cosmology'")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".ecsv", ".fits", ".vot"):
            path = Path(folder) / f"masses{suffix}"
            write_table(table, path)
            back = read_table(path)
            _require(back.meta == table.meta, f"meta does not survive {suffix}")
            _same(back, table, f"masses do not survive {suffix}")


#: All checks, in the order from plain to involved.
ESTIMATOR_CHECKS = (
    check_declares_itself,
    check_options_are_stored_as_given,
    check_table_follows_schema,
    check_masses_are_sensible,
    check_rows_are_independent,
    check_one_cluster_stops_no_others,
    check_predict_is_repeatable,
    check_posteriors_and_masses_agree,
    check_missing_inputs_keep_their_rows,
    check_whole_input_missing_is_an_error,
    check_empty_sample,
    check_meta_is_complete_and_survives,
)


def check_estimator(estimator):
    """Run every check over an estimator.

    Parameters
    ----------
    estimator : `~szmass.estimators.MassEstimator`
        An instance, with the options under which it is to be checked.

    Raises
    ------
    AssertionError
        A check failed; the message says what was expected.

    Examples
    --------
    >>> from szmass.estimators import ScalingRelationMass
    >>> from szmass.estimators.checks import check_estimator
    >>> check_estimator(ScalingRelationMass(one_minus_b=0.8))
    """
    for check in ESTIMATOR_CHECKS:
        check(estimator)
