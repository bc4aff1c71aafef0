"""Clusters of a reproduction, weighed: mocks, and real ones in a map, by others, by lensing."""

import os
import warnings
from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, vstack

from szmass._utils.progress import progress_bar
from szmass.catalogs import (
    DeAndres2022Catalog,
    LensingTable,
    crossmatch,
    load_lensing_table,
    load_sample,
)
from szmass.clusters import ClusterSample
from szmass.estimators import MatchedFilterMass, ScalingRelationMass, estimate_masses
from szmass.exceptions import InvalidInputError, MixedScalesWarning
from szmass.maps import ComptonMap, NoiseModel, open_map
from szmass.reproduce._shown import LENSING
from szmass.results import MassEstimates, MassFlag, MethodMasses, add_method, masses_of, methods_of
from szmass.simulations import (
    SimulationDataset,
    draw_flat,
    get_cluster_model,
    get_observation,
    simulate,
    twin,
)

_RADIUS, _DELTA_REDSHIFT = "10 arcmin", 0.03
# What the networks of the published masses are.
_NETWORK = {"kind": "network", "mass_scale": "true (simulation The Three Hundred)"}
_COSMOLOGY = "PSZ2"
_MASS = (1e14, 2e15) * u.solMass
_CHUNK = 512
# So many clusters are drawn for one that is wanted; most are too light to be detected.
_DRAWN = 12
_SIZES = (0.5, 200.0) * u.arcmin
# Redshift bins of PSZ2 and its number of clusters with redshift and mass in them.
_PSZ2 = ((0.01, 0.1, 228), (0.1, 0.2, 245), (0.2, 0.4, 443), (0.4, 1.0, 178))
_TRUTH = ("mass_true", "theta500_true", "y500_true", "snr", "y500_blind")
# How far from the middle a cluster that is weighed blind is looked for.
_SEARCH = 5 * u.arcmin

_SZ = "; M_SZ by a matched filter and the relation, 1-b = 1"
_KNOWN = ", where position, noise and the relation of size to mass are known"
_BLIND = f", of the position (within {_SEARCH:g}) and size of highest S/N"


def make_mocks(named, planck_like, clean, *, n, seed, observation, **options):
    """Weigh mocks: those that are given, as for `_weigh_mocks`, else n simulated ones.

    Masses stand side by side with the truth, of noisy mocks, also by the methods "sz" and
    "sz_blind", and of clean ones; last comes by column of Table 1 what the mocks are, or why there
    are none.
    """
    about = dict.fromkeys(
        ("clean", "planck_like", "planck_like_blind", "planck_like_sz"),
        "no data: no mocks were asked for",
    )
    if n == 0:
        return None, None, about
    named = {name: _with_known_noise(estimator, observation) for name, estimator in named.items()}
    if planck_like is None and clean is None:
        noisy, without, what = _simulate_and_weigh(
            named, n=n, seed=seed, observation=observation, **options
        )
        about = dict.fromkeys(about, f"{what}, observed as {get_observation(observation).name!r}")
        about["clean"] = (
            f"{what}, then without noise; weighed in the same way (in the paper by networks that "
            "were trained without noise)"
        )
        about["planck_like_blind"] += (
            f"{_SZ}{_BLIND}, in mocks of the noise "
            f"{_as_planck(observation).noise.meta.get('source', 'user')!r}"
        )
        about["planck_like_sz"] += _SZ + _KNOWN
        return noisy, without, about
    noisy = without = None
    about = dict.fromkeys(about, "no data: mocks were given for another column")
    if planck_like is not None:
        named_sz = {**named, "sz": _sz_estimator(observation)}
        blind = _sz_estimator(observation, search=_SEARCH)
        noisy, what = _weigh_mocks(planck_like, named_sz, blind, n=n, seed=seed, name="planck_like")
        about["planck_like"] = what
        about["planck_like_blind"] = what + _SZ + _BLIND
        about["planck_like_sz"] = what + _SZ + _KNOWN
    if clean is not None:
        without, about["clean"] = _weigh_mocks(clean, named, None, n=n, seed=seed, name="clean")
    return noisy, without, about


