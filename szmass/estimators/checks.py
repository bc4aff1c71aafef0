"""The contract of a mass estimator as checks that can be run over any of them.

In a test suite, one line gives one test per check::

    @pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyEstimator())
"""

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable

from szmass.clusters import ClusterSample
from szmass.estimators.contract_checks import ContractChecks, require
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


class _MassChecks(ContractChecks):
    base = MassEstimator
    columns = tuple(MASS_COLUMNS)
    numbers = ("mass", "mass_errn", "mass_errp")
    flags = MassFlag
    told = "masses"
    meta = ("kind", "mass_definition", "mass_scale", "errors_hold", "point_estimate")
    rtol = 1e-12
    parts = slice(3, 4), slice(7, 8), slice(49, 50), slice(0, 13), slice(13, 50)

    def make_sample(self):
        return make_check_sample()

    def cases(self):
        needs = self.estimator.needs
        cases = [("redshift", z, "redshift" in needs) for z in (0.0, 1e-9, 99.0, np.inf, np.nan)]
        cases += [
            (name, value, name in needs)
            for name in ("y5r500", "y500")
            for value in (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300)
        ]
        cases += [(f"{name}_err", v, False) for name in ("y5r500", "y500") for v in (np.inf, -1.0)]
        looks = bool({"cutout", "complete_cutout"} & needs)
        return cases + [("pixels", value, looks) for value in (np.nan, np.inf, 1.0, -1.0, 1e30)]

    def check_declares_itself(self):
        """Tag, requirements, kind, mass definition and scale, references and software are set."""
        super().check_declares_itself()
        cls = type(self.estimator)
        require(isinstance(cls.mass_definition, str), "'mass_definition' must be a string")
        require(cls.kind in KINDS, f"'kind' must be one of {', '.join(KINDS)}")
        require(isinstance(cls.gives_posterior, bool), "'gives_posterior' must be True or False")
        MassScale(cls.mass_scale)
        self.require_texts("errors_hold", "words")

    def check_table_has_the_columns(self):
        """One row per cluster in input order, with the columns and units of the schema."""
        super().check_table_has_the_columns()
        table = self.result
        for name, (unit, _) in MASS_COLUMNS.items():
            require(getattr(table[name], "unit", None) == unit, f"unit of {name!r} is not {unit}")

    def check_masses_are_sensible(self):
        """What is weighed is a positive finite mass with errors >= 0; what is not has a flag."""
        table = self.result
        mass = table["mass"].value
        weighed = np.isfinite(mass)
        require(weighed.any(), "not one cluster of the check sample was weighed")
        require(np.all(mass[weighed] > 0), "a mass is not positive")
        require(
            np.all((mass[weighed] > 1e12) & (mass[weighed] < 1e17)),
            "a mass is not one of a cluster",
        )
        for name in ("mass_errn", "mass_errp"):
            error = table[name].value[weighed]
            known = np.isfinite(error)
            require(np.all(error[known] >= 0), f"{name!r} is negative")
            flagged = np.asarray(table["flag"])[weighed] & MassFlag.NO_ERROR
            require(np.all(known | (flagged > 0)), f"{name!r} is NaN without NO_ERROR")
        require(np.all(np.asarray(table["flag"])[~weighed] != 0), "a NaN mass has no flag")

    def check_rows_are_independent(self):
        """Order and company of a cluster do not change its mass, or its posterior.

        Equal means to 1e-12: the last bit of a power or a logarithm depends on where in an array
        the processor meets it. What libraries sum depends on the shapes of arrays by more than
        that: give them pieces of one shape.
        """
        self.sample = sample = make_check_sample(50)
        sample.table["pos_err"] = np.resize([0.0, 1.0, 4.0], len(sample)) * u.arcmin
        sample.cutouts.data[7, :9], sample.cutouts.footprint[7, :9] = np.nan, False
        super().check_rows_are_independent()
        if self.estimator.gives_posterior:
            whole, part = self.estimator.predict_posterior(sample), slice(5, 16)
            require(
                np.allclose(
                    self.estimator.predict_posterior(sample[part]).density,
                    whole.density[part],
                    rtol=self.rtol,
                    atol=0.0,
                    equal_nan=True,
                ),
                "posteriors depend on the other clusters",
            )

    def check_posteriors_and_masses_agree(self):
        """Masses are medians, the same bit by bit whether posteriors are asked for or not."""
        sample, estimator = self.sample, self.estimator
        sample.table["redshift"].mask[0] = True
        if not estimator.gives_posterior:
            try:
                estimator.predict_posterior(sample)
            except SzmassError as err:
                require("has no posteriors" in str(err), f"another error than expected: {err}")
                return
            raise AssertionError("'gives_posterior' is False and predict_posterior gives something")
        found, tag = {}, estimator.tag
        plain = masses_of(_quietly(estimate_masses, sample, estimator), tag)
        table = _quietly(estimate_masses, sample, estimator, posteriors=found, mean=True)
        masses = masses_of(table, tag)
        for name in ("mass", "errn", "errp", "flag"):
            require(
                np.array_equal(getattr(plain, name), getattr(masses, name), equal_nan=True),
                f"{name!r} depends on whether posteriors are asked for",
            )
        posterior = estimator.predict_posterior(sample)
        require(list(posterior.names) == list(sample.names), "the posterior has other rows")
        for one in (posterior, found[tag]):
            require(np.array_equal(one.flag, plain.flag), "the posterior has other flags")
            for name, value in (("mass", one.median()), ("mean", one.mean_mass())):
                value = value.to_value(u.solMass)
                require(
                    np.allclose(value, getattr(masses, name), rtol=1e-12, equal_nan=True),
                    f"{name!r} is not that of the posterior",
                )

    def check_missing_inputs_keep_their_rows(self):
        """A cluster without redshift, measurement or map keeps its row and gets a flag."""
        sample, needs = self.sample, self.estimator.needs
        complete = self.predict(sample)
        sample.table["redshift"].mask[0] = True
        for name in ("y5r500", "y500"):
            values = sample.table[name]
            values[1] = np.nan
        sample.cutouts.data[2], sample.cutouts.footprint[2] = np.nan, False
        sample.cutouts.data[3, :, :4], sample.cutouts.footprint[3, :, :4] = np.nan, False
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = self.estimator.predict(sample)
        expected = {
            0: ("redshift" in needs, MassFlag.NO_REDSHIFT),
            1: (bool({"y5r500", "y500"} & needs), MassFlag.NO_MEASUREMENT),
            2: (bool({"cutout", "complete_cutout"} & needs), MassFlag.NO_CUTOUT),
            3: ("complete_cutout" in needs, MassFlag.INCOMPLETE_CUTOUT),
        }
        require(len(table) == len(sample), "rows were lost")
        for row, (needed, bit) in expected.items():
            if needed:
                require(table["flag"][row] & bit, f"row {row} lacks the flag {bit.name}")
                require(
                    np.isnan(table["mass"][row]), f"row {row} has a mass in spite of {bit.name}"
                )
        rest = slice(4, None)
        self.same(table[rest], complete[rest], "a bad row changes the others", exact=False)
        if any(needed for needed, _ in expected.values()):
            ours = [w for w in caught if issubclass(w.category, UnweighedClustersWarning)]
            require(len(ours) == 1, f"expected one summarising warning, got {len(ours)}")

    def check_meta_is_complete_and_survives(self):
        """Say in ``meta`` what masses were made with, so that ECSV, FITS and VOTable keep it."""
        super().check_meta_is_complete_and_survives()
        meta, needs = self.result.meta, self.estimator.needs
        MassScale(meta["mass_scale"])
        if "redshift" in needs and {"y5r500", "y500"} & needs:
            require("cosmology" in meta, "meta lacks 'cosmology'")


def _quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnweighedClustersWarning)
        return function(*args, **options)


#: All checks, as functions of an estimator.
ESTIMATOR_CHECKS = _MassChecks.functions()


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
