"""Dynamical states of clusters: the usual definitions, from quantities inside one radius."""

import numpy as np

from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics.checks import broadcast

__all__ = ["CHI_FORMS", "RELAXED_LIMITS", "chi_ds", "is_relaxed"]

#: A cluster is relaxed below all of these (Cui et al. 2018): of Delta_r, f_s and abs(eta - 1).
RELAXED_LIMITS = {"delta_r": 0.04, "f_s": 0.1, "eta": 0.15}

#: What Delta_r, f_s and abs(eta - 1) are divided by in the published forms of chi_DS.
CHI_FORMS = {
    "deluca2021": {"delta_r": 0.1, "f_s": 0.1},
    "haggar2020": {"delta_r": 0.04, "f_s": 0.1, "eta": 0.15},
}


def is_relaxed(delta_r, f_s, eta):
    """Tell relaxed clusters, as Cui et al. (2018) do.

    Parameters
    ----------
    delta_r : float or array-like
        Distance from the density peak to the centre of mass, over the radius.
    f_s : float or array-like
        Fraction of the mass in subhaloes.
    eta : float or array-like
        Virial ratio (2 T - E_s) / abs(W), E_s being the energy of the surface pressure.

    Returns
    -------
    ndarray of bool
        Whether Delta_r < 0.04, f_s < 0.1 and abs(eta - 1) < 0.15; false where one is not known.

    Raises
    ------
    InvalidInputError
        A value is negative, as sentinels for "not known" are, or shapes do not broadcast.
    InvalidUnitError
        A value has a unit: Delta_r is not in kpc.

    References
    ----------
    Cui et al. 2018, MNRAS 480, 2898, with all three inside R200.

    Examples
    --------
    >>> from szmass.physics import is_relaxed
    >>> is_relaxed([0.02, 0.06], 0.08, 1.1)
    array([ True, False])
    """
    values = _deviations(delta_r=delta_r, f_s=f_s, eta=eta)
    return np.all([values[name] < limit for name, limit in RELAXED_LIMITS.items()], axis=0)


def chi_ds(delta_r, f_s, eta=None, *, form="deluca2021"):
    """Give the relaxation parameter chi_DS: the larger, the more relaxed, with 1 near the limit.

    Parameters
    ----------
    delta_r, f_s : float or array-like
        See `is_relaxed`.
    eta : float or array-like, optional
        Virial ratio, which "haggar2020" needs and "deluca2021" does not have.
    form : str, optional
        "deluca2021", sqrt(2 / [(Delta_r/0.1)^2 + (f_s/0.1)^2]), or "haggar2020",
        sqrt(3 / [(Delta_r/0.04)^2 + (f_s/0.1)^2 + (abs(eta-1)/0.15)^2]).

    Returns
    -------
    ndarray or float
        chi_DS; NaN where a value is not known, infinity where all are zero.

    Raises
    ------
    InvalidInputError
        A value is negative, ``eta`` is missing or too many, or shapes do not broadcast.
    InvalidUnitError
        A value has a unit.
    UnknownNameError
        There is no such form.

    References
    ----------
    De Luca et al. 2021, MNRAS 504, 5383; Haggar et al. 2020, MNRAS 492, 6074.

    Examples
    --------
    >>> from szmass.physics import chi_ds
    >>> chi_ds(0.1, 0.1)
    1.0
    >>> round(chi_ds(0.1, 0.1, 1.15, form="haggar2020"), 3)
    0.603
    """
    if form not in CHI_FORMS:
        raise UnknownNameError(
            f"No form of chi_DS is named {form!r}.{did_you_mean(form, list(CHI_FORMS))} "
            f"Known: {', '.join(CHI_FORMS)}."
        )
    scales = CHI_FORMS[form]
    if (eta is not None) != ("eta" in scales):
        raise InvalidInputError(
            f"'eta' must {'be' if 'eta' in scales else 'not be'} given: the form {form!r} of "
            f"chi_DS is of {', '.join(scales)}."
        )
    given = {"delta_r": delta_r, "f_s": f_s, "eta": eta}
    values = _deviations(**{name: given[name] for name in scales})
    total = sum((values[name] / scale) ** 2 for name, scale in scales.items())
    with np.errstate(divide="ignore"):
        chi = np.sqrt(len(scales) / total)
    return chi if chi.ndim else float(chi)


def _deviations(**given):
    """Distances from perfect relaxation by name, as arrays of one shape."""
    values = {name: as_floats(value, "", name) for name, value in given.items()}
    for name, array in values.items():
        if bad := np.count_nonzero(array < 0):
            raise InvalidInputError(
                f"'{name}' must be at least 0, or NaN where it is not known (not -1). Received: "
                f"{array[array < 0].flat[0]:g} ({bad} such values)"
            )
    if "eta" in values:
        values["eta"] = np.abs(values["eta"] - 1)
    return dict(zip(values, broadcast(**values), strict=True))
