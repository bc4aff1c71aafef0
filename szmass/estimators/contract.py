"""What estimators of all families have in common, whatever they tell of clusters.

`~szmass.estimators.MassEstimator` and `~szmass.morphology.StateEstimator` are families. A new
family is made of

1. a sub-class of `Estimator` with an abstract method that tells what is wanted of clusters that
   lack nothing, as an object with an array ``flag``; with ``_lacking``, which flags single
   clusters; and with a ``predict``, which keeps the row of every cluster:
   ``self._missing(sample)`` gives the flags, ``self._answers(sample, estimates, self._method)``
   the answers for the clusters without one, and ``self._meta(sample)`` what they were made with;
2. a register, ``Registry("... estimator", entry_point_group="szmass...")``, in which
   `find_estimator` looks tags up;
3. checks: a sub-class of `~szmass.estimators.contract_checks.ContractChecks`, which has those
   that all families share, with its own; ``functions()`` gives them to pytest.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.version import __version__

__all__ = ["Estimator", "find_estimator"]

Kind = TypeVar("Kind", bound="Estimator")


class Estimator(ABC):
    """Base of all families of estimators: what one declares, needs, and writes into ``meta``.

    A sub-class sets the class attributes, takes its options as keyword-only arguments of
    ``__init__``, and stores each under its own name unchanged. Options are looked at when it is
    used, not before.

    What the class attributes say goes into the ``meta`` of the results, where plots, reports and
    `~szmass.citations.cite` read it; where it depends on options, `needs` and ``_extra_meta``
    say it instead.
    """

    #: Unique name, as on the command line.
    tag: Any = None
    #: One line for lists.
    description = ""
    #: What a cluster must have: ``"redshift"``, ``"cutout"``, ``"complete_cutout"`` (wholly
    #: inside the map), or the name of a column such as ``"y5r500"``.
    requires: frozenset[str] = frozenset()
    #: Lowest and highest redshift that it takes, where it needs one: nearer, velocities hide
    #: the distance; beyond, a number stands for "not known".
    redshift_range: tuple[float, float] = (0.001, 5.0)
    #: How many clusters it is given at a time, None for all; it bounds the memory that is taken
    #: and changes no number.
    at_a_time: int | None = None
    #: ADS bibcodes of the papers to cite.
    references: tuple[str, ...] = ()
    #: Packages to cite, beside szmass and astropy.
    software: tuple[str, ...] = ("numpy", "scipy")

    @abstractmethod
    def _lacking(self, sample: ClusterSample, need: str) -> NDArray[np.int_]:
        """Flags (N,) of the clusters that lack one of `needs`, which the sample has as a whole."""

    @property
    def needs(self) -> frozenset[str]:
        """What a cluster must have under the present options, in words of `requires`."""
        return frozenset(self.requires)

    def _family_meta(self, sample: ClusterSample) -> dict[str, Any]:
        """Give what all estimators of a family add to ``meta``."""
        return {}

    def _extra_meta(self, sample: ClusterSample) -> dict[str, Any]:
        """Give what one estimator adds to ``meta``: cosmology, digest of a model card, ..."""
        return {}

    @property
    def options(self) -> dict[str, Any]:
        """Options of this estimator by name."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return self._described(repr)

    def _described(self, show: Callable[[Any], str]) -> str:
        options = ", ".join(f"{name}={show(value)}" for name, value in self.options.items())
        return f"{type(self).__name__}({options})"

    def _missing(self, sample: ClusterSample) -> NDArray[np.int_]:
        """Flags (N,) of what clusters lack; an error where the sample lacks it as a whole."""
        flag = np.zeros(len(sample), int)
        for need in sorted(self.needs, key=str):
            self._require_whole(sample, need)
            flag |= self._lacking(sample, need)
        return flag

    def _require_whole(self, sample: ClusterSample, need: str) -> None:
        if need in ("cutout", "complete_cutout") and sample.cutouts is None:
            raise InvalidInputError(
                f"The estimator {self.tag!r} needs cutouts and the sample has none: call "
                "sample.attach_cutouts(compton_map) first."
            )
        known = ("redshift", "cutout", "complete_cutout", *sample.table.colnames)
        if need not in known:
            raise InvalidInputError(
                f"The estimator {self.tag!r} needs {need!r}, and the sample has no column "
                f"{need!r}. Say which one of the table holds it, for instance "
                f"columns={{{need!r}: 'name in the table'}}, add it, have the estimator take "
                "another one if it has an option for that, or leave it out. The sample has "
                f"{', '.join(sample.table.colnames)}."
            )

    def _answers(
        self, sample: ClusterSample, estimates: Any, tell: Callable[[ClusterSample], Any]
    ) -> Iterator[tuple[Any, Any]]:
        """Yield which clusters and what ``tell`` gives for them, of all that have no flag yet.

        ``estimates`` are of all clusters, and ``tell(part)`` must give the same kind of object.
        """
        rows = np.flatnonzero(estimates.flag == 0)
        pieces, whole = self._pieces(rows), len(rows) == len(sample)
        for piece in pieces:
            place = piece if whole else rows[piece]
            part = sample if whole and len(pieces) == 1 else sample[place]
            found = tell(part)
            if not isinstance(found, type(estimates)) or len(found.flag) != len(part):
                raise InvalidInputError(
                    f"The estimator {self.tag!r} must give {type(estimates).__name__} of "
                    f"{len(part)} clusters. Received: {found!r:.80}"
                )
            yield place, found

    def _pieces(self, rows: NDArray[np.int_]) -> list[slice]:
        """Slices of so many rows as are dealt with at a time."""
        step = self.at_a_time or max(len(rows), 1)
        return [slice(start, start + step) for start in range(0, len(rows), step)]

    def _meta(self, sample: ClusterSample) -> dict[str, Any]:
        """What results are made with: everything that this class and its families know of it."""
        return {
            "method": self.tag,
            "estimator": self._described(_shown),
            "references": list(self.references),
            "software": list(self.software),
            **self._family_meta(sample),
            **self._extra_meta(sample),
            "szmass_version": __version__,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _shown(value: Any) -> str:
    """Show an option in tables that people publish: of a file its name, not where it lies."""
    is_path = isinstance(value, PurePath)
    if isinstance(value, str) and len(value) < 1000:
        is_path = PurePath(value).is_absolute() or value.startswith("~")
    return repr(PurePath(value).name) if is_path else repr(value)


def find_estimator(
    registry: Mapping[str, type[Kind]], base: type[Kind], estimator: str | Kind, /, **options: Any
) -> Kind:
    """Make an estimator from its tag and options, or pass one through.

    Parameters
    ----------
    registry : mapping of str to type
        The estimators of a family by tag.
    base : type
        The class that all of them are sub-classes of.
    estimator : str or instance of ``base``
        A tag, or an estimator.
    **options : dict
        Options, for a tag.

    Returns
    -------
    instance of ``base``
        The estimator.

    Raises
    ------
    UnknownNameError
        There is no such tag.
    InvalidInputError
        It is neither, an instance was given options, or the estimator has no such option.

    Examples
    --------
    >>> from szmass.estimators import ESTIMATORS, MassEstimator, find_estimator
    >>> find_estimator(ESTIMATORS, MassEstimator, "scaling", one_minus_b=0.8).one_minus_b
    0.8
    """
    if isinstance(estimator, base):
        if options:
            raise InvalidInputError("Options go with a tag: this is an estimator already.")
        return estimator
    if not isinstance(estimator, str):
        raise InvalidInputError(
            f"'estimator' must be a tag ({', '.join(registry)}), or a {base.__name__}. "
            f"Received: {estimator!r}"
        )
    cls = registry[estimator]
    known = inspect.signature(cls).parameters
    for name in options.keys() - known:
        raise InvalidInputError(
            f"The estimator {estimator!r} has no option {name!r}. Its options: {', '.join(known)}"
        )
    return cls(**options)
