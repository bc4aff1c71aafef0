"""What haloes hold of gas and stars in one named physics: the contract of such models."""

import abc
from typing import ClassVar

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from astropy.utils.masked import Masked

from szmass._utils.flags import WordedFlag
from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import MASS_RANGE, REDSHIFT_MAX
from szmass.physics.cosmology import get_cosmology

__all__ = [
    "BARYON_MODELS",
    "HALO_UNITS",
    "PROPERTIES",
    "BaryonFlag",
    "BaryonModel",
    "get_baryon_model",
    "halo_features",
]

#: What models may give, and the unit: gas and stellar mass, mass-weighted and spectroscopic-like
#: temperature, X-ray luminosity of the model's band, and spherical Y500 D_A^2, all inside R500c.
PROPERTIES = {
    "mgas500": u.solMass,
    "mstar500": u.solMass,
    "t_mw": u.keV,
    "t_sl": u.keV,
    "lx": u.erg / u.s,
    "y500": u.Mpc**2,
}

#: Units of columns of haloes; columns that are not named here are plain numbers.
HALO_UNITS = {
    **dict.fromkeys(("m200c", "m500c", "m200m", "mvir", "mpeak"), u.solMass),
    **dict.fromkeys(("r200c", "r500c", "rvir", "rs"), u.Mpc),
    **dict.fromkeys(("vmax", "vpeak", "vrms"), u.km / u.s),
    # M500c of the main progenitor at these shares of the halo's scale factor.
    **dict.fromkeys((f"m500c_at_{a:g}" for a in (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)), u.solMass),
    "accretion_rate": u.solMass / u.yr,
}

#: Haloes whose properties are computed together: columns fit into the cache of a processor, and
#: covariances do not add up in memory.
_TOGETHER = 2**14

#: Most that the tails of Student's t stretch a normal deviation: beyond it is no physics.
_MOST_STRETCHED = 3.0


class BaryonFlag(WordedFlag):
    """Bits of the column ``flag`` of predicted properties; 0 means that nothing is to be said.

    Examples
    --------
    >>> from szmass.physics import BaryonFlag
    >>> [BaryonFlag.describe(flag) for flag in (0, 9)]
    ['', 'EXTRAPOLATED_MASS|MISSING_FEATURE']
    """

    EXTRAPOLATED_MASS = 1, "The mass is outside those of the fit at that redshift."
    EXTRAPOLATED_REDSHIFT = 2, "The redshift is outside those of the fit."
    EXTRAPOLATED_FEATURE = 4, "Another column has a value outside those of the fit."
    MISSING_FEATURE = 8, "A column that the model needs has no value, or one that cannot be."
    SUBHALO = 16, "The halo lies in a larger one: models are of hosts, with all that they hold."
    DUPLICATE = 32, "Another row has the same id and redshift."


