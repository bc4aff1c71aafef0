"""Halo concentrations and NFW mass conversion, on plain arrays, through colossus."""

import contextlib
import threading
import warnings
from functools import lru_cache

import numpy as np

from szmass.exceptions import InvalidInputError, SzmassWarning, UnknownNameError

__all__ = [
    "CONCENTRATION_MODELS",
    "CONCENTRATION_PAPERS",
    "CONCENTRATION_RANGE",
    "colossus_for",
]

# Those of colossus that take arrays of redshift, with the mass definition each is fitted in.
CONCENTRATION_MODELS = {
    "child18": "200c",
    "diemer15": "200c",
    "diemer19": "200c",
    "duffy08": "200c",
    "dutton14": "200c",
    "ishiyama21": "500c",
    "klypin11": "vir",
    "klypin16_nu": "200c",
    "prada12": "200c",
}

#: ADS bibcodes of their papers.
CONCENTRATION_PAPERS = {
    "child18": "2018ApJ...859...55C",
    "diemer15": "2015ApJ...799..108D",
    "diemer19": "2019ApJ...871..168D",
    "duffy08": "2008MNRAS.390L..64D",
    "dutton14": "2014MNRAS.441.3359D",
    "ishiyama21": "2021MNRAS.506.4210I",
    "klypin11": "2011ApJ...740..102K",
    "klypin16_nu": "2016MNRAS.457.4340K",
    "prada12": "2012MNRAS.423.3018P",
}

#: Concentrations outside are taken for a mistake.
CONCENTRATION_RANGE = (0.1, 1000.0)

# Used where an astropy cosmology does not carry them in ``meta``: Planck 2018 VI, as Planck18 has.
_SIGMA8 = 0.8102
_SPECTRAL_INDEX = 0.9665

_lock = threading.Lock()
_storage = None


@contextlib.contextmanager
def colossus_for(cosmology):
    """Set the global cosmology of colossus, and put everything back as it was.

    Parameters
    ----------
    cosmology : `~astropy.cosmology.FLRW`
        With Ob0; sigma8 and n come from its ``meta``, where missing from Planck 2018.

    Yields
    ------
    module
        ``colossus.halo.concentration``.

    Raises
    ------
    InvalidInputError
        Colossus has no such cosmology, or the density of baryons is not known.
    """
    global _storage
    from colossus.cosmology import cosmology as colossus_cosmology
    from colossus.halo import concentration
    from colossus.utils.storage import StorageUser

    ours = _build(*_parameters(cosmology))
    with _lock:
        if _storage is None:
            # colossus would pickle its c(G, n) table into the home folder, where two processes
            # starting together can read each other's half-written file; it takes 50 ms to compute.
            _storage = StorageUser("halo.concentration", "", *([lambda: "concentration"] * 2), None)
        cosmology_before = colossus_cosmology.current_cosmo
        storage_before = getattr(concentration, "storageUser", None)
        colossus_cosmology.setCurrent(ours)
        concentration.storageUser = _storage
        try:
            yield concentration
        finally:
            colossus_cosmology.setCurrent(cosmology_before)
            concentration.storageUser = storage_before


