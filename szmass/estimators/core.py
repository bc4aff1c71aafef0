"""The contract of every estimator, the register of them, and how several are run at once."""

import inspect
import sys
import warnings
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import astropy.units as u
import numpy as np

from szmass._utils.progress import progress_bar
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, UnweighedClustersWarning
from szmass.results import MassEstimates, MassFlag, side_by_side
from szmass.results.masses import column_suffix
from szmass.version import __version__

__all__ = ["ESTIMATORS", "MassEstimator", "estimate_masses", "register_estimator"]

#: All estimators by tag: our own, and those that other packages declare under the
#: entry-point group ``szmass.estimators``.
ESTIMATORS = Registry("estimator", entry_point_group="szmass.estimators")


class MassEstimator(ABC):
    """A way to weigh clusters.

    A sub-class sets the class attributes, takes its options as keyword-only
    arguments of ``__init__``, stores each under its own name unchanged, and
    implements `_weigh`. Options are looked at when `predict` runs, not before.
    """

    #: Unique name, as on the command line.
    tag = None
    #: One line for lists.
    description = ""
    #: What a cluster must have: ``"redshift"``, ``"cutout"``, ``"complete_cutout"`` (wholly
    #: inside the map), or the name of a measurement such as ``"y5r500"``.
    requires = frozenset()
    #: Definition of the masses that come out.
    mass_definition = "500c"
    #: ADS bibcodes of the papers to cite.
    references = ()
    #: The extra of szmass that it needs, if any.
    extra = None
    #: Whether its first use fetches files from a server.
    downloads = False

    @abstractmethod
    def _weigh(self, sample):
        """Weigh clusters that have all that is required.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            At least one cluster.

        Returns
        -------
        `~szmass.results.MassEstimates`
            One entry per cluster, in order.
        """

    def _needs(self):
        """Give what a cluster must have under the present options."""
        return frozenset(self.requires)

    def _extra_meta(self, sample):
        """Give what `predict` adds to ``meta``: cosmology, digest of a model card, ..."""
        return {}

    @property
    def options(self):
        """Options of this estimator by name."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({options})"

    def predict(self, sample):
        """Weigh the clusters of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters; it is not changed.

        Returns
        -------
        `~astropy.table.QTable`
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
        flag = self._missing(sample)
        estimates = MassEstimates.unknown(flag)
        usable = flag == 0
        if usable.any():
            found = self._weigh(sample if usable.all() else sample[usable])
            for name in ("mass", "errn", "errp", "flag"):
                getattr(estimates, name)[usable] = getattr(found, name)
        self._warn_unweighed(estimates)
        return estimates.to_table(sample.names, sample.redshift, self.tag, self._meta(sample))

    def _missing(self, sample):
        needs = self._needs()
        flag = np.zeros(len(sample), dtype=int)
        for need in sorted(needs):
            if need == "redshift":
                flag[np.isnan(sample.redshift)] |= MassFlag.NO_REDSHIFT
            elif need in ("cutout", "complete_cutout"):
                if sample.cutouts is None:
                    raise InvalidInputError(
                        f"The estimator {self.tag!r} needs cutouts and the sample has none: call "
                        "sample.attach_cutouts(compton_map) first (--map on the shell)."
                    )
                footprint = sample.cutouts.footprint
                covered, complete = footprint.any(axis=(1, 2)), footprint.all(axis=(1, 2))
                flag[~covered] |= MassFlag.NO_CUTOUT
                if need == "complete_cutout":
                    flag[covered & ~complete] |= MassFlag.INCOMPLETE_CUTOUT
            else:
                flag[np.isnan(sample.quantity(need))] |= MassFlag.NO_MEASUREMENT
        return flag

    def _warn_unweighed(self, estimates):
        lost = estimates.flag[np.isnan(estimates.mass)]
        if len(lost):
            reasons = Counter(MassFlag.describe(value) or "unknown reason" for value in lost)
            warnings.warn(
                f"{self.tag}: {len(lost)} of {len(estimates.mass)} clusters were not weighed ("
                + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
                + ")",
                UnweighedClustersWarning,
                stacklevel=3,
            )

    def _meta(self, sample):
        extra = self._extra_meta(sample)
        if "model_card" in extra and "keras" in sys.modules:
            extra = {"backend": sys.modules["keras"].backend.backend(), **extra}
        looks_at_map = sample.cutouts is not None and any("cutout" in n for n in self._needs())
        return {
            "method": self.tag,
            "estimator": repr(self),
            "mass_definition": self.mass_definition,
            "references": list(self.references),
            **({"map": _describe_map(sample.cutouts)} if looks_at_map else {}),
            **extra,
            "szmass_version": __version__,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _describe_map(cutouts):
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


def register_estimator(estimator):
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
    sample,
    estimators,
    *,
    columns=("msz", "msz_errn", "msz_errp"),
    posteriors=None,
    posterior_samples=0,
    seed=0,
):
    """Weigh a sample with several estimators and put the masses side by side.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
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

    Returns
    -------
    `~astropy.table.QTable`
        One row per cluster in the order of the sample: ``name``, ``ra`` and ``dec`` (ICRS),
        ``redshift``, the carried-over columns, then per method the columns that
        `szmass.results.side_by_side` describes, and at the end the samples of shape (N, n).

    Raises
    ------
    UnknownNameError
        No estimator has that tag; the message lists them.
    InvalidInputError
        A method stands twice in the list, the sample lacks a whole input, or samples are asked for
        and no method has posteriors.
    """
    named = _by_method(estimators)
    wanted = posteriors is not None or posterior_samples
    found = {} if posteriors is None else posteriors
    with_posterior = [m for m, e in named.items() if wanted and hasattr(e, "predict_posterior")]
    if posterior_samples < 0 or (posterior_samples and not with_posterior):
        raise InvalidInputError(
            f"'posterior_samples' must be at least 0, and needs a method that has posteriors, such "
            f"as 'likelihood'. Received: {posterior_samples!r} for {', '.join(named)}"
        )
    tables = {}
    for method, estimator in progress_bar(named.items(), desc="weighing", unit="estimator"):
        if method in with_posterior:
            tables[method], found[method] = _with_posterior(estimator, sample)
        else:
            tables[method] = estimator.predict(sample)
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
    table.meta["sample"] = dict(sample.meta)
    if posterior_samples and len(table):
        table.meta["posterior_samples_seed"] = int(seed)
        for method in with_posterior:
            # Each method has its own stream: another method beside it changes nothing.
            rng = np.random.default_rng([int(seed), zlib.crc32(method.encode())])
            name = f"samples_{column_suffix(method)}"
            table[name] = found[method].sample(posterior_samples, rng)
            table[name].info.description = f"Masses drawn from the posterior ({method})"
    return table


