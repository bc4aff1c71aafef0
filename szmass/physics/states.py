"""Dynamical states of clusters: the usual definitions, from quantities inside one radius."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics.checks import broadcast

__all__ = [
    "CHI_FORMS",
    "DYNAMICAL_STATES",
    "RELAXED_LIMITS",
    "DynamicalState",
    "chi_ds",
    "get_dynamical_state",
    "is_relaxed",
    "relaxedness",
]

#: A cluster is relaxed below all of these (Cui et al. 2018): of Delta_r, f_s and abs(eta - 1).
RELAXED_LIMITS = {"delta_r": 0.04, "f_s": 0.1, "eta": 0.15}

#: What Delta_r, f_s and abs(eta - 1) are divided by in the published forms of chi_DS.
CHI_FORMS = {
    "deluca2021": {"delta_r": 0.1, "f_s": 0.1},
    "haggar2020": {"delta_r": 0.04, "f_s": 0.1, "eta": 0.15},
}

# Thresholds and weights as polynomials of redshift, lowest power first, and what an indicator has
# in perfect relaxation, of Valles-Perez et al. (2023).
_INDICATORS = {
    "delta_r": ((0.0849,), (0.1679, 0.0423), 0.0),
    "eta": ((1.3383, 0.197, -0.0276), (0.1965, -0.1037, 0.0134), 1.0),
    "radial_velocity": ((0.0718, 0.0056), (0.1370, 0.0364), 0.0),
    "sparsity": ((1.491, 0.064, -0.031, 0.0060), (0.2327, 0.051, -0.0153), 1.0),
    "ellipticity": ((0.2696,), (0.2603, -0.0181), 0.0),
}
# Beyond, the virial ratio does not count; and weights below so much do not.
_HIGHEST_OF_ETA, _LEAST_WEIGHT = 4.0, 0.05


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
    if form not in list(CHI_FORMS):
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
    _refuse_negative(values)
    if "eta" in values:
        values["eta"] = np.abs(values["eta"] - 1)
    return dict(zip(values, broadcast(**values), strict=True))


def _refuse_negative(values):
    for name, array in values.items():
        if bad := np.count_nonzero(array < 0):
            raise InvalidInputError(
                f"'{name}' must be at least 0, or NaN where it is not known (not -1). Received: "
                f"{array[array < 0].flat[0]:g} ({bad} such values)"
            )


def relaxedness(delta_r, eta, radial_velocity, sparsity, ellipticity, *, redshift=0.0):
    """Give the relaxedness of Valles-Perez et al. (2023), and which haloes are totally relaxed.

    chi = [sum_i w_i (X_i / X_i,thr)^2]^(-1/2), where eta and sparsity count from 1.

    Parameters
    ----------
    delta_r : float or array-like
        Distance from the density peak to the centre of mass, over the virial radius.
    eta : float or array-like
        Virial ratio 2 T / abs(W).
    radial_velocity : float or array-like
        Mean radial velocity, its modulus over the circular velocity at the virial radius.
    sparsity : float or array-like
        M200c / M500c.
    ellipticity : float or array-like
        1 - c/a of the mass.
    redshift : float or array-like, optional
        Thresholds and weights depend on it.

    Returns
    -------
    chi : ndarray or float
        The larger, the more relaxed; below 1 a halo is unrelaxed. NaN where a value is not known.
    total : ndarray of bool
        Whether all indicators are within their thresholds; false where one is not known.

    Raises
    ------
    InvalidInputError
        A value is negative, or shapes do not broadcast.
    InvalidUnitError
        A value has a unit.

    Notes
    -----
    Numbers are those of the public code of the authors. It lets an indicator without weight count
    for ``total`` all the same, and so does this. All are of the virial radius. A polynomial of a
    weight that is negative, as that of eta at redshifts of 3.4 to 4, counts as no weight.

    References
    ----------
    Valles-Perez et al. 2023, MNRAS 519, 6111.

    Examples
    --------
    >>> from szmass.physics import relaxedness
    >>> chi, total = relaxedness(0.05, [1.1, 1.6], 0.03, 1.4, 0.2)
    >>> chi.round(3), total
    (array([1.583, 0.998]), array([ True, False]))
    """
    given = {
        "delta_r": delta_r,
        "eta": eta,
        "radial_velocity": radial_velocity,
        "sparsity": sparsity,
        "ellipticity": ellipticity,
        "redshift": redshift,
    }
    values = {name: as_floats(value, "", name) for name, value in given.items()}
    _refuse_negative(values)
    values = dict(zip(values, broadcast(**values), strict=True))
    z = values.pop("redshift")
    polynomial = np.polynomial.polynomial.polyval
    weights = np.array([polynomial(z, _INDICATORS[name][1]) * np.ones_like(z) for name in values])
    weights[list(values).index("eta")] *= z <= _HIGHEST_OF_ETA
    weights /= weights.sum(axis=0)
    while np.any(small := (weights != 0) & (weights < _LEAST_WEIGHT)):
        weights[small] = 0
        weights /= weights.sum(axis=0)
    scaled = np.array(
        [
            (value - relaxed) / (polynomial(z, threshold) - relaxed)
            for value, (threshold, _, relaxed) in zip(
                values.values(), (_INDICATORS[name] for name in values), strict=True
            )
        ]
    )
    with np.errstate(divide="ignore"):
        chi = np.sum(weights * scaled**2, axis=0) ** -0.5
    total = np.all(scaled <= 1, axis=0)
    return (chi, total) if chi.ndim else (float(chi), bool(total))


@dataclass(frozen=True, kw_only=True)
class DynamicalState:
    """A definition of the dynamical state, from columns of the truth of simulated clusters.

    Parameters
    ----------
    name : str
        Its name, such as "deluca2021".
    columns : tuple of str
        What it is made of: arguments of ``function``, by name.
    function : callable
        Called with these as arrays; gives a number of each cluster, larger for more relaxed ones.
    limit : float
        Clusters are relaxed above it.
    description : str
        The definition in words.
    references : tuple of str
        ADS bibcodes.
    """

    name: str
    columns: tuple
    function: Callable
    limit: float
    description: str
    references: tuple

    def measure(self, table):
        """Give the number of each cluster of a table.

        Parameters
        ----------
        table : `~astropy.table.Table` or dict
            With the ``columns``; masked values are not known.

        Returns
        -------
        `~numpy.ndarray`
            The number, larger for more relaxed clusters; NaN where a value is not known.

        Raises
        ------
        InvalidInputError
            A column is missing, or a value is negative.
        """
        names = getattr(table, "colnames", table)
        if missing := [name for name in self.columns if name not in names]:
            raise InvalidInputError(
                f"The state {self.name!r} needs the columns {', '.join(self.columns)}; the table "
                f"has no {', '.join(missing)}."
            )
        columns = {name: as_floats(table[name], "", name) for name in self.columns}
        return np.asarray(self.function(**columns), float)

    def relaxed(self, table):
        """Tell the relaxed clusters of a table.

        Parameters
        ----------
        table : `~astropy.table.Table` or dict
            As for `measure`.

        Returns
        -------
        ndarray of bool
            Whether the number is above the limit; false where it is not known.

        Raises
        ------
        InvalidInputError
            As from `measure`.
        """
        return self.measure(table) > self.limit


def _cui2018(**values):
    """How many times each quantity fits into its limit, the least of them."""
    deviations = _deviations(**values)
    with np.errstate(divide="ignore"):
        return np.min([RELAXED_LIMITS[name] / deviations[name] for name in deviations], axis=0)


def _lambda_ds(lambda_ds):
    _refuse_negative({"lambda_ds": lambda_ds})
    return lambda_ds


def _relaxedness(**values):
    return relaxedness(**values)[0]


#: Definitions of the dynamical state by name.
DYNAMICAL_STATES = Registry("dynamical state")

for _state in (
    DynamicalState(
        name="deluca2021",
        columns=("delta_r", "f_s"),
        function=chi_ds,
        limit=1.0,
        description="chi_DS of Delta_r and f_s inside R200c, each over 0.1",
        references=("2021MNRAS.504.5383D",),
    ),
    DynamicalState(
        name="haggar2020",
        columns=("delta_r", "f_s", "eta"),
        function=lambda **values: chi_ds(**values, form="haggar2020"),
        limit=1.0,
        description="chi_DS of Delta_r, f_s and eta inside R200c, over the limits of Cui et al.",
        references=("2020MNRAS.492.6074H",),
    ),
    DynamicalState(
        name="cui2018",
        columns=("delta_r", "f_s", "eta"),
        function=_cui2018,
        limit=1.0,
        description=(
            "Delta_r < 0.04, f_s < 0.1 and |eta - 1| < 0.15 inside R200c: the least of the limits "
            "over the quantities"
        ),
        references=("2018MNRAS.480.2898C",),
    ),
    DynamicalState(
        name="zhang2022",
        columns=("lambda_ds",),
        function=_lambda_ds,
        limit=3.424,
        description=(
            "lambda_DS > 3.424, as a column: the abstract gives the limit, and the formula was not "
            "at hand"
        ),
        references=("2022MNRAS.516...26Z",),
    ),
    DynamicalState(
        name="vallesperez2023",
        columns=("delta_r", "eta", "radial_velocity", "sparsity", "ellipticity", "redshift"),
        function=_relaxedness,
        limit=1.0,
        description="relaxedness of five indicators inside the virial radius, by redshift",
        references=("2023MNRAS.519.6111V",),
    ),
):
    DYNAMICAL_STATES.add(_state.name, _state)


def get_dynamical_state(state):
    """Look a definition of the dynamical state up by name, or pass one through.

    Parameters
    ----------
    state : str or DynamicalState
        A name in `DYNAMICAL_STATES`, or a definition.

    Returns
    -------
    DynamicalState
        The definition.

    Raises
    ------
    UnknownNameError
        There is no such definition.
    InvalidInputError
        It is neither.

    Examples
    --------
    >>> from szmass.physics import get_dynamical_state
    >>> truth = {"delta_r": [0.02, 0.06], "f_s": [0.08, 0.14], "eta": [1.1, 1.2]}
    >>> get_dynamical_state("deluca2021").measure(truth).round(2)
    array([1.71, 0.93])
    >>> get_dynamical_state("cui2018").relaxed(truth)
    array([ True, False])
    """
    expected = "a name such as 'deluca2021', or a DynamicalState"
    return DYNAMICAL_STATES.resolve(state, DynamicalState, "state", expected)
