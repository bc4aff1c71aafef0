"""The contract of a baryon model as checks that can be run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", BARYON_MODEL_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyModel())
"""

import tempfile
from pathlib import Path

import numpy as np
from astropy.table import QTable

from szmass._tables.files import read_table, write_table
from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.model import HALO_UNITS, PROPERTIES, BaryonFlag, BaryonModel
from szmass.physics.cosmology import get_cosmology

__all__ = ["BARYON_MODEL_CHECKS", "check_baryon_model", "make_check_halos"]

# What columns typically are at 3e14 Msun, over M500c where they are masses.
_TYPICAL = {
    "m200c": 1.5,
    "m200m": 2.0,
    "mvir": 1.7,
    "mpeak": 1.7,
    "r200c": 1.4,
    "r500c": 0.9,
    "rvir": 1.8,
    "rs": 0.35,
    "accretion_rate": 5e4,
    "vmax": 1200.0,
    "vpeak": 1300.0,
    "vrms": 1300.0,
    "c200c": 4.0,
    "c500c": 2.5,
    "spin": 0.03,
    "c_to_a": 0.6,
    "b_to_a": 0.8,
    "delta_r": 0.05,
    "f_s": 0.1,
    "eta": 1.1,
    **{f"m500c_at_{a:g}": a**1.5 for a in (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)},
}


def make_check_halos(model, n=200, *, seed=1):
    """Make haloes with the columns that a model needs, within the ranges of its fit.

    Parameters
    ----------
    model : `BaryonModel`
        The model.
    n : int, optional
        Number of haloes.
    seed : int, optional
        Seed of all that is drawn.

    Returns
    -------
    `~astropy.table.QTable`
        ``id`` and the columns of ``model.features``, with units.
    """
    rng = np.random.default_rng(seed)
    low, high = model.redshift_range
    redshift = rng.uniform(low, max(low, min(high, 1.0)), n)
    limits = np.log(model.mass_limits(redshift))
    log_mass = limits[0] + (limits[1] - limits[0]) * rng.uniform(0.1, 0.9, n)
    columns = {"m500c": np.exp(log_mass), "redshift": redshift}
    for name in model.features:
        if name in columns:
            continue
        value = _TYPICAL.get(name, 1.0) * np.exp(rng.normal(0, 0.05, n))
        if name in ("half_mass_scale", "last_merger_scale"):
            value = 0.6 * value / (1 + redshift)
        elif HALO_UNITS.get(name) == HALO_UNITS["m500c"]:
            value = value * columns["m500c"]
        if name in model.feature_ranges and name not in HALO_UNITS:
            value = np.clip(value, *model.feature_ranges[name])
        columns[name] = value
    table = QTable({"id": np.arange(n)})
    for name in model.features:
        table[name] = columns[name] * HALO_UNITS.get(name, 1)
    return table


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _features(table, model):
    return {name: np.array(getattr(table[name], "value", table[name])) for name in model.features}


def _of(model, n=200):
    table = make_check_halos(model, n)
    return table, _features(table, model)


def check_declares_itself(model):
    """Name, physics, properties, features, cosmology, ranges and references are set."""
    _require(isinstance(model, BaryonModel), f"{type(model).__name__} is no BaryonModel")
    for name in ("name", "physics"):
        value = getattr(model, name)
        _require(isinstance(value, str) and value.strip(), f"{name!r} must be a non-empty text")
    _require(model.properties, "'properties' must have a name at least")
    unknown = [name for name in model.properties if name not in PROPERTIES]
    _require(not unknown, f"'properties' has {unknown}; known: {', '.join(PROPERTIES)}")
    _require(len(set(model.properties)) == len(model.properties), "'properties' has one twice")
    _require({"m500c", "redshift"} <= set(model.features), "'features' lacks m500c or redshift")
    get_cosmology(model.cosmology)
    low, high = model.mass_range.to_value(HALO_UNITS["m500c"])
    _require(1e10 <= low < high <= 1e17, "'mass_range' must be rising, in solMass")
    low, high = model.redshift_range
    _require(0 <= low <= high, "'redshift_range' must be rising")
    _require(model.tail > 2, "'tail' must be above 2, for a covariance")
    references = model.references
    texts = not isinstance(references, str) and all(isinstance(r, str) for r in references)
    _require(texts, "'references' must be ADS bibcodes")