def _with_posterior(estimator, sample):
    """What `predict` gives, and the posterior that it is from."""
    posterior = estimator.predict_posterior(sample)
    estimates = posterior._estimates()
    estimator._warn_unweighed(estimates)
    meta = estimator._meta(sample)
    return estimates.to_table(sample.names, sample.redshift, estimator.tag, meta), posterior


def _by_method(estimators):
    if isinstance(estimators, str | MassEstimator):
        estimators = [estimators]
    if isinstance(estimators, Mapping):
        return {name: _instance(value) for name, value in estimators.items()}
    instances = [_instance(value) for value in estimators]
    repeated = [tag for tag, n in Counter(e.tag for e in instances).items() if n > 1]
    if repeated:
        raise InvalidInputError(
            f"The estimator {repeated[0]!r} stands twice in 'estimators'. To run it with several "
            "options pass a dict, for instance {'a': Estimator(...), 'b': Estimator(...)}."
        )
    return {estimator.tag: estimator for estimator in instances}


def _instance(estimator):
    if isinstance(estimator, MassEstimator):
        return estimator
    if isinstance(estimator, str):
        return ESTIMATORS[estimator]()
    raise InvalidInputError(
        f"'estimators' must hold tags or MassEstimator instances. Received: {estimator!r}"
    )
