"""Noise of Planck: table of its matched multi-frequency filters, and a formula for its y-maps."""

from os import PathLike

import astropy.units as u
import numpy as np

from szmass._utils.kinds import as_path
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.maps.noise._power import beam_power
from szmass.maps.noise.depth import TabulatedDepth

__all__ = ["MMFNoiseTable"]

_FILES = ("SZ_thetas.txt", "SZ_skyfracs.txt", "SZ_ylims.txt")

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

# Range of theta500 [arcmin] over which the ratio of a patch to the median is one number.
_DEPTH_RANGE = (0.9, 12.0)


class MMFNoiseTable:
    """Noise of Y500 by filter size and patch of the sky.

    Parameters
    ----------
    theta500 : `~astropy.units.Quantity`
        Sizes of the filters, increasing.
    sky_fraction : array-like
        Part of the sky that each patch covers.
    sigma_y500 : `~astropy.units.Quantity`
        Noise of Y500 in units of a solid angle, shape (sizes, patches).

    Raises
    ------
    InvalidInputError
        Shapes do not match, sizes do not increase, or a value is not positive.

    References
    ----------
    Planck Collaboration 2015 XXIV, A&A 594, A24 (2016A&A...594A..24P).
    """

    def __init__(self, theta500, sky_fraction, sigma_y500):
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True)
        fraction = as_floats(sky_fraction, "", "sky_fraction", positive=True, finite=True)
        sigma = as_floats(sigma_y500, u.arcmin**2, "sigma_y500", positive=True, finite=True)
        if theta.ndim != 1 or sigma.shape != theta.shape + fraction.shape or fraction.ndim != 1:
            raise InvalidInputError(
                "'sigma_y500' must have the shape (sizes, patches). Received: shape "
                f"{sigma.shape} with {theta.size} sizes and {fraction.size} patches"
            )
        if theta.size < 2 or np.any(np.diff(theta) <= 0):
            raise InvalidInputError("'theta500' must have 2 or more increasing sizes.")
        self._theta, self._fraction, self._sigma = theta, fraction, sigma

    def __repr__(self):
        return (
            f"<MMFNoiseTable: {len(self._theta)} sizes {self._theta[0]:.2f}-{self._theta[-1]:.1f} "
            f"arcmin x {len(self._fraction)} patches, sky fraction {self._fraction.sum():.3f}>"
        )

    theta500 = property(lambda self: self._theta * u.arcmin, doc="Sizes of the filters.")
    sky_fraction = property(
        lambda self: self._fraction.copy(), doc="Part of the sky in each patch."
    )

    @classmethod
    def read(cls, path):
        """Read the three text files of the likelihood.

        Parameters
        ----------
        path : path-like
            The folder with SZ_thetas.txt, SZ_skyfracs.txt and SZ_ylims.txt (sizes [arcmin], sky
            fractions, and sigma of Y500 [arcmin2], all patches of the first size first).

        Returns
        -------
        MMFNoiseTable
            The table.

        Raises
        ------
        FileNotFoundError
            A file is missing.
        FileFormatError
            A file does not hold numbers, or not as many as the other two say.
        """
        columns = []
        for name in _FILES:
            file = as_path(path) / name
            if not file.is_file():
                raise FileNotFoundError(
                    f"There is no file {str(file)!r}. 'path' must be the folder that holds "
                    + ", ".join(_FILES)
                )
            try:
                columns.append(np.array(file.read_text().split(), dtype=float))
            except ValueError as err:
                raise FileFormatError(f"{str(file)!r} must hold numbers only: {err}") from err
        theta, fraction, sigma = columns
        if sigma.size != theta.size * fraction.size:
            raise FileFormatError(
                f"{_FILES[2]} must have {theta.size} x {fraction.size} = "
                f"{theta.size * fraction.size} numbers, one per size and patch. "
                f"It has {sigma.size}: it may be truncated."
            )
        sigma = sigma.reshape(theta.size, fraction.size)
        try:
            return cls(theta * u.arcmin, fraction, sigma * u.arcmin**2)
        except InvalidInputError as err:
            raise FileFormatError(
                f"The files in {str(path)!r} are not the noise table: {err}"
            ) from err

    def sigma_y500(self, theta500, *, patch=None):
        """Give the noise of Y500, linear in log-log between the sizes.

        Parameters
        ----------
        theta500 : `~astropy.units.Quantity`
            Size of the filter. Outside the table it takes that of the nearest size.
        patch : int or array-like of int or "all", optional
            Patches, broadcast against ``theta500``; "all" adds an axis of all patches at the
            end. By default the median of the patches.

        Returns
        -------
        `~astropy.units.Quantity`
            sigma of Y500 [arcmin2].

        Raises
        ------
        InvalidInputError
            A size is not positive, or there is no such patch.
        """
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True)
        position = np.interp(np.log(theta), np.log(self._theta), np.arange(len(self._theta)))
        lower = np.minimum(np.nan_to_num(position).astype(int), len(self._theta) - 2)
        log = np.log(self._sigma)
        step = position - lower
        if patch is None:
            log = np.log(np.median(self._sigma, axis=1))
            values = log[lower] * (1 - step) + log[lower + 1] * step
        elif isinstance(patch, str) and patch == "all":
            values = log[lower] * (1 - step)[..., None] + log[lower + 1] * step[..., None]
        else:
            patch = self._check_patch(patch)
            values = log[lower, patch] * (1 - step) + log[lower + 1, patch] * step
        return np.exp(values) * u.arcmin**2

    def _check_patch(self, patch):
        patch = np.asarray(patch)
        if patch.dtype.kind not in "iu" or np.any((patch < 0) | (patch >= len(self._fraction))):
            raise InvalidInputError(
                f"'patch' must be whole numbers from 0 to {len(self._fraction) - 1}. "
                f"Received: {patch}"
            )
        return patch

    def depth(self):
        """Give the distribution of the noise amplitude over the patches.

        Returns
        -------
        TabulatedDepth
            Geometric mean, over theta500 from 0.9 to 12 arcmin, of the ratio to the median patch,
            weighted by sky fraction.
        """
        use = (self._theta > _DEPTH_RANGE[0]) & (self._theta < _DEPTH_RANGE[1])
        if not use.any():
            raise InvalidInputError(
                "The table has no size between 0.9 and 12 arcmin to take the depth from."
            )
        log = np.log(self._sigma[use])
        factors = np.exp(np.mean(log - np.median(log, axis=1, keepdims=True), axis=0))
        return TabulatedDepth(factors, self._fraction)


def _formula(ell, amplitude, slope, knee):
    return amplitude * (ell / 500) ** slope * (1 + (ell / knee) ** 4)


def _arguments(parameters, meta):
    power = _formula(_ELL, *parameters) * beam_power(_ELL, _BEAM)
    names = ("amplitude", "slope", "knee")
    meta.update(zip(names, map(float, parameters), strict=True))
    return {"ell": _ELL, "spectrum": power * u.sr, "beam": _BEAM, "meta": meta}


def planck_noise(kind):
    """Arguments of the `NoiseModel` of the fitting formula, without depth."""
    if kind not in _PARAMETERS:
        raise UnknownNameError(
            f"No Planck noise is named {kind!r}. Known: {', '.join(map(repr, _PARAMETERS))}."
        )
    return _arguments(_PARAMETERS[kind], {"source": f"planck {kind}"})


def fit_noise(table, patch):
    """Arguments of the `NoiseModel` of the formula closest to a table or a patch of it."""
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