def check_moments_are_moments(model):
    """Shapes are (N, K) and (N, K, K); covariances are symmetric and positive."""
    _, features = _of(model)
    mean, covariance = model.moments(features)
    n, k = len(features["m500c"]), len(model.properties)
    _require(mean.shape == (n, k), f"the mean has the shape {mean.shape}, not {(n, k)}")
    _require(covariance.shape == (n, k, k), f"the covariance has the shape {covariance.shape}")
    _require(np.all(np.isfinite(mean)), "the mean is not finite")
    same = np.allclose(covariance, np.swapaxes(covariance, 1, 2), rtol=1e-10, atol=0)
    _require(same, "the covariance is not symmetric")
    _require(np.linalg.eigvalsh(covariance).min() > 0, "the covariance is not positive definite")


def check_values_are_sensible(model):
    """Baryons weigh less than the halo, and all grows with mass."""
    table, features = _of(model)
    mean, _ = model.moments(features)
    baryons = sum(
        np.exp(mean[:, model.properties.index(name)])
        for name in ("mgas500", "mstar500")
        if name in model.properties
    )
    _require(np.all(baryons < 0.3 * features["m500c"]), "baryons are above 0.3 of M500c")
    heavier = {
        name: 1.2 * column if table[name].unit == HALO_UNITS["m500c"] else column
        for name, column in features.items()
    }
    rise = model.moments(heavier)[0] - mean
    _require(np.all(rise.mean(axis=0) > 0), "a property does not rise with mass")


def check_rows_are_independent(model):
    """A halo has the same moments and flag in any company and order."""
    _, features = _of(model)
    mean, covariance = model.moments(features)
    flags = model.flags(features)
    order = np.random.default_rng(2).permutation(len(flags))[:37]
    some = {name: column[order] for name, column in features.items()}
    part, part_covariance = model.moments(some)
    _require(np.allclose(part, mean[order], rtol=1e-12, atol=0), "means depend on other rows")
    same = np.allclose(part_covariance, covariance[order], rtol=1e-12, atol=0)
    _require(same, "covariances depend on other rows")
    _require(np.array_equal(model.flags(some), flags[order]), "flags depend on other rows")


def check_missing_values_keep_their_rows(model):
    """NaN and masses that cannot be give NaN and a flag, and nothing else changes."""
    _, features = _of(model)
    mean, _ = model.moments(features)
    bad = {name: column.copy() for name, column in features.items()}
    for row, name in enumerate(model.features):
        bad[name][row] = np.nan
    n = len(model.features)
    bad["m500c"][n], bad["redshift"][n + 1] = -1, -1
    got, covariance = model.moments(bad)
    lost = np.arange(len(got)) < n + 2
    _require(np.all(np.isnan(got[lost])), "a row that lacks a value has a mean")
    _require(np.all(np.isnan(covariance[lost])), "a row that lacks a value has a covariance")
    _require(np.allclose(got[~lost], mean[~lost], rtol=1e-12, atol=0), "a bad row moves others")
    flags = model.flags(bad) & BaryonFlag.MISSING_FEATURE
    _require(np.array_equal(flags > 0, lost), "MISSING_FEATURE is not where values are missing")


def check_missing_columns_are_named(model):
    """Haloes without a column that the model needs are refused, and the message names it."""
    for name in model.features:
        table = make_check_halos(model, 5)
        table.remove_column(name)
        try:
            model.predict(table)
        except InvalidInputError as err:
            _require(repr(name) in str(err), f"the error does not name {name!r}: {err}")
        else:
            raise AssertionError(f"no error though the haloes lack {name!r}")