def _with_known_noise(estimator, observation):
    """Tell an estimator that was told no model of the noise what it is in the mocks.

    The factor of depth is that of the column ``depth``: mocks without noise have 1 there.
    """
    known = _known_noise(get_observation(observation))
    if not isinstance(estimator.options.get("noise", known), str | None):
        return estimator
    told = {name: value for name, value in estimator.options.items() if name not in known}
    for name in known.keys() & estimator.options.keys():
        given = estimator.options[name]
        told[name] = known[name] if given is None or name == "noise" else given
    return type(estimator)(**told)


def _known_noise(observation):
    """Give what is known of mocks, by name of the estimators' options."""
    if observation.noise is None:
        raise InvalidInputError(
            f"'observation' must have noise, as 'planck-like' has. Received: {observation.name!r}"
        )
    pixel = 0.01 * u.arcmin
    if observation.sampling != "point":
        pixel = (np.sqrt(4 * np.pi / (12 * observation.nside**2)) * u.rad).to(u.arcmin)
    return {"noise": observation.noise, "map_pixel": pixel, "depth": "depth"}


def _sz_estimator(observation, search=None):
    """Make the estimator that measures mocks as Planck measured MSZ: its 1-b is 1."""
    known = _known_noise(get_observation(observation))
    return MatchedFilterMass(cosmology=_COSMOLOGY, search=search, **known)


def _as_planck(observation):
    """Give mocks the noise that MSZ was measured in, where they have the beam of that noise."""
    observation, noise = get_observation(observation), NoiseModel.planck()
    return replace(observation, noise=noise) if observation.beam == noise.beam else observation


def _weigh_blind(table, sample, sz):
    """Add the method "sz_blind": the relation's mass of the Y500 of highest S/N."""
    found = sz.scan(sample).best()["name", "y500", "y500_err"]
    found["coord"], found["redshift"] = sample.coord, sample.redshift
    single = ScalingRelationMass(y="y500", cosmology=_COSMOLOGY).predict(ClusterSample(found))
    masses = masses_of(single, *methods_of(single))
    _add(table, "sz_blind", masses, {**single.meta, "y500": repr(sz)})


def _simulate_and_weigh(named, *, n, seed, observation, model, real, population, min_snr):
    """Simulate clusters that a survey would detect, and weigh them with and without noise.

    ``min_snr`` is the lowest signal-to-noise ratio of a filter of the true size at the middle; the
    mocks take after the clusters of ``real``, which may be None. See `make_mocks` for the rest.
    """
    observation, model = get_observation(observation), get_cluster_model(model)
    sz, planck = _sz_estimator(observation), _as_planck(observation)
    blind = _sz_estimator(planck, search=_SEARCH)
    same = {"beam": observation.beam, "geometry": observation.geometry}
    noiseless = replace(get_observation("clean"), **same)
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
            _weigh_blind(noisy[-1], simulate(part[keep], planck, **options), blind)
            clean.append(_weigh(simulate(part[keep], noiseless, **options), named))
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


def _weigh_mocks(source, named, blind, *, n, seed, name):
    """Weigh mocks that are there, at most n, chosen at random; and say what they are.

    ``blind`` is the filter of `_weigh_blind` or None, ``name`` is that of the argument, for errors.
    """
    if isinstance(source, str | os.PathLike):
        source = SimulationDataset.open(source)
    if isinstance(source, ClusterSample):
        columns, what = source.table.colnames, "clusters of a sample"
    elif isinstance(source, SimulationDataset):
        columns = source.columns
        what = f"maps of the data set {Path(source.path).name!r} (digest {source.digest[:12]})"
    else:
        raise InvalidInputError(
            f"{name!r} must be a data set, its folder, or a ClusterSample. Received: {source!r}"
        )
    lost = "column 'mass_true'" if "mass_true" not in columns else None
    if lost is None and isinstance(source, ClusterSample) and source.cutouts is None:
        lost = "cutouts"
    if lost or not len(source):
        raise InvalidInputError(f"{name!r} has no {lost or 'maps'}.")
    rows = np.sort(np.random.default_rng(seed).permutation(len(source))[:n])
    if "depth" not in columns:
        named = {key: _without_depth(estimator) for key, estimator in named.items()}
        blind = blind and _without_depth(blind)
    parts = []
    for start in range(0, len(rows), _CHUNK):
        sample = source[rows[start : start + _CHUNK]]
        if blind is not None:
            _measure(sample, named["sz"])
        parts.append(_weigh(sample, named))
        if blind is not None:
            _weigh_blind(parts[-1], sample, blind)
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
    with warnings.catch_warnings():
        # The published table compares masses as they are, those of MSZ on the scale 1-b = 1.
        warnings.simplefilter("ignore", MixedScalesWarning)
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


