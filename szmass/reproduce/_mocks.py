"""Mock clusters weighed as the real ones: simulated on the fly, or from a data set on disk."""

import os
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import vstack

from szmass._utils.progress import progress_bar
from szmass.clusters import ClusterSample
from szmass.estimators import MatchedFilterMass, estimate_masses
from szmass.exceptions import InvalidInputError
from szmass.simulations import (
    SimulationDataset,
    draw_flat,
    get_cluster_model,
    get_observation,
    simulate,
    twin,
)

__all__ = ["make_mocks", "simulate_and_weigh", "sz_estimator", "weigh_mocks"]

_COSMOLOGY = "PSZ2"
_MASS = (1e14, 2e15) * u.solMass
_CHUNK = 512
# So many clusters are drawn for one that is wanted; most are too light to be detected.
_DRAWN = 12
_SIZES = (0.5, 200.0) * u.arcmin
# Redshift bins of PSZ2 and its number of clusters with redshift and mass in them.
_PSZ2 = ((0.01, 0.1, 228), (0.1, 0.2, 245), (0.2, 0.4, 443), (0.4, 1.0, 178))
_TRUTH = ("mass_true", "theta500_true", "y500_true", "snr", "y500_blind")

_SZ = "; M_SZ by a matched filter and the relation, 1-b = 1"


def make_mocks(named, planck_like, clean, *, n, seed, observation, **options):
    """Weigh mocks: those that are given, else simulated ones.

    Parameters
    ----------
    named : dict of str to `~szmass.estimators.MassEstimator`
        What to weigh with.
    planck_like, clean : path-like or data set or sample or None
        As for `weigh_mocks`.
    n : int
        Number of clusters, 0 for none.
    seed : int
        Seed of everything.
    observation : str or `~szmass.simulations.Observation`
        With noise.
    **options : dict
        Passed to `simulate_and_weigh`.

    Returns
    -------
    noisy, clean : `~astropy.table.QTable` or None
        Masses side by side with the truth; ``noisy`` with the method "sz".
    about : dict of str to str
        By column of Table 1 what the mocks are, or why there are none.
    """
    about = dict.fromkeys(
        ("clean", "planck_like", "planck_like_sz"), "no data: no mocks were asked for"
    )
    if n == 0:
        return None, None, about
    named = {name: _told(estimator, observation) for name, estimator in named.items()}
    if planck_like is None and clean is None:
        noisy, without, what = simulate_and_weigh(
            named, n=n, seed=seed, observation=observation, **options
        )
        about = dict.fromkeys(about, f"{what}, observed as {get_observation(observation).name!r}")
        about["clean"] = (
            f"{what}, then without noise; weighed in the same way (in the paper by networks that "
            "were trained without noise)"
        )
        about["planck_like_sz"] += _SZ
        return noisy, without, about
    noisy = without = None
    about = dict.fromkeys(about, "no data: mocks were given for another column")
    if planck_like is not None:
        sz = sz_estimator(observation)
        noisy, what = weigh_mocks(planck_like, named, name="planck_like", n=n, seed=seed, sz=sz)
        about["planck_like"] = what
        about["planck_like_sz"] = what + _SZ
    if clean is not None:
        without, about["clean"] = weigh_mocks(clean, named, n=n, seed=seed, name="clean")
    return noisy, without, about


def _told(estimator, observation):
    """Tell an estimator that was told no model of the noise what it is in the mocks.

    The factor of depth is that of the column ``depth``: mocks without noise have 1 there.
    """
    known = _known(get_observation(observation))
    if not isinstance(estimator.options.get("noise", known), str | None):
        return estimator
    told = {name: value for name, value in estimator.options.items() if name not in known}
    for name in known.keys() & estimator.options.keys():
        given = estimator.options[name]
        told[name] = known[name] if given is None or name == "noise" else given
    return type(estimator)(**told)