def check_extrapolation_is_flagged(model):
    """Masses and redshifts outside of the fit have their flag, those inside have none."""
    _, features = _of(model)
    outside = BaryonFlag.EXTRAPOLATED_MASS | BaryonFlag.EXTRAPOLATED_REDSHIFT
    _require(not np.any(model.flags(features) & outside), "haloes inside of the fit are flagged")
    low, high = model.mass_range.value
    for factor, at in ((0.5, low), (2.0, high)):
        beyond = features | {"m500c": np.full(len(features["m500c"]), factor * at)}
        flagged = model.flags(beyond) & BaryonFlag.EXTRAPOLATED_MASS
        _require(np.all(flagged), f"M500c of {factor * at:g} solMass is not flagged")
        _require(np.all(np.isfinite(model.moments(beyond)[0])), "extrapolated means are not finite")
    if np.isfinite(model.redshift_range[1]):
        beyond = features | {"redshift": np.full(len(features["m500c"]), 20.0)}
        flagged = model.flags(beyond) & BaryonFlag.EXTRAPOLATED_REDSHIFT
        _require(np.all(flagged), "a redshift of 20 is not flagged")


def check_draws_follow_moments(model):
    """Draws have the mean and covariance, and are the same for the same seed."""
    _, features = _of(model, 3)
    n = 20_000
    many = {name: np.repeat(column[:1], n) for name, column in features.items()}
    mean, covariance = (moment[0] for moment in model.moments(many))
    drawn = model.draw(many, np.random.default_rng(3))
    again = model.draw(many, np.random.default_rng(3))
    _require(np.array_equal(drawn, again), "the same seed gives other draws")
    sigma = np.sqrt(np.diag(covariance))
    off = np.abs(drawn.mean(axis=0) - mean) / sigma
    _require(np.all(off < 5 / np.sqrt(n)), "the mean of draws is not that of moments")
    apart = np.abs(np.cov(drawn.T) - covariance) / np.outer(sigma, sigma)
    # Draws from tails scatter more.
    _require(np.all(apart < 0.05 + 0.3 / (model.tail - 2)), "the covariance of draws is another")


def check_table_is_complete_and_survives(model):
    """Predictions have units, errors, flags and a record, and ECSV and FITS keep them."""
    table = model.predict(make_check_halos(model, 20))
    for name in model.properties:
        for column in (name, f"{name}_errn", f"{name}_errp"):
            _require(column in table.colnames, f"the table lacks {column!r}")
            _require(table[column].unit == PROPERTIES[name], f"{column!r} has another unit")
            _require(np.all(table[column].value > 0), f"{column!r} is not positive")
    about = table.meta["baryon_model"]
    for key in ("name", "physics", "cosmology", "h", "mass_definition", "references"):
        _require(about.get(key) not in (None, ""), f"meta lacks {key!r}")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".ecsv", ".fits"):
            path = Path(folder) / f"baryons{suffix}"
            write_table(table, path)
            back = read_table(path)
            _require(back.meta == table.meta, f"meta does not survive {suffix}")
            for name in model.properties:
                same = np.allclose(back[name].value, table[name].value, rtol=1e-12)
                _require(same, f"{name!r} does not survive {suffix}")
    empty = model.predict(make_check_halos(model, 20)[:0])
    _require(len(empty) == 0, "no haloes gave rows")
    _require(empty.colnames == table.colnames, "no haloes gave other columns")


#: All checks, in the order from plain to involved.
BARYON_MODEL_CHECKS = (
    check_declares_itself,
    check_moments_are_moments,
    check_values_are_sensible,
    check_rows_are_independent,
    check_missing_values_keep_their_rows,
    check_missing_columns_are_named,
    check_extrapolation_is_flagged,
    check_draws_follow_moments,
    check_table_is_complete_and_survives,
)


def check_baryon_model(model):
    """Run every check over a baryon model.

    Parameters
    ----------
    model : `BaryonModel`
        The model.

    Raises
    ------
    AssertionError
        A check failed; the message says what was expected.
    """
    for check in BARYON_MODEL_CHECKS:
        check(model)
