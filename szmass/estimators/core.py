"""The contract of estimators of masses, the register of them, and how several are run at once."""

import warnings
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from szmass._utils.progress import progress_bar
from szmass._utils.registry import Registry
from szmass.clusters import Cluster, ClusterSample, as_sample
from szmass.estimators._conditions import (
    flag_beyond_bounds,
    lacking,
    warn_of_failure,
    warn_of_mixed_scales,
    warn_of_unweighed,
)
from szmass.estimators.contract import Estimator, find_estimator
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.results import (
    LogMassPosterior,
    MassEstimates,
    MassFlag,
    MassScale,
    MassTable,
    add_method,
    format_masses,
    masses_of,
    rescale_masses,
    side_by_side,
)

__all__ = [
    "ESTIMATORS",
    "KINDS",
    "MassEstimator",
    "estimate_masses",
    "named_estimators",
    "register_estimator",
]

#: All estimators by tag: our own, and those that other packages declare under the
#: entry-point group ``szmass.estimators``.
ESTIMATORS = Registry("estimator", entry_point_group="szmass.estimators")

# What is weighed.
Clusters: TypeAlias = ClusterSample | Cluster | Sequence[Cluster]

#: Kinds of methods, see `MassEstimator.kind`.
KINDS = ("network", "relation", "filter", "likelihood", "lensing", "other")