def _known(observation):
    """Give what is known of mocks, by name of the estimators' options."""
    if observation.noise is None:
        raise InvalidInputError(
            f"'observation' must have noise, as 'planck-like' has. Received: {observation.name!r}"
        )
    pixel = 0.01 * u.arcmin
    if observation.sampling != "point":
        pixel = (np.sqrt(4 * np.pi / (12 * observation.nside**2)) * u.rad).to(u.arcmin)
    return {"noise": observation.noise, "map_pixel": pixel, "depth": "depth"}


def sz_estimator(observation):
    """Make the estimator that measures mocks as Planck measured MSZ.

    Parameters
    ----------
    observation : str or `~szmass.simulations.Observation`
        How the mocks were observed; with noise.

    Returns
    -------
    `~szmass.estimators.MatchedFilterMass`
        With 1-b = 1.

    Raises
    ------
    InvalidInputError
        The observation has no noise.
    """
    return MatchedFilterMass(cosmology=_COSMOLOGY, **_known(get_observation(observation)))


def simulate_and_weigh(named, *, n, seed, observation, model, real, population, min_snr):
    """Simulate clusters that a survey would detect, and weigh them with and without noise.

    Parameters
    ----------
    named : dict of str to `~szmass.estimators.MassEstimator`
        What to weigh with.
    n : int
        Number of clusters.
    seed : int
        Seed of everything.
    observation : str or `~szmass.simulations.Observation`
        With noise.
    model : str or `~szmass.simulations.ClusterModel`
        What clusters are made of.
    real : `~szmass.clusters.ClusterSample` or None
        Clusters that the mocks take after.
    population : {"flat", "twin"}
        Even in log M with the redshifts of ``real``, or coarsely those of PSZ2; or with the
        redshifts and masses of ``real``.
    min_snr : float or None
        Lowest signal-to-noise ratio of a filter of the true size at the middle.

    Returns
    -------
    noisy, clean : `~astropy.table.QTable`
        Masses side by side with the truth; ``noisy`` with the method "sz".
    about : str
        What the mocks are.
    """
    observation, model = get_observation(observation), get_cluster_model(model)
    sz = sz_estimator(observation)
    population, what = _population(population, real, n, seed, model)
    options = {"model": model, "cosmology": _COSMOLOGY, "seed": seed}
    noisy, clean, found = [], [], 0
    with progress_bar(total=n, desc="mocks", unit="cluster") as bar:
        # It changes no mock how many are made at a time.
        step = min(_CHUNK, 2 * n + 20)
        for start in range(0, len(population), step):
            part = population[start : start + step]
            mocks = simulate(part, observation, **options)
            keep = np.flatnonzero(_measure(mocks, sz) > (-np.inf if min_snr is None else min_snr))
            keep = keep[: n - found]
            if not len(keep):
                continue
            noisy.append(_weigh(mocks[keep], {**named, "sz": sz}))
            clean.append(_weigh(simulate(part[keep], "clean", **options), named))
            found += len(keep)
            bar.update(len(keep))
            if found == n:
                break
    if not found:
        raise InvalidInputError(
            f"None of {len(population)} mock clusters has a signal-to-noise ratio above "
            f"'min_snr' = {min_snr:g}: lower it."
        )
    about = (
        f"{found} simulated clusters (model {model.name!r}, 1-b = {model.one_minus_b:g}, {what}, "
        f"seed {seed})" + ("" if min_snr is None else f", detected with S/N > {min_snr:g}")
    )
    return _stack(noisy), _stack(clean), about


def _population(population, real, n, seed, model):
    if population == "twin":
        twins = twin(real, one_minus_b=model.one_minus_b)
        rows = np.random.default_rng(seed).permutation(len(twins))
        twins.table.keep_columns(["name", "coord", "redshift", "mass_true", "cluster_id"])
        return twins[rows], "with redshifts and MSZ / (1-b) of the catalogue"
    redshift = _psz2_like(_DRAWN * n, seed) if real is None else real.redshift
    low, high = _MASS.value
    what = f"even in log M from {low:.0e} to {high:.0e} Msun"
    return draw_flat(_DRAWN * n, mass=_MASS, redshift=redshift, seed=seed), what


