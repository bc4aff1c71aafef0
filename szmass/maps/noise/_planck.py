"""Noise of the Planck y-maps: a fitting formula, and its fit to the matched filters' table."""

from os import PathLike

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps.noise._power import beam_power
from szmass.maps.noise.mmf import MMFNoiseTable

__all__ = ["analytic", "fit_table"]

# A [sr], a, l0 of N_l = A (l / 500)^a [1 + (l / l0)^4] before the beam. "total": fit to the median
# patch of the filter noise. "instrument": fit to half the difference of the FIRST and LAST MILCA
# maps in the Coma field over 30 < l < 2200, brought to an rms of 1.23e-6 above l = 66.
_PARAMETERS = {
    "total": (4.54e-17, -0.361, 1348.0),
    "instrument": (2.216e-17, -0.1316, 1221.0),
}
_BEAM = 10 * u.arcmin
# Multipoles of the tables. The formula is no measurement of larger scales, and would diverge.
_ELL = np.geomspace(30, 6000, 1200)
# Filter sizes [arcmin] that are fitted, and the lowest multipole that tells them. Beyond 55 arcmin
# Planck's filters lose more than any spectrum of a y-map takes from them: templates are as large as
# the patches.
_FITTED, _LOWEST = (0.9, 55.0), 66.0


def _formula(ell, amplitude, slope, knee):
    return amplitude * (ell / 500) ** slope * (1 + (ell / knee) ** 4)


def _arguments(parameters, meta):
    power = _formula(_ELL, *parameters) * beam_power(_ELL, _BEAM)
    names = ("amplitude", "slope", "knee")
    meta.update(zip(names, map(float, parameters), strict=True))
    return {"ell": _ELL, "spectrum": power * u.sr, "beam": _BEAM, "meta": meta}


def analytic(kind):
    """Arguments of the NoiseModel of the fitting formula."""
    if kind not in _PARAMETERS:
        raise UnknownNameError(
            f"No Planck noise is named {kind!r}. Known: {', '.join(map(repr, _PARAMETERS))}."
        )
    return _arguments(_PARAMETERS[kind], {"source": f"planck {kind}"})


def fit_table(table, patch):
    """Arguments of the NoiseModel whose matched-filter noise is closest to the table."""
    from scipy.optimize import least_squares

    from szmass.physics.templates import filter_weights, get_scale_free_profile

    if isinstance(table, str | PathLike):
        table = MMFNoiseTable.read(table)
    if not isinstance(table, MMFNoiseTable):
        raise InvalidInputError(
            f"'table' must be an MMFNoiseTable or its folder. Received: {type(table).__name__}"
        )
    sizes = table.theta500
    sizes = sizes[(sizes.value > _FITTED[0]) & (sizes.value < _FITTED[1])]
    if len(sizes) < 4:
        raise InvalidInputError("The table must have 4 or more sizes between 0.9 and 55 arcmin.")
    wanted = np.log(table.sigma_y500(sizes, patch=patch).to_value(u.sr))
    if wanted.ndim != 1:
        raise InvalidInputError(f"'patch' must be one number. Received: {patch!r}")
    ell = np.geomspace(_LOWEST, _ELL[-1], 1000)
    profile = get_scale_free_profile("arnaud2010")
    weights = filter_weights(sizes.to_value(u.rad), ell, profile)

    def misfit(log):
        noise = _formula(ell, np.exp(log[0]), log[1], np.exp(log[2]))
        return -0.5 * np.log(weights @ (1 / noise)) - wanted

    start = _PARAMETERS["total"]
    found = least_squares(misfit, [np.log(start[0]), start[1], np.log(start[2])])
    parameters = np.exp(found.x[0]), found.x[1], np.exp(found.x[2])
    meta = {
        "source": "mmf table" if patch is None else f"mmf table, patch {int(patch)}",
        "misfit_rms": float(np.sqrt(np.mean(found.fun**2))),
        "misfit_max": float(np.max(np.abs(found.fun))),
    }
    return {**_arguments(parameters, meta), "depth": table.depth() if patch is None else None}
