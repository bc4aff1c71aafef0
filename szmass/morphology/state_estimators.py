"""The contract of estimators of the dynamical state, the register of them, and their tables."""

from abc import abstractmethod
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.estimators.contract import Estimator, find_estimator
from szmass.exceptions import InvalidInputError
from szmass.morphology.flags import StateFlag
from szmass.physics import get_dynamical_state
from szmass.physics.checks import MASS_RANGE

__all__ = [
    "STATE_COLUMNS",
    "STATE_ESTIMATORS",
    "StateEstimates",
    "StateEstimator",
    "add_states",
    "get_state_estimator",
]

#: All estimators of the dynamical state by tag: our own, and those that other packages declare
#: under the entry-point group ``szmass.state_estimators``.
STATE_ESTIMATORS = Registry("state estimator", entry_point_group="szmass.state_estimators")

#: Columns of a table of states, and what they are.
STATE_COLUMNS = {
    "name": "Name of the cluster",
    "redshift": "Redshift, masked where unknown",
    "log_chi": "log10 of the number of the definition, the larger the more relaxed: the median",
    "log_chi_errn": "Distance from the median down to the 16 % quantile",
    "log_chi_errp": "Distance from the median up to the 84 % quantile",
    "p_relaxed": "Probability that the number is above the limit of the definition",
    "p_prior": "That probability before the map was looked at",
    "method": "Name of the estimator",
    "flag": "Sum of bits, see szmass.morphology.StateFlag",
}
_NUMBERS = tuple(STATE_COLUMNS)[2:7]


@dataclass
class StateEstimates:
    """Plain arrays that an estimator of the state fills, one entry per cluster.

    Parameters
    ----------
    log_chi, log_chi_errn, log_chi_errp : `~numpy.ndarray`
        Median of log10 of the number of the state, and distances to the 16 % and 84 % quantiles.
    p_relaxed, p_prior : `~numpy.ndarray`
        Probability of being relaxed, and what it is without the map.
    flag : `~numpy.ndarray` of int
        Bits of `StateFlag`.
    """

    log_chi: np.ndarray
    log_chi_errn: np.ndarray
    log_chi_errp: np.ndarray
    p_relaxed: np.ndarray
    p_prior: np.ndarray
    flag: np.ndarray

    @classmethod
    def unknown(cls, flag):
        """Make estimates that are all NaN.

        Parameters
        ----------
        flag : array-like of int
            Bits of `StateFlag` that say why, one entry per cluster.

        Returns
        -------
        StateEstimates
            As many as there are flags.
        """
        return cls(*(np.full(len(flag), np.nan) for _ in _NUMBERS), np.array(flag, int))

    def put(self, rows, found):
        """Fill in what was found for some of the clusters.

        Parameters
        ----------
        rows : array-like of int
            Numbers of these clusters.
        found : StateEstimates
            One entry for each.
        """
        for name in (*_NUMBERS, "flag"):
            getattr(self, name)[rows] = getattr(found, name)


class StateEstimator(Estimator):
    """A way to tell the dynamical state of clusters from their maps.

    A sub-class sets the class attributes, takes its options as keyword-only arguments of
    ``__init__``, stores each under its own name unchanged, and implements `_tell`. One option is
    ``definition``, the name of the `~szmass.physics.DynamicalState` that is told. Attributes of
    all estimators, such as ``tag``, ``requires`` and ``references``, are those of
    `~szmass.estimators.Estimator`.
    """

    #: The default of the option.
    definition = "deluca2021"

    @abstractmethod
    def _tell(self, sample):
        """Tell the states of clusters that have a redshift and the columns that are needed.

        It gives `StateEstimates` of one entry per cluster of ``sample``, in order; there is at
        least one. Single cutouts may be empty: such a cluster has the prior, and a flag.
        """

    @property
    def geometry(self):
        """The grid that cutouts should have, or None where any will do."""
        return None

    def predict(self, sample):
        """Tell the dynamical states of the clusters of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters; it is not changed.

        Returns
        -------
        `~astropy.table.QTable`
            One row per cluster in the order of the sample, with the columns of `STATE_COLUMNS`.
            ``meta`` says what the numbers were made with.

        Raises
        ------
        InvalidInputError
            The sample lacks a whole input: no cutouts attached, or no such column; or they are
            other ones than the estimator was made for.
        """
        check_kind(sample, "ClusterSample", "sample")
        found = StateEstimates.unknown(self._missing(sample))
        meta = self._meta(sample)
        for place, told in self._answers(sample, found, self._tell):
            found.put(place, told)
        lost = np.any([~np.isfinite(getattr(found, name)) for name in _NUMBERS], axis=0)
        found.flag[lost & (found.flag == 0)] |= StateFlag.FAILED
        table = QTable(meta=meta)
        table["name"] = np.asarray(sample.names, dtype=str)
        redshift = sample.redshift
        table["redshift"] = MaskedColumn(redshift, dtype=float, mask=np.isnan(redshift))
        for name in _NUMBERS:
            table[name] = np.where(lost, np.nan, getattr(found, name))
        table["method"] = np.full(len(sample), self.tag)
        table["flag"] = found.flag
        for name, text in STATE_COLUMNS.items():
            table[name].info.description = text
        return table

    def _lacking(self, sample, need):
        flag = np.zeros(len(sample), int)
        if need == "redshift":
            low, high = self.redshift_range
            with np.errstate(invalid="ignore"):
                fine = (sample.redshift >= low) & (sample.redshift <= high)
            flag[~fine] = StateFlag.NO_REDSHIFT
        elif need == "complete_cutout":
            flag[~sample.cutouts.footprint.all(axis=(1, 2))] = StateFlag.INCOMPLETE
        elif need != "cutout":
            flag[~_plausible(sample.quantity(need))] = StateFlag.NO_MASS
        return flag

    def _family_meta(self, sample):
        state = get_dynamical_state(self.definition)
        beam = None if sample.cutouts is None else sample.cutouts.beam
        return {
            "szmass": "states",
            "definition": state.name,
            "definition_in_words": state.description,
            "limit": state.limit,
            "beam": None if beam is None else str(beam),
            "references": list(dict.fromkeys((*state.references, *self.references))),
        }


