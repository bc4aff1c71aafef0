"""Scaling relations whose slopes and scatter change with mass and redshift, as tables of nodes."""

import importlib.resources
import json
from functools import partial

import astropy.constants as const
import astropy.units as u
import numpy as np
from astropy.cosmology import FlatLambdaCDM

from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.model import BARYON_MODELS, BaryonModel
from szmass.physics.gas import MU_E

__all__ = ["TabulatedBaryonModel"]

#: Compton-y of the gas of one solar mass at one Kelvin: sigma_T k_B / (mu_e m_p m_e c^2) [Mpc2].
_Y_PER_MSUN_K = (
    (const.sigma_T * const.k_B / (MU_E * const.m_p * const.m_e * const.c**2)) * u.solMass * u.K
).to_value(u.Mpc**2)
_KEV_PER_K = (const.k_B * u.K).to_value(u.keV)

#: What a unit of a table is in that of `PROPERTIES`.
_FACTORS = {"Msun": 1.0, "K": _KEV_PER_K, "keV": 1.0, "erg / s": 1.0, "Msun K": _Y_PER_MSUN_K}


class TabulatedBaryonModel(BaryonModel):
    """Means, slopes, scatter and correlations at nodes of mass and redshift.

    Between nodes of mass, means are cubics in log M with the norms and slopes of the nodes, power
    laws beyond; scatter and correlation are linear there, and those of the last node beyond. In
    redshift all is linear, constant beyond the last.

    Parameters
    ----------
    numbers : dict
        ``name``, ``physics``, ``cosmology`` (name, H0, Om0), ``references``, ``lx_band``,
        ``properties`` with the unit of each in ``units``, ``redshift`` (Z) and by redshift:
        ``log_mass`` (Z, L) in log10(M500c/solMass), ``log_norm``, ``slope`` and ``scatter``
        (Z, K, L), the latter of natural logarithms, and ``correlation`` (Z, L, K (K - 1) / 2), the
        part below the diagonal by rows.

    Raises
    ------
    InvalidInputError
        A table has another shape, nodes fall, or a matrix is not one of correlations.

    Notes
    -----
    Y of a table in Msun K becomes Y500 D_A^2 by sigma_T k_B / (mu_e m_p m_e c^2), with mu_e = 1.14.
    """

    def __init__(self, numbers):
        self.name, self.physics = numbers["name"], numbers["physics"]
        self.properties = tuple(numbers["properties"])
        self.references = tuple(numbers["references"])
        cosmology = numbers["cosmology"]
        self.cosmology = FlatLambdaCDM(
            H0=cosmology["H0"], Om0=cosmology["Om0"], name=cosmology["name"]
        )
        if "lx_band" in numbers:
            self.lx_band = tuple(numbers["lx_band"])
        k = len(self.properties)
        self._redshift = self._array(numbers, "redshift", (None,))
        self._log_mass = self._array(numbers, "log_mass", (len(self._redshift), None))
        shape = self._log_mass.shape
        for name in ("redshift", "log_mass"):
            self._check(name, np.all(np.diff(getattr(self, f"_{name}"), axis=-1) > 0), "rising")
        by_property = (shape[0], k, shape[1])
        norm, slope, scatter = (
            self._array(numbers, name, by_property) for name in ("log_norm", "slope", "scatter")
        )
        self._check("scatter", np.all(scatter > 0), "positive")
        lower = self._array(numbers, "correlation", (*shape, k * (k - 1) // 2))
        matrix = np.ones((*shape, k, k))
        i, j = np.tril_indices(k, -1)
        self._pairs = list(zip(i, j, strict=True))
        matrix[..., i, j] = matrix[..., j, i] = lower
        fine = np.linalg.eigvalsh(matrix).min() > 0
        self._check("correlation", fine, "positive definite matrices")
        factor = np.array([_FACTORS[unit] for unit in numbers["units"]])
        norm = np.log(10) * norm + np.log(factor)[:, np.newaxis]
        slope = np.log(10) * slope
        # By property: powers of the distance to the left node; then values there, and slopes.
        self._cubics = np.transpose(
            _cubics(self._log_mass[:, np.newaxis], norm, slope), (2, 1, 0, 3)
        )
        self._beyond = np.transpose(slope[..., [0, -1]], (1, 0, 2))
        rest = np.concatenate([scatter, np.moveaxis(lower, 2, 1)], axis=1)
        rise = np.diff(rest) / np.diff(self._log_mass)[:, np.newaxis]
        self._linear = np.transpose(np.stack([rest[..., :-1], rise]), (2, 0, 1, 3))
        limits = 10 ** np.array([self._log_mass.min(), self._log_mass.max()])
        self.mass_range = limits * u.solMass
        self.redshift_range = (self._redshift[0], self._redshift[-1])

    def _array(self, numbers, name, shape):
        array = np.array(numbers[name], dtype=float)
        fine = array.ndim == len(shape) and np.all(np.isfinite(array))
        fine = fine and all(n in (m, None) for m, n in zip(array.shape, shape, strict=True))
        self._check(name, fine, f"finite numbers of the shape {shape}")
        return array

    def _check(self, name, fine, expected):
        if not fine:
            raise InvalidInputError(f"'{name}' of {self.name!r} must be {expected}.")

    def _limits(self, redshift):
        ends = (self._log_mass[:, 0], self._log_mass[:, -1])
        return tuple(10 ** np.interp(redshift, self._redshift, end) for end in ends)

    def _moments(self, features):
        x, redshift = np.log10(features["m500c"]), features["redshift"]
        k = len(self.properties)
        place = np.interp(redshift, self._redshift, np.arange(len(self._redshift)))
        low = np.clip(place.astype(int), 0, max(len(self._redshift) - 2, 0))
        total = np.zeros((2 * k + len(self._pairs), len(x)))
        for table, weight in ((low, 1 - (place - low)), (low + 1, place - low)):
            if np.any(weight):
                total += weight * self._evaluate(x, table)
        sigma = total[k : 2 * k]
        covariance = np.empty((len(x), k, k))
        for i in range(k):
            covariance[:, i, i] = sigma[i] ** 2
        for (i, j), r in zip(self._pairs, total[2 * k :], strict=True):
            covariance[:, i, j] = covariance[:, j, i] = r * sigma[i] * sigma[j]
        return np.ascontiguousarray(total[:k].T), covariance

    def _evaluate(self, x, table):
        """Give means, then what is linear between nodes, shape (P, N), by the tables of rows."""
        first, last = self._log_mass[table, 0], self._log_mass[table, -1]
        inside = np.clip(x, first, last)
        # All nodes on one line, those of a table in a stretch of their own.
        stretch = 100.0 * np.arange(len(self._redshift))
        line = (self._log_mass + stretch[:, np.newaxis]).ravel()
        count = self._log_mass.shape[1]
        left = np.searchsorted(line, inside + stretch[table], side="right") - 1 - table * count
        left = np.clip(left, 0, count - 2)
        t = inside - self._log_mass[table, left]
        place = table * (count - 1) + left
        outside = x - inside
        beyond = np.flatnonzero(outside)
        result = np.empty((len(self._cubics) + len(self._linear), len(x)))
        for row, powers, slopes in zip(result, self._cubics, self._beyond, strict=False):
            a, b, c, d = (power.ravel().take(place) for power in powers)
            row[:] = ((d * t + c) * t + b) * t + a
            side = np.where(outside[beyond] > 0, 1, 0)
            row[beyond] += outside[beyond] * slopes[table[beyond], side]
        for row, (value, rise) in zip(result[len(self._cubics) :], self._linear, strict=True):
            row[:] = value.ravel().take(place) + t * rise.ravel().take(place)
        return result


def _cubics(nodes, norm, slope):
    """Give powers of the distance to the left node, first axis, between nodes, last axis."""
    h = np.diff(nodes)
    rise = np.diff(norm) / h
    second = (3 * rise - 2 * slope[..., :-1] - slope[..., 1:]) / h
    third = (slope[..., :-1] + slope[..., 1:] - 2 * rise) / h**2
    return np.stack([norm[..., :-1], slope[..., :-1], second, third], axis=1)


def _read(name):
    path = importlib.resources.files("szmass") / "data" / "baryons" / f"{name}.json"
    return TabulatedBaryonModel(json.loads(path.read_text(encoding="utf-8")))


for _name in ("tng", "flamingo", "flamingo-all-gas"):
    BARYON_MODELS.add_lazily(_name, partial(_read, _name))
