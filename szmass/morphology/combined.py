"""One number of several parameters of morphology."""

from collections.abc import Mapping

import numpy as np

from szmass._tables.columns import column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError, UnknownNameError

__all__ = ["combine_morphology"]

#: Parameters of the published combinations, and the sign of how they grow with disturbance.
_FORMS = {
    "campitiello2022": {"concentration": -1, "centroid_shift": 1, "p2_p0": 1, "p3_p0": 1},
    "deluca2021": {
        "asymmetry": 1,
        "concentration": -1,
        "centroid_shift": 1,
        "p3_p0": 1,
        "gaussian": -1,
        "strip": 1,
    },
}


def combine_morphology(table, *, form="campitiello2022", weights=None, reference=None):
    """Combine parameters into M: the larger, the more disturbed.

    M = sum_i W_i s_i (log10 V_i - m_i) / sigma_i / sum_i W_i, s_i being -1 for parameters that are
    larger in relaxed clusters (concentration, Gaussian fit) and 1 for the others.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Parameters, as from `measure_morphology`.
    form : {"campitiello2022", "deluca2021"} or dict, optional
        Which parameters: c, w, P2/P0 and P3/P0; or asymmetry, c, w, P3/P0, Gaussian fit and strip;
        or a sign for each name.
    weights : dict, optional
        W of each parameter, positive; 1 by default. Those of De Luca et al. (2021) were not at
        hand: give them for their M.
    reference : dict, optional
        Mean m and standard deviation sigma of log10 V, a pair for each parameter, of the sample to
        be compared with. By default those of the table.

    Returns
    -------
    `~numpy.ndarray`
        M of each row; NaN where a parameter is missing or not positive.

    Raises
    ------
    UnknownNameError
        There is no such form.
    InvalidInputError
        A column is missing, weights or reference are not of its parameters, or the table has fewer
        than two rows to give mean and standard deviation.

    References
    ----------
    Campitiello et al. 2022, A&A 665, A117; Cialone et al. 2018, MNRAS 477, 139; De Luca et al.
    2021, MNRAS 504, 5383.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from szmass.morphology import combine_morphology
    >>> table = Table({"concentration": [0.4, 0.1], "centroid_shift": [0.002, 0.05]})
    >>> signs = {"concentration": -1, "centroid_shift": 1}
    >>> reference = {"concentration": (-0.7, 0.3), "centroid_shift": (-2.0, 0.4)}
    >>> combine_morphology(table, form=signs, reference=reference)
    array([-1.37714582,  1.37371251])
    """
    if isinstance(form, str):
        if form not in _FORMS:
            raise UnknownNameError(
                f"No combination is named {form!r}.{did_you_mean(form, list(_FORMS))} "
                f"Known: {', '.join(_FORMS)}."
            )
        signs = _FORMS[form]
    else:
        signs = dict(form) if isinstance(form, Mapping) else {}
    check_kind(table, "Table", "table")
    if not signs or any(sign not in (-1, 1) for sign in signs.values()):
        raise InvalidInputError(f"'form' must give a sign, 1 or -1, per name. Received: {form!r}")
    weights = _of_each(weights, signs, "weights", 1.0)
    reference = None if reference is None else _of_each(reference, signs, "reference", None)
    total, norm = 0.0, 0.0
    for name, sign in signs.items():
        if name not in table.colnames:
            raise InvalidInputError(
                f"The table has no column {name!r}. It has: {', '.join(table.colnames)}."
            )
        values, mask, _ = column_parts(table[name])
        values = np.where(mask, np.nan, np.asarray(values, float))
        log = np.log10(np.where(values > 0, values, np.nan))
        if reference is None:
            known = log[np.isfinite(log)]
            if len(known) < 2 or not np.std(known) > 0:
                raise InvalidInputError(
                    f"{name!r} has no mean and standard deviation in this table "
                    f"({len(known)} values): give 'reference'."
                )
            mean, sigma = np.mean(known), np.std(known, ddof=1)
        else:
            pair = as_floats(reference[name], "", f"reference[{name!r}]", finite=True)
            if pair.shape != (2,):
                raise InvalidInputError(
                    f"'reference' must have mean and standard deviation of {name!r}. "
                    f"Received: {reference[name]!r}"
                )
            mean, sigma = pair
            as_floats(sigma, "", f"standard deviation of {name}", positive=True)
        weight = as_floats(weights[name], "", f"weights[{name!r}]", positive=True, finite=True)
        if weight.ndim:
            raise InvalidInputError(f"'weights' must have one number of {name!r}.")
        total, norm = total + weight * sign * (log - mean) / sigma, norm + weight
    return total / norm


def _of_each(given, signs, name, default):
    if given is None:
        return dict.fromkeys(signs, default)
    if not isinstance(given, Mapping) or set(given) != set(signs):
        raise InvalidInputError(
            f"'{name}' must be of {', '.join(signs)}, a dict. Received: {given!r:.200}"
        )
    return given