class BaryonModel(abc.ABC):
    """Joint distribution of the logarithms of what haloes hold, given columns of theirs.

    It is normal, or Student's t where a fit has seen more outliers than that. A sub-class sets the
    attributes and gives `_moments`. Arrays of features are floats in the units of `HALO_UNITS`,
    those of properties natural logarithms of values in the units of `PROPERTIES`.

    Attributes
    ----------
    name : str
        Name of the model.
    physics : str
        The simulation or the sample that it describes, in words: one, never a blend.
    properties : tuple of str
        What it gives, keys of `PROPERTIES`. What is not known in that physics is absent.
    features : tuple of str
        Columns of haloes that it needs; ``m500c`` and ``redshift`` are always among them.
    cosmology : str or `~astropy.cosmology.FLRW`
        That of the simulation or of the measurements.
    mass_range : `~astropy.units.Quantity`
        Lowest and highest M500c of the fit, at any redshift.
    redshift_range : (float, float)
        Lowest and highest redshift of the fit.
    feature_ranges : dict
        Lowest and highest value of further features in the fit.
    tail : float
        Degrees of freedom of Student's t; infinite for a normal distribution. Draws are at most
        three times as far out as those of a normal distribution would be.
    lx_band : tuple, optional
        Lower and upper energy of ``lx`` [keV] and the frame they are in, "rest" or "observer".
    references : tuple of str
        ADS bibcodes of papers to cite.
    """

    name = ""
    physics = ""
    properties = ()
    features = ("m500c", "redshift")
    cosmology = "PSZ2"
    mass_range = MASS_RANGE * u.solMass
    redshift_range = (0.0, np.inf)
    feature_ranges: ClassVar = {}
    lx_band = (0.5, 2.0, "rest")
    tail = np.inf
    references = ()

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}: {', '.join(self.properties)}>"

    @abc.abstractmethod
    def _moments(self, features):
        """Give mean (N, K) and covariance (N, K, K) of ln properties; all features are known."""

    def mass_limits(self, redshift):
        """Give lowest and highest mass of the fit at redshifts.

        Parameters
        ----------
        redshift : ndarray
            Redshifts, shape (N,).

        Returns
        -------
        low : ndarray
            Lowest M500c [Msun].
        high : ndarray
            Highest M500c [Msun].
        """
        return self._limits(np.asarray(redshift, dtype=float))

    def _limits(self, redshift):
        low, high = self.mass_range.to_value(u.solMass)
        return np.full(redshift.shape, low), np.full(redshift.shape, high)

    def moments(self, features):
        """Give mean and covariance of the logarithms of all properties.

        Parameters
        ----------
        features : dict
            Arrays of shape (N,) by name, in the units of `HALO_UNITS`; see `halo_features`.

        Returns
        -------
        mean : ndarray
            Mean of the natural logarithms, shape (N, K).
        covariance : ndarray
            Their covariance, shape (N, K, K). NaN where a feature has no possible value.

        Raises
        ------
        InvalidInputError
            A feature is missing, or the arrays differ in shape.
        """
        features = self._arrays(features)
        known = known_rows(features)
        n, k = len(known), len(self.properties)
        mean, covariance = np.full((n, k), np.nan), np.full((n, k, k), np.nan)
        for start in range(0, n, _TOGETHER):
            rows = start + np.flatnonzero(known[start : start + _TOGETHER])
            if rows.size == _TOGETHER:
                rows = slice(start, start + _TOGETHER)
            some = {name: array[rows] for name, array in features.items()}
            mean[rows], covariance[rows] = self._moments(some)
        return mean, covariance

    def flags(self, features):
        """Tell haloes that are unlike those of the fit.

        Parameters
        ----------
        features : dict
            As in `moments`.

        Returns
        -------
        ndarray of int
            Bits of `BaryonFlag`, shape (N,).

        Raises
        ------
        InvalidInputError
            As `moments` raises it.
        """
        features = self._arrays(features)
        known = known_rows(features)
        mass, redshift = features["m500c"], features["redshift"]
        low, high = self.mass_limits(np.where(known, redshift, 0.0))
        # Limits that went through a file as decimals, or through a logarithm, are still inside.
        slack = 1 + 1e-9
        outside = {
            BaryonFlag.EXTRAPOLATED_MASS: (mass * slack < low) | (mass > high * slack),
            BaryonFlag.EXTRAPOLATED_REDSHIFT: (redshift < self.redshift_range[0])
            | (redshift > self.redshift_range[1] * slack),
            BaryonFlag.EXTRAPOLATED_FEATURE: np.zeros(known.shape, dtype=bool),
        }
        for name, (lowest, highest) in self.feature_ranges.items():
            beyond = (features[name] < lowest) | (features[name] > highest)
            outside[BaryonFlag.EXTRAPOLATED_FEATURE] |= beyond
        result = np.where(known, 0, int(BaryonFlag.MISSING_FEATURE))
        for flag, rows in outside.items():
            result |= np.where(known & rows, int(flag), 0)
        return result

    def draw(self, features, rng):
        """Draw the properties of each halo.

        Parameters
        ----------
        features : dict
            As in `moments`.
        rng : `~numpy.random.Generator`
            Where random numbers come from.

        Returns
        -------
        ndarray
            Natural logarithms, shape (N, K).

        Raises
        ------
        InvalidInputError
            As `moments` raises it.
        """
        mean, covariance = self.moments(features)
        return mean + self._deviations(covariance, rng)

    def _deviations(self, covariance, rng):
        result = _correlated(covariance, rng.standard_normal(covariance.shape[:2]))
        if np.isfinite(self.tail):
            stretch = np.sqrt((self.tail - 2) / rng.chisquare(self.tail, len(result)))
            result *= np.minimum(stretch, _MOST_STRETCHED)[:, np.newaxis]
        return result

    def predict(self, halos, *, draw=False, seed=None, covariance=False):
        """Give the properties of haloes as a table.

        Parameters
        ----------
        halos : `~astropy.table.Table` or `~szmass.baryons.HaloCatalog`
            Haloes with the columns of `features` in units that convert to those of `HALO_UNITS`.
            ``id`` or ``name`` are handed on; ``host`` tells sub-haloes.
        draw : bool, optional
            Draw each halo from its distribution, where the median would stand.
        seed : int, optional
            Seed of the draw, which needs one.
        covariance : bool, optional
            Add the covariance of the logarithms of all properties as a column of matrices.

        Returns
        -------
        `~astropy.table.QTable`
            One row per halo: ``id``, ``name`` as far as there are any, ``redshift``, ``m500c``, and
            for each property the median, or the draw, with ``_errn`` and ``_errp``: the scatter of
            haloes down and up. ``flag`` has the bits of `BaryonFlag`; rows that lack a value are
            NaN.
            ``meta`` says which physics and cosmology, what mass and luminosity, and whom to cite.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            Columns are missing (the message has all of them) or have no unit of their kind, masses
            are not in solar masses, or a draw has no seed.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astropy.table import QTable
        >>> from szmass.physics import get_baryon_model
        >>> halos = QTable({"m500c": [3e14, 8e14] * u.solMass, "redshift": [0.0, 0.3]})
        >>> table = get_baryon_model("tng").predict(halos)
        >>> (table["mgas500"] / table["m500c"]).value.round(3)
        array([0.137, 0.139])
        >>> table.meta["baryon_model"]["name"]
        'tng'
        """
        rng = generator(seed, "predictions") if draw else None
        features = halo_features(halos, self.features, self.name)
        n, k = len(features["m500c"]), len(self.properties)
        centre, sigma = np.empty((n, k)), np.empty((n, k))
        matrices = np.empty((n if covariance else 0, k, k))
        for start in range(0, n, _TOGETHER):
            rows = slice(start, start + _TOGETHER)
            mean, scatter = self.moments({name: a[rows] for name, a in features.items()})
            sigma[rows] = np.sqrt(np.diagonal(scatter, axis1=1, axis2=2))
            if draw:
                mean = mean + self._deviations(scatter, rng)
            centre[rows] = mean
            if covariance:
                matrices[rows] = scatter
        result = QTable()
        for name in ("id", "name"):
            if (column := _optional(halos, name)) is not None:
                result[name] = column
        result["redshift"] = features["redshift"]
        result["m500c"] = features["m500c"] << u.solMass
        for j, name in enumerate(self.properties):
            value, up, unit = np.exp(centre[:, j]), np.expm1(sigma[:, j]), PROPERTIES[name]
            result[name] = value << unit
            result[f"{name}_errn"] = value * up / (1 + up) << unit
            result[f"{name}_errp"] = value * up << unit
        if covariance:
            result["ln_covariance"] = matrices
        result["flag"] = self.flags(features) | _flags_of_rows(halos, features["redshift"])
        result.meta["baryon_model"] = self.about() | ({"seed": int(seed)} if draw else {})
        if not isinstance(halos, Table):  # a catalogue, which knows what it derived
            result.meta["halos"] = dict(halos.meta)
        return result

    def about(self):
        """Say what a table of this model is, for its meta.

        Returns
        -------
        dict
            Plain texts and numbers.
        """
        cosmology = get_cosmology(self.cosmology)
        low, high = self.mass_range.to_value(u.solMass)
        about = {
            "name": self.name,
            "physics": self.physics,
            "properties": list(self.properties),
            "features": list(self.features),
            "mass_definition": "500c",
            "cosmology": cosmology.name,
            "h": float(cosmology.h),
            "Om0": float(cosmology.Om0),
            "mass_range": [float(low), float(high)],
            "redshift_range": [float(z) for z in self.redshift_range],
            "references": list(self.references),
        }
        if np.isfinite(self.tail):
            about["tail"] = float(self.tail)
        if "lx" in self.properties:
            about["lx_band"] = "{:g}-{:g} keV, {} frame".format(*self.lx_band)
        return about

    def _arrays(self, features):
        missing = [name for name in self.features if name not in features]
        if missing:
            raise InvalidInputError(_missing(missing, self.name, list(features)))
        arrays = {name: np.asarray(features[name], dtype=float) for name in self.features}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise InvalidInputError(
                "'features' must be arrays of one shape (N,). Received: "
                + ", ".join(f"'{name}' {array.shape}" for name, array in arrays.items())
            )
        return arrays