def _parameters(cosmology):
    """Give what colossus's cosmology is built from, as a tuple of (name, value)."""
    from astropy.cosmology import LambdaCDM, w0waCDM, wCDM

    dark_energy = {}
    if isinstance(cosmology, wCDM):
        dark_energy = {"de_model": "w0", "w0": float(cosmology.w0)}
    elif isinstance(cosmology, w0waCDM):
        dark_energy = {
            "de_model": "w0wa",
            "w0": float(cosmology.w0),
            "wa": float(cosmology.wa),
        }
    elif not isinstance(cosmology, LambdaCDM):
        raise InvalidInputError(
            "A concentration model needs a LambdaCDM, wCDM or w0waCDM cosmology; give the "
            f"concentration as a number instead. Received: {cosmology!r}"
        )
    if not cosmology.Ob0:
        raise InvalidInputError(
            "A concentration model needs the baryon density: give a 'cosmology' with Ob0, for "
            "instance FlatLambdaCDM(H0=70, Om0=0.3, Ob0=0.05), or the concentration as a number. "
            f"Received: {cosmology!r}"
        )
    temperature = float(cosmology.Tcmb0.to_value("K"))
    parameters = {
        "flat": bool(cosmology.Ok0 == 0),
        "H0": float(cosmology.H0.to_value("km / (s Mpc)")),
        "Om0": float(cosmology.Om0),
        "Ode0": float(cosmology.Ode0),
        "Ob0": float(cosmology.Ob0),
        "sigma8": float(cosmology.meta.get("sigma8", _SIGMA8)),
        "ns": float(cosmology.meta.get("n", _SPECTRAL_INDEX)),
        "relspecies": temperature > 0,
        "Tcmb0": temperature or 2.7255,  # also sets the transfer function
        "Neff": float(cosmology.Neff),
    }
    return tuple((parameters | dark_energy).items())


@lru_cache(maxsize=16)
def _build(*parameters):
    # Kept because its power spectrum and its variance are tabulated on first use (40 ms).
    from colossus.cosmology.cosmology import Cosmology

    return Cosmology(name="szmass", persistence="", **dict(parameters))


def check_model(model):
    """Give the name of a known concentration model back, or list them."""
    if model not in CONCENTRATION_MODELS:
        raise UnknownNameError(
            f"No concentration model is named {model!r}. Known: "
            f"{', '.join(sorted(CONCENTRATION_MODELS))}; or give the concentration as a number."
        )
    return model


def _nfw_mass(x):
    return np.log1p(x) - x / (1 + x)


def nfw_convert(mass, concentration, density_from, density_to):
    """Mass of NFW haloes inside the density ``density_to``, from that inside ``density_from``."""
    from colossus.halo.profile_nfw import NFWProfile

    central = density_from * concentration**3 / (3 * _nfw_mass(concentration))
    # colossus tabulates r / r_s from 1e-4 to 1e4; inside 1e-3 rounding begins to show.
    widest, densest = (3 * _nfw_mass(x) / x**3 for x in (1e3, 1e-3))
    if np.any((density_to < widest * central) | (density_to > densest * central)):
        raise InvalidInputError(
            "The mass definitions lie too far apart: the radius of one of them is not between "
            "0.001 and 1000 scale radii of the halo."
        )
    x = NFWProfile.xDelta(central, density_to)
    return mass * _nfw_mass(x) / _nfw_mass(concentration)


def model_mass(mass, redshift, density_from, density_model, model, cosmology):
    """Mass [Msun] and concentration R / r_s in the definition of a model; one-dimensional."""
    log_mass = np.log(mass)
    guess = log_mass.copy()
    with colossus_for(cosmology) as colossus:
        for _ in range(60):
            native = np.exp(guess)
            concentration, calibrated = colossus.concentration(
                native * cosmology.h,
                CONCENTRATION_MODELS[model],
                redshift,
                model=model,
                range_return=True,
            )
            if not np.all(concentration > 0):
                worst = np.argmin(concentration)
                raise InvalidInputError(
                    f"The concentration model {model!r} has no value for a mass of "
                    f"{mass[worst]:g} solMass at redshift {redshift[worst]:g}."
                )
            found = nfw_convert(native, concentration, density_model, density_from)
            step = log_mass - np.log(found)
            guess += step
            if np.all(np.abs(step) < 1e-12):
                break
        else:
            raise InvalidInputError(
                f"The concentration model {model!r} leaves the mass conversion without a "
                "solution; choose another model or give the concentration as a number."
            )
    if not np.all(calibrated):
        warnings.warn(
            f"{np.count_nonzero(~np.asarray(calibrated))} halo(es) lie outside the range of mass "
            f"and redshift in which the concentration model {model!r} is calibrated.",
            SzmassWarning,
            stacklevel=4,
        )
    return np.exp(guess), concentration