def weigh_mocks(source, named, *, n, seed, name, sz=None):
    """Weigh mocks that are there.

    Parameters
    ----------
    source : path-like or `~szmass.simulations.SimulationDataset` or \
            `~szmass.clusters.ClusterSample`
        A data set, or a sample with cutouts and ``mass_true``.
    named : dict of str to `~szmass.estimators.MassEstimator`
        What to weigh with.
    n : int
        At most so many, chosen at random.
    seed : int
        Seed of the choice.
    name : str
        Name of the argument, for errors.
    sz : `~szmass.estimators.MassEstimator`, optional
        Weighs as the method "sz".

    Returns
    -------
    table : `~astropy.table.QTable`
        Masses side by side with the truth.
    about : str
        What the mocks are.

    Raises
    ------
    InvalidInputError
        There are no maps, no cutouts or no truth.
    """
    if isinstance(source, str | os.PathLike):
        source = SimulationDataset.open(source)
    if isinstance(source, ClusterSample):
        lost = "cutouts" if source.cutouts is None else None
        lost = "column 'mass_true'" if "mass_true" not in source.table.colnames else lost
        what = "clusters of a sample"
    elif isinstance(source, SimulationDataset):
        lost = None if "mass_true" in source.columns else "column 'mass_true'"
        what = f"maps of the data set {Path(source.path).name!r} (digest {source.digest[:12]})"
    else:
        raise InvalidInputError(
            f"{name!r} must be a data set, its folder, or a ClusterSample. Received: {source!r}"
        )
    if lost or not len(source):
        raise InvalidInputError(f"{name!r} has no {lost or 'maps'}.")
    rows = np.sort(np.random.default_rng(seed).permutation(len(source))[:n])
    columns = source.columns if isinstance(source, SimulationDataset) else source.table.colnames
    if "depth" not in columns:
        named = {key: _without_depth(estimator) for key, estimator in named.items()}
        sz = None if sz is None else _without_depth(sz)
    parts = []
    for start in range(0, len(rows), _CHUNK):
        sample = source[rows[start : start + _CHUNK]]
        if sz is not None:
            _measure(sample, sz)
        parts.append(_weigh(sample, named if sz is None else {**named, "sz": sz}))
    chosen = f"{len(rows)} of {len(source)}" if len(rows) < len(source) else f"{len(rows)}"
    return _stack(parts), f"{chosen} {what}; whether networks were trained on them is not known"


def _without_depth(estimator):
    if estimator.options.get("depth") != "depth":
        return estimator
    return type(estimator)(**{**estimator.options, "depth": None})


def _measure(sample, sz):
    """Add the columns snr, for the true size, and y500_blind, of the size of highest S/N."""
    sample.table["y500_blind"] = sz.scan(sample).best()["y500"]
    if "theta500_true" not in sample.table.colnames:
        return None
    size = np.clip(sample.quantity("theta500_true"), *_SIZES)
    sample.table["snr"] = snr = sz.measure(sample, size)["snr"]
    return snr


def _weigh(sample, named):
    return estimate_masses(sample, named, columns=_TRUTH)


def _stack(parts):
    table = vstack(parts, metadata_conflicts="silent") if len(parts) > 1 else parts[0]
    table.meta.pop("sample", None)
    return table


def _psz2_like(n, seed):
    """Draw redshifts, evenly in each bin, as many in each as PSZ2 has."""
    rng = np.random.default_rng(seed)
    low, high, weight = np.transpose(_PSZ2)
    chosen = rng.choice(len(low), size=n, p=weight / weight.sum())
    return rng.uniform(low[chosen], high[chosen])