_REDSHIFT = (0.0, 1.0)
_CARRIED = ("msz", "msz_errn", "msz_errp", "y5r500", "y5r500_err", "snr")


def weigh_clusters(named, *, catalog, ymap, published):
    """Put masses of real clusters side by side, NaN where the map does not cover them.

    Beside the table stands by method what its masses were made from, or why there are none.
    Published masses become the method "published".
    """
    if ymap is not None and catalog is None:
        raise InvalidInputError("'ymap' needs 'catalog', which says where to look in it.")
    if catalog is None:
        about = dict.fromkeys(named, "no data: neither a catalogue nor a map was given")
        if published is None:
            return None, about | {"published": "no data: no table of published masses was given"}
        return _published_alone(published), about | {"published": _about(published)}
    sample, table = catalog, QTable({"name": catalog.names})
    position = sample.coord.icrs
    table["ra"] = u.Quantity(position.ra, u.deg, subok=False)
    table["dec"] = u.Quantity(position.dec, u.deg, subok=False)
    table["redshift"] = sample.redshift
    for name in _CARRIED:
        if name in sample.table.colnames:
            table[name] = sample.quantity(name)
    table.meta["methods"] = {}
    about = _weigh_in_map(table, sample, named, ymap)
    about["published"] = "no data: no table of published masses was given"
    if published is not None:
        about["published"] = _add_published(table, published)
    return table, about


def read_published(source):
    """Open the table of published masses: itself, its file, or its tag, to fetch it."""
    if source is None or isinstance(source, DeAndres2022Catalog):
        return source
    if not isinstance(source, str | os.PathLike):
        raise InvalidInputError(
            f"'published' must be a DeAndres2022Catalog, its file or its tag. Received: {source!r}"
        )
    if source == DeAndres2022Catalog.tag:
        return DeAndres2022Catalog.fetch()
    return DeAndres2022Catalog.read(source)


def read_catalog(source):
    """Open the catalogue of real clusters: those with an MSZ and a redshift up to 1."""
    if source is None:
        return None
    sample = source[:] if isinstance(source, ClusterSample) else load_sample(source)
    if "msz" not in sample.table.colnames:
        raise InvalidInputError(
            "'catalog' has no column 'msz', the masses to compare with. It has: "
            f"{', '.join(sample.table.colnames)}"
        )
    low, high = _REDSHIFT
    known = np.isfinite(sample.quantity("msz")) & (sample.redshift > low)
    sample = sample[known & (sample.redshift <= high)]
    if not len(sample):
        raise InvalidInputError(
            f"No cluster of 'catalog' has an MSZ and a redshift from {low:g} to {high:g}."
        )
    return sample


def _weigh_in_map(table, sample, named, ymap):
    if ymap is None:
        return dict.fromkeys(named, "no data: no map was given")
    if not isinstance(ymap, ComptonMap):
        ymap = open_map(ymap)
    sample.attach_cutouts(ymap, interpolation="nearest")
    if sample.cutouts.noise is None:
        # The clusters of the paper are in Planck's map; this may be a part of it.
        sample.cutouts.noise = "planck"
    rows = np.flatnonzero(sample.cutouts.complete)
    if not len(rows):
        return dict.fromkeys(named, "no data: the map covers the field of no cluster")
    covered = sample[rows]
    for name, estimator in named.items():
        single = estimator.predict(covered)
        found = masses_of(single, *methods_of(single))
        full = MassEstimates.unknown(np.full(len(table), int(MassFlag.INCOMPLETE_CUTOUT)))
        full.put(rows, MassEstimates(found.mass, found.errn, found.errp, found.flag))
        _add(table, name, full, dict(single.meta))
    what = f"{len(rows)} of {len(sample)} clusters of the catalogue are wholly in the map"
    return dict.fromkeys(named, what)