class MassEstimator(Estimator):
    """A way to weigh clusters.

    A sub-class sets the class attributes, takes its options as keyword-only
    arguments of ``__init__``, stores each under its own name unchanged, and
    implements `_weigh`. Options are looked at when `predict` runs, not before.

    What the class attributes say goes into the ``meta`` of the masses, where plots, reports and
    `~szmass.citations.cite` read it; where it depends on options, `needs` and `_extra_meta`
    say it instead.

    Examples
    --------
    >>> from szmass.estimators import MassEstimator
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import MassEstimates
    >>> class PeakMass(MassEstimator):
    ...     tag = "peak"
    ...     requires = frozenset({"complete_cutout"})
    ...
    ...     def __init__(self, *, mass_per_y=3e19):
    ...         self.mass_per_y = mass_per_y
    ...
    ...     def _weigh(self, sample):
    ...         mass = self.mass_per_y * sample.cutouts.data.max(axis=(1, 2))
    ...         return MassEstimates(mass, 0.3 * mass, 0.4 * mass)
    >>> len(PeakMass().predict(make_check_sample(3)))
    3
    """

    #: Definition of the masses that come out.
    mass_definition = "500c"
    #: What it is, one of `KINDS`.
    kind = "other"
    #: Scale of the masses: a number is a 1-b, else text as in `~szmass.results.MassScale`.
    mass_scale: float | str = "unknown"
    #: What the errors hold: ``"noise"``, ``"scatter"``, ``"centring"``, ``"redshift"``, ...
    errors_hold: tuple[str, ...] = ()
    #: How the mass is taken from what is known of it.
    point_estimate = ""
    #: Whether `_weigh` gives a posterior with its masses, so that `predict_posterior` can.
    gives_posterior = False
    #: Whether its first use fetches files from a server.
    downloads = False

    @abstractmethod
    def _weigh(self, sample: ClusterSample) -> MassEstimates:
        """Weigh clusters that have all that is required.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            At least one cluster.

        Returns
        -------
        `~szmass.results.MassEstimates`
            One entry per cluster, in order. Where `gives_posterior`, made by
            `MassEstimates.of_posterior <szmass.results.MassEstimates.of_posterior>`.
        """

    def _lacking(self, sample: ClusterSample, need: str) -> NDArray[np.int_]:
        return lacking(sample, need, self.redshift_range)

    def _grid(self) -> NDArray[np.float64]:
        """Grid of log10 M of a posterior in which no cluster could be weighed."""
        return np.linspace(13.0, 16.0, 301)

    def predict(self, sample: Clusters) -> MassTable:
        """Weigh the clusters of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample` or `~szmass.clusters.Cluster` or list of them
            The clusters; it is not changed.

        Returns
        -------
        `~szmass.results.MassTable`
            One row per cluster in the order of the sample, with the columns of
            ``szmass.results.MASS_COLUMNS``. ``meta`` says what the numbers were made with.

        Raises
        ------
        InvalidInputError
            The sample lacks a whole input: no cutouts attached, or no such column.

        Warns
        -----
        UnweighedClustersWarning
            Once, if clusters could not be weighed: with how many, and why.
        """
        sample = as_sample(sample)
        estimates = self._estimate(sample)
        warn_of_unweighed(self.tag, estimates)
        return self._to_table(sample, estimates)

    def predict_posterior(self, sample: Clusters) -> LogMassPosterior:
        """Give the posteriors of the masses of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample` or `~szmass.clusters.Cluster` or list of them
            As for `predict`.

        Returns
        -------
        `~szmass.results.LogMassPosterior`
            One row per cluster in the order of the sample; NaN for those that cannot be weighed,
            with a flag. Its medians are the masses that `predict` gives.

        Raises
        ------
        InvalidInputError
            The sample lacks a whole input, an option has no such value, the prior leaves no mass,
            or the estimator has no posteriors (see ``gives_posterior``).
        """
        sample = as_sample(sample)
        if not self.gives_posterior:
            raise InvalidInputError(
                f"The estimator {self.tag!r} has no posteriors: use its masses and errors (predict)"
            )
        return self._estimate(sample, keep=True).posterior

    def _estimate(self, sample: ClusterSample, keep: bool = False) -> MassEstimates:
        """Estimates of all clusters; with the posterior only if it is to be kept."""
        estimates = MassEstimates.unknown(self._missing(sample))
        parts, places = [], []
        for place, found in self._answers(sample, estimates, self._weigh):
            flag_beyond_bounds(found)
            estimates.put(place, found)
            if keep:
                parts.append(found.posterior)
                places.append(place)
        return self._joined(sample, estimates, parts, places) if keep else estimates

    def _joined(
        self,
        sample: ClusterSample,
        estimates: MassEstimates,
        parts: Sequence[LogMassPosterior] = (),
        places: Sequence[Any] = (),
    ) -> MassEstimates:
        """Estimates of all clusters with the posteriors of some."""
        estimates.posterior = LogMassPosterior.joined(
            parts,
            places,
            grid=None if parts else self._grid(),
            names=sample.names,
            redshift=sample.redshift,
            flag=estimates.flag,
            meta=self._meta(sample),
        )
        return estimates

    def _to_table(self, sample: ClusterSample, estimates: MassEstimates) -> MassTable:
        known = estimates.posterior
        meta = self._meta(sample) if known is None else known.meta
        return estimates.to_table(sample.names, sample.redshift, self.tag, meta)

    def _check(self, sample: ClusterSample) -> None:
        """Raise what is wrong with options or a whole input, before any cluster is weighed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SzmassWarning)  # comes when it is weighed
            self._missing(sample)
            self._meta(sample)
            if self.gives_posterior:
                self._grid()

    def _family_meta(self, sample: ClusterSample) -> dict[str, Any]:
        looks_at_map = sample.cutouts is not None and any("cutout" in n for n in self.needs)
        return {
            "kind": self.kind,
            "mass_definition": self.mass_definition,
            "mass_scale": self.mass_scale,
            "errors_hold": list(self.errors_hold),
            "point_estimate": self.point_estimate,
            **({"map": _describe_map(sample.cutouts)} if looks_at_map else {}),
        }


Weigher = TypeVar("Weigher", bound=MassEstimator)
Estimators: TypeAlias = str | MassEstimator | Iterable[str | MassEstimator] | Mapping[str, Any]


def _describe_map(cutouts: Any) -> dict[str, Any]:
    """What is known of the map that cutouts are of, as plain values."""
    values = {
        str(key).lower(): value.item() if isinstance(value, np.generic) else value
        for key, value in cutouts.meta.items()
        if isinstance(value, str | bool | int | float | np.generic)
    }
    values["beam"] = None if cutouts.beam is None else str(cutouts.beam)
    values["interpolation"] = cutouts.interpolation
    values["sampling"] = str(cutouts.sampling)
    return values


def register_estimator(estimator: type[Weigher]) -> type[Weigher]:
    """Add an estimator class to `ESTIMATORS` under its tag; a class decorator.

    Parameters
    ----------
    estimator : type
        A sub-class of `MassEstimator` with a ``tag``.

    Returns
    -------
    type
        ``estimator``.

    Raises
    ------
    InvalidInputError
        The class has no tag or is no `MassEstimator`.
    DuplicateNameError
        Another estimator has that tag.
    """
    if not (isinstance(estimator, type) and issubclass(estimator, MassEstimator) and estimator.tag):
        raise InvalidInputError(
            f"An estimator must be a sub-class of MassEstimator with a tag. Received: {estimator!r}"
        )
    return ESTIMATORS.add(estimator.tag, estimator)


def estimate_masses(
    sample: Clusters,
    estimators: Estimators,
    *,
    columns: Sequence[str] = ("msz", "msz_errn", "msz_errp"),
    posteriors: dict[str, LogMassPosterior] | None = None,
    posterior_samples: int = 0,
    seed: int = 0,
    mean: bool = False,
    one_minus_b: float | None = None,
) -> MassTable:
    """Weigh a sample with several estimators and put the masses side by side.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample` or `~szmass.clusters.Cluster` or list of them
        The clusters; for estimators that look at the map, with cutouts attached.
    estimators : str, `MassEstimator`, list of these, or dict
        Tags or instances. A dict gives each its name in the table, so that one
        estimator can run with several options.
    columns : sequence of str, optional
        Columns of the sample that are carried over where the sample has them.
    posteriors : dict, optional
        Is given the `~szmass.results.LogMassPosterior` of each method that has one, so that they
        need not be computed again.
    posterior_samples : int, optional
        Draw so many masses per cluster from each posterior, as columns ``samples_<method>``.
    seed : int, optional
        Seed of these draws; the masses do not depend on it.
    mean : bool, optional
        Add the mean of M of each posterior, as columns ``mean_<method>``. The mass itself is the
        median.
    one_minus_b : float, optional
        Bring all methods that are on the scale of a 1-b to this one, posteriors included. Others,
        such as lensing masses, stay as they are; ``meta["common_scale"]`` lists both. By
        default each method keeps its own scale.

    Returns
    -------
    `~szmass.results.MassTable`
        One row per cluster in the order of the sample: ``name``, ``ra`` and ``dec`` (ICRS),
        ``redshift``, the carried-over columns, then per method the columns that
        `szmass.results.side_by_side` describes, and at the end means, and samples of shape (N, n).

    Raises
    ------
    UnknownNameError
        No estimator has that tag; the message lists them.
    InvalidInputError
        A method stands twice in the list, the sample lacks a whole input, samples or means are
        asked for and no method has posteriors, or ``one_minus_b`` is no such number.

    Warns
    -----
    MixedScalesWarning
        Methods are on different mass scales, and ``one_minus_b`` is not given.
    SzmassWarning
        One of several estimators stopped with an error while it weighed: its rows have the flag
        ``FAILED``, and ``meta["methods"][name]["error"]`` says why. If all stop the error is
        raised, and options and whole inputs are looked at before any of them weighs.

    Examples
    --------
    >>> from szmass.estimators import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> table = estimate_masses(make_check_sample(3), ["scaling"], one_minus_b=0.8)
    >>> table.meta["methods"]["scaling"]["mass_scale"]
    0.8
    """
    sample = as_sample(sample)
    named = named_estimators(estimators)
    with_posterior = [m for m, e in named.items() if e.gives_posterior]
    if posterior_samples < 0 or ((posterior_samples or mean) and not with_posterior):
        raise InvalidInputError(
            f"'posterior_samples' must be at least 0, and needs a method that has posteriors, such "
            f"as 'likelihood'; so does 'mean'. Received: {posterior_samples!r} for "
            f"{', '.join(named)}"
        )
    if one_minus_b is not None:
        MassScale("unknown").factor_to(one_minus_b)  # says before the work what is wrong with it
    keep = posteriors is not None or bool(posterior_samples)
    for estimator in named.values():
        estimator._check(sample)
    tables, found, errors = {}, {}, {}
    for method, estimator in progress_bar(named.items(), desc="weighing", unit="estimator"):
        keep_this = keep and estimator.gives_posterior
        try:
            estimates = estimator._estimate(sample, keep=keep_this)
        except Exception as err:
            errors[method] = err
            if len(errors) == len(named):
                raise
            estimates = MassEstimates.unknown(np.full(len(sample), int(MassFlag.FAILED)))
            if keep_this:
                estimates = estimator._joined(sample, estimates)
        tables[method] = estimator._to_table(sample, estimates)
        if method in errors:
            tables[method].meta["error"] = warn_of_failure(method, errors[method])
        else:
            warn_of_unweighed(estimator.tag, estimates)
        if estimator.gives_posterior:
            found[method] = estimates
    table = side_by_side(tables)
    position = sample.coord.icrs
    table.add_columns(
        [u.Quantity(angle, u.deg, subok=False) for angle in (position.ra, position.dec)],
        names=["ra", "dec"],
        indexes=[1, 1],
    )
    index = table.colnames.index("redshift")
    for name in columns:
        if name in sample.table.colnames:
            index += 1
            table.add_column(sample.table[name], name=name, index=index)
    format_masses(table)
    table.meta["sample"] = dict(sample.meta)
    for method, estimates in found.items():
        more = {"mean": estimates.mean} if mean else {}
        if posterior_samples and len(table):
            table.meta["posterior_samples_seed"] = int(seed)
            # Each method and cluster has its own stream: others beside them change nothing.
            streams = [
                np.random.default_rng(
                    [int(seed), *(zlib.crc32(n.encode()) for n in (method, name))]
                )
                for name in sample.names
            ]
            more["samples"] = estimates.posterior.sample(posterior_samples, streams).value
        if more:
            add_method(table, replace(masses_of(table, method), **more))
    if one_minus_b is None:
        warn_of_mixed_scales(table)
    else:
        table = rescale_masses(table, one_minus_b)
    if posteriors is not None:
        for method, estimates in found.items():
            posterior = estimates.posterior
            scaled = posterior if one_minus_b is None else posterior.rescaled(one_minus_b)
            posteriors[method] = scaled
    return table


def named_estimators(estimators: Estimators) -> dict[str, MassEstimator]:
    """Give instances by the names that their methods have in a table.

    Parameters
    ----------
    estimators : str, `MassEstimator`, list of these, or dict
        As for `estimate_masses`.

    Returns
    -------
    dict of str to `MassEstimator`
        The instances, in order.

    Raises
    ------
    UnknownNameError
        No estimator has that tag.
    InvalidInputError
        There is no estimator, one stands twice, or something is none.
    """
    if isinstance(estimators, str | MassEstimator):
        estimators = [estimators]
    if isinstance(estimators, Sized) and not len(estimators):
        raise InvalidInputError(
            "'estimators' must hold at least one estimator. Received: none. Known are "
            f"{', '.join(ESTIMATORS)}."
        )
    if isinstance(estimators, Mapping):
        return {name: _instance(value) for name, value in estimators.items()}
    if not isinstance(estimators, Iterable):
        _instance(estimators)
    instances = [_instance(value) for value in estimators]
    repeated = [tag for tag, n in Counter(e.tag for e in instances).items() if n > 1]
    if repeated:
        raise InvalidInputError(
            f"The estimator {repeated[0]!r} stands twice in 'estimators'. To run it with several "
            "options pass a dict, for instance {'a': Estimator(...), 'b': Estimator(...)}."
        )
    return {estimator.tag: estimator for estimator in instances}


def _instance(estimator: Any) -> MassEstimator:
    if isinstance(estimator, str | MassEstimator):
        return find_estimator(ESTIMATORS, MassEstimator, estimator)
    raise InvalidInputError(
        f"'estimators' must hold tags or MassEstimator instances. Received: {estimator!r}"
    )