def _plausible(value):
    """Tell which values are positive numbers and, if some are, which masses clusters can have."""
    number = value.value
    with np.errstate(invalid="ignore"):
        known = (number > 0) & np.isfinite(number)
        if value.unit.is_equivalent(u.solMass):
            # A column that is wrong as a whole has other units, which an error says.
            low, high = MASS_RANGE
            mass = value.to_value(u.solMass)
            possible = known & (mass > 10 * low) & (mass < high / 10)
            known = possible if possible.any() else known
    return known


def get_state_estimator(estimator, **options):
    """Look an estimator of the dynamical state up by its tag, or pass one through.

    Parameters
    ----------
    estimator : str or StateEstimator
        A tag in `STATE_ESTIMATORS`, or an instance.
    **options : dict
        Options, for a tag.

    Returns
    -------
    StateEstimator
        The estimator.

    Raises
    ------
    UnknownNameError, InvalidInputError
        As `~szmass.estimators.find_estimator` raises them.

    Examples
    --------
    >>> from szmass.morphology import get_state_estimator
    >>> get_state_estimator("morphology", fits="planck").tag
    'morphology'
    """
    return find_estimator(STATE_ESTIMATORS, StateEstimator, estimator, **options)


def add_states(masses, states):
    """Put the states of clusters beside their masses.

    Parameters
    ----------
    masses : `~astropy.table.Table`
        A table of masses, with names.
    states : `~astropy.table.Table`
        From `StateEstimator.predict`; clusters in any order, not all of them.

    Returns
    -------
    `~astropy.table.Table`
        A copy of ``masses`` with the columns ``log_chi``, ``log_chi_errn``, ``log_chi_errp``,
        ``p_relaxed``, ``p_prior`` and ``state_flag``, NaN and 0 where no state is known;
        ``meta["state"]`` is the meta of the states. Columns of these names are replaced.

    Raises
    ------
    InvalidInputError
        A table has no names, names stand twice in ``states``, none is in both, or ``states`` is
        not a table of states.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from szmass.morphology import add_states
    >>> row = {"name": ["B"], "log_chi": [0.1], "log_chi_errn": [0.2], "log_chi_errp": [0.2]}
    >>> states = Table(row | {"p_relaxed": [0.7], "p_prior": [0.5], "flag": [0]})
    >>> add_states(Table({"name": ["A", "B"]}), states)["p_relaxed"].tolist()
    [nan, 0.7]
    """
    for name, table, wanted in (
        ("masses", masses, ("name",)),
        ("states", states, ("name", *_NUMBERS, "flag")),
    ):
        if missing := [c for c in wanted if c not in getattr(table, "colnames", ())]:
            raise InvalidInputError(
                f"'{name}' must be a table with the columns {', '.join(wanted)}. Missing: "
                f"{', '.join(missing)}"
            )
    places = {str(name): i for i, name in enumerate(states["name"])}
    if len(places) < len(states):
        raise InvalidInputError("'states' must have each name once.")
    rows = np.array([places.get(str(name), -1) for name in masses["name"]], int)
    known = rows >= 0
    if len(masses) and not known.any():
        raise InvalidInputError(
            "'states' must be of the clusters of 'masses': no name is in both. The first are "
            f"{str(masses['name'][0])!r} and {next(iter(places), 'none')!r}."
        )
    result = masses.copy()
    for name in _NUMBERS:
        values = np.full(len(masses), np.nan)
        values[known] = as_floats(states[name], "", name)[rows[known]]
        result[name] = values
        result[name].info.description = STATE_COLUMNS[name]
    flag = np.zeros(len(masses), int)
    flag[known] = np.asarray(states["flag"], int)[rows[known]]
    result["state_flag"] = flag
    result["state_flag"].info.description = STATE_COLUMNS["flag"]
    result.meta["state"] = dict(states.meta)
    return result