def _add(table, method, masses, about):
    mass, errn, errp, flag = masses.mass, masses.errn, masses.errp, masses.flag
    add_method(table, MethodMasses(method, mass, errn, errp, flag, about=about))


def _about(published):
    return f"published table of {len(published)} masses (de Andres et al. 2022)"


def _published_alone(published):
    source = published.table
    table = QTable({"name": np.asarray(source["name"], dtype=str)})
    table["redshift"] = np.asarray(source["redshift"], dtype=float)
    table["msz"] = u.Quantity(np.asarray(source["msz"], dtype=float), u.solMass)
    table.meta["methods"] = {}
    _add_published(table, published)
    return table


def _add_published(table, published):
    """Add the columns of the method "published" by name."""
    place = {str(name): row for row, name in enumerate(published.table["name"])}
    rows = np.array([place.get(str(name), -1) for name in table["name"]])
    values = [
        u.Quantity(published.table[column]).to_value(u.solMass)
        for column in ("cnn_mass", "cnn_mass_errn", "cnn_mass_errp")
    ]
    values = [np.append(np.asarray(value, dtype=float), np.nan)[rows] for value in values]
    masses = MassEstimates(*values, np.where(rows < 0, int(MassFlag.NO_MATCH), 0))
    references = list(published.references)
    _add(table, "published", masses, {"method": "published", "references": references} | _NETWORK)
    found = int(np.count_nonzero(rows >= 0))
    return f"{_about(published)}, {found} of them in the catalogue"


def match_lensing(table, lensing, exclude=()):
    """Find the clusters that have a lensing mass in tables, their files or tags.

    There is a row per pair: ``table`` (the tag), ``wl_name``, the masses of lensing beside those of
    the clusters. ``exclude`` are names of lensing clusters to leave out; where several of them are
    one SZ source they are all left out.
    """
    position = SkyCoord(table["ra"], table["dec"], frame="icrs")
    ours = QTable({"name": table["name"], "coord": position, "redshift": table["redshift"]})
    ours["row"] = np.arange(len(table))
    parts = []
    for source in lensing:
        if not isinstance(source, str | os.PathLike | LensingTable):
            raise InvalidInputError(
                "'lensing' must hold lensing tables, their files or tags. Received: "
                f"{type(source).__name__}"
            )
        catalog = load_lensing_table(source)
        masses = catalog.masses(mass_definition="500c", cosmology=_COSMOLOGY)
        pairs = crossmatch(
            masses, ours, radius=_RADIUS, delta_redshift=_DELTA_REDSHIFT, mode="nearest",
            prefixes=("wl", "sz"),
        )  # fmt: skip
        rows, counts = np.unique(np.asarray(pairs["sz_row"], dtype=int), return_counts=True)
        alone = np.isin(pairs["sz_row"], rows[counts == 1])
        pairs = pairs[alone & ~np.isin(np.asarray(pairs["wl_name"], dtype=str), list(exclude))]
        part = table[np.asarray(pairs["sz_row"], dtype=int)]
        part.meta = {}
        part["table"] = [catalog.tag or "lensing"] * len(pairs)
        part["wl_name"] = np.asarray(pairs["wl_name"], dtype=str)
        found = masses_of(pairs, "wl_mass")
        about = {"method": LENSING, "kind": "lensing", "mass_scale": "lensing"}
        add_method(part, replace(found, method=LENSING, about=about))
        parts.append(part)
    if not parts:
        return None
    result = vstack(parts, metadata_conflicts="silent")
    result.meta["methods"] = dict(table.meta["methods"])
    return result