#: Models known by name; the entry-point group ``szmass.baryon_models`` adds to them.
BARYON_MODELS = Registry("baryon model", "szmass.baryon_models")


@BARYON_MODELS.getter(BaryonModel, "tng")
def get_baryon_model(model):
    """Look a baryon model up by name, or pass one through.

    Examples
    --------
    >>> from szmass.physics import get_baryon_model
    >>> model = get_baryon_model("tng")
    >>> model.properties
    ('mgas500', 't_mw', 't_sl', 'lx', 'y500')
    """


def halo_features(halos, names, model="the model"):
    """Give columns of haloes as plain arrays.

    Parameters
    ----------
    halos : `~astropy.table.Table` or `~szmass.baryons.HaloCatalog`
        Haloes; ``halos[name]`` is a column, and an error of look-up says that there is none.
    names : sequence of str
        Names of columns.
    model : str, optional
        Who needs them, for the message.

    Returns
    -------
    dict
        Arrays of shape (N,) in the units of `HALO_UNITS`, NaN where masked.

    Raises
    ------
    InvalidInputError
        Columns are missing, or masses are not in solar masses.
    InvalidUnitError
        A column has no unit, or one of another kind.
    """
    columns = {name: _optional(halos, name) for name in names}
    if missing := [name for name, column in columns.items() if column is None]:
        raise InvalidInputError(_missing(missing, model, getattr(halos, "colnames", [])))
    result = {}
    for name, column in columns.items():
        unit = HALO_UNITS.get(name, u.dimensionless_unscaled)
        result[name] = np.atleast_1d(as_floats(column, unit, name))
        if unit == u.solMass:
            _check_masses(result[name], name)
    return result


def _check_masses(mass, name):
    mass = mass[np.isfinite(mass) & (mass > 0)]
    low, high = MASS_RANGE
    # One that is odd is flagged; where it is most of them, it is the unit.
    if mass.size and (np.median(mass) > high or mass.max() < low):
        raise InvalidInputError(
            f"'{name}' must be in solar masses: between {low:g} and {high:g} solMass. Received: "
            f"{mass.min():g} to {mass.max():g} solMass. Look whether the file has Msun/h, "
            "1e10 Msun/h or logarithms, and convert them."
        )


def _missing(missing, model, known):
    return (
        f"'halos' must have {', '.join(repr(name) for name in missing)}, which {model} needs. "
        f"Received: {', '.join(map(str, known)) or 'no columns'}"
    )


def _optional(halos, name):
    try:
        return halos[name]
    except LookupError:
        return None


def known_rows(features):
    """Tell rows in which all features have a value that can be."""
    known = np.all([np.isfinite(array) for array in features.values()], axis=0)
    for name, array in features.items():
        if name in HALO_UNITS and name != "accretion_rate":
            known &= array > 0
        if HALO_UNITS.get(name) == u.solMass:
            known &= array <= MASS_RANGE[1]
    return known & (features["redshift"] >= 0) & (features["redshift"] <= REDSHIFT_MAX)


def _flags_of_rows(halos, redshift):
    """Flags of sub-haloes and of ids that stand twice."""
    result = np.zeros(len(redshift), dtype=int)
    host = _optional(halos, "host")
    if host is not None:
        mask = np.asarray(getattr(host, "mask", False))
        data = host.unmasked if isinstance(host, Masked) else np.ma.getdata(host)
        # Where hosts are masked, as in all catalogues, 0 is the first halo of a file.
        lowest = 0 if mask.any() or not isinstance(halos, Table) else 1
        result[~mask & (np.asarray(data) >= lowest)] |= int(BaryonFlag.SUBHALO)
    ids = _optional(halos, "id")
    if ids is not None:
        _, which = np.unique(np.ma.getdata(ids), return_inverse=True)
        order = np.lexsort((redshift, which))
        a, z = which[order], redshift[order]
        twice = (a[1:] == a[:-1]) & (z[1:] == z[:-1])
        rows = np.concatenate([order[1:][twice], order[:-1][twice]])
        result[rows] |= int(BaryonFlag.DUPLICATE)
    return result


def _correlated(covariance, normal):
    """Give normal numbers (N, K) the covariances (N, K, K)."""
    k = normal.shape[1]
    root = np.zeros_like(covariance)
    # Cholesky's scheme over all rows at once; NaN stays where it is.
    for j in range(k):
        for i in range(j, k):
            rest = covariance[:, i, j] - (root[:, i, :j] * root[:, j, :j]).sum(axis=1)
            root[:, i, j] = np.sqrt(np.maximum(rest, 0)) if i == j else rest / root[:, j, j]
    return (root * normal[:, np.newaxis, :]).sum(axis=2)
