"""Ensembles made of trained members: calibration, mocks in domain, report, card, files."""

import dataclasses
import hashlib
import itertools

import astropy.units as u
import numpy as np

from szmass.networks._densities import Calibration
from szmass.networks._fit import best_arrays
from szmass.networks._inputs import NetworkInputs, pooled, redshift_and_level
from szmass.networks._weights import save_arrays
from szmass.networks.architectures import ARCHITECTURES, architecture_source
from szmass.networks.binned import CARD
from szmass.networks.cards import ModelCard, WeightsFile
from szmass.networks.density import DensityNetworks
from szmass.networks.domain import FEWEST, DomainScore
from szmass.physics.cosmology import get_cosmology
from szmass.simulations import Observation, draw_flat, get_environment, simulate
from szmass.simulations.bodies.models import get_cluster_model
from szmass.version import __version__

WEIGHTS_FILE = "model.npz"

# Realisations of the noise with which validation clusters are seen for the calibration.
_PASSES = 3
_BATCH = 256
# Redshifts in each bin of a recipe, evenly spaced, that clusters are drawn from.
_PER_BIN = 1000
# Mocks in domain: how they are sampled, how many at a time, and what is added to the recipe's seed,
# since nobody is to have trained on them.
_SAMPLINGS, _CHUNK, _OFFSET = ("point", "nearest", "bilinear"), 1024, 1_000_003
# Masses of simulations, learned by convolutional networks from maps like Planck's.
_IDEA = "2022NatAs...6.1325D"
# Bins of the report.
_REDSHIFT, _LOG10_MASS, _DEPTH = (0.0, 0.1, 0.2, 0.4, 1.0), (0.0, 14.7, 99.0), (0.0, 1.0, 99.0)


def draw_population(recipe, n, seed):
    """Draw clusters as a recipe says: even in log M, as many in each redshift bin."""
    data = recipe.data
    redshift = np.concatenate(
        [np.linspace(*pair, _PER_BIN) for pair in itertools.pairwise(data["redshift"])]
    )
    return draw_flat(n, mass=data["mass"] * u.solMass, redshift=redshift, seed=seed)


def finish_ensemble(recipe, folder, dataset, encoder, streams, noise):
    """Calibrate trained members on the validation set, test them, and write card and weights.

    ``encoder(part)`` turns batches of that part of the data into inputs and targets; ``streams``
    are of noisy maps for validation and test.
    """
    arrays = {}
    for number in range(recipe.training["members"]):
        for name, array in best_arrays(folder / f"member-{number}").items():
            # What ships is half as large; calibration and test see the rounded weights.
            arrays[f"member-{number}/{name}"] = array.astype(np.float16)
    card = _card(recipe, dataset)
    networks = DensityNetworks(card, arrays)
    validation, test = streams
    passes = [_evaluated(networks, encoder, validation, number) for number in range(_PASSES)]
    log_density, context, truth, _ = map(np.concatenate, zip(*passes, strict=True))
    calibration = Calibration.fit(
        log_density, networks.log10_mass, *redshift_and_level(context), truth
    )
    arrays["calibration/coefficients"] = calibration.coefficients
    networks = DensityNetworks(card, arrays)
    if recipe.training["domain"] >= FEWEST:
        planes, context, log10_mass = _in_domain(networks, recipe, dataset, noise)
        domain = DomainScore.fit(planes, context, log10_mass, seed=recipe.seed)
        arrays |= {f"domain/{name}": array for name, array in domain.to_arrays().items()}
        networks = DensityNetworks(card, arrays)
    log_density, context, truth, depth = _evaluated(networks, encoder, test, 0)
    log_density = networks.calibrated(log_density, context)
    redshift, _ = redshift_and_level(context)
    metrics = {
        "data": f"{len(test.dataset)} maps of clusters that no training or calibration has seen",
        "estimate": "mean of M under the prior; relative error (M_CNN - M_true) / M_CNN",
        "test": density_report(log_density, networks.log10_mass, truth, redshift, depth),
    }
    path = folder / WEIGHTS_FILE
    save_arrays(path, arrays)
    weights = WeightsFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    card = dataclasses.replace(card, metrics=metrics, weights=(weights,))
    card.write(folder / CARD, overwrite=True)
    return DensityNetworks(card, arrays)


def _evaluated(networks, encoder, stream, number):
    """ln of densities before calibration, numbers of the context, true log10 M, depths."""
    encode = encoder(stream.dataset)
    found = []
    for parts in stream.epoch(number, in_order=True):
        (planes, context), truth = encode(parts)
        depth = np.concatenate([part.depth for part in parts])
        found.append((networks.from_planes(planes, context), context, truth, depth))
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def domain_inputs(recipe, geometry, beam, noise, n):
    """Planes and context of about n clusters in domain, as `NetworkInputs` gives them, in parts.

    Each noise model and each sampling of a map has its share; the seed is the recipe's, moved.
    """
    data, seen = recipe.data, recipe.observation
    environment = get_environment(data["environment"], cosmology=data["cosmology"])
    cases = list(itertools.product(noise, _SAMPLINGS))
    rng = np.random.default_rng([recipe.seed, _OFFSET])
    for number, (model, sampling) in enumerate(cases):
        inputs = NetworkInputs(geometry.shape, geometry.pixel_scale.to_value(u.arcmin), model)
        observation = Observation(
            name=f"domain-{sampling}",
            geometry=geometry,
            beam=beam,
            sampling=sampling,
            noise=model,
            centring=seen["centring"] * u.arcmin,
        )
        for start in range(0, -(-n // len(cases)), _CHUNK):
            seed = recipe.seed + _OFFSET + 100 * number + start // _CHUNK
            sample = draw_population(recipe, min(_CHUNK, -(-n // len(cases)) - start), seed)
            depth = np.exp(rng.uniform(*np.log(seen["depth"]), len(sample)))
            sample.table["depth"] = depth
            mocks = simulate(
                sample,
                observation,
                model=data["model"],
                cosmology=data["cosmology"],
                environment=environment,
                seed=seed,
            )
            told = depth * np.exp(seen["depth_error"] * rng.standard_normal(len(depth)))
            planes = inputs.planes(pooled(mocks.cutouts.data), told)
            yield planes, inputs.context(mocks.redshift, told)


def _in_domain(networks, recipe, dataset, noise):
    """Inputs of clusters in domain, sampled as maps are, and what the networks give for them."""
    found = []
    mocks = domain_inputs(recipe, dataset.geometry, dataset.beam, noise, recipe.training["domain"])
    for planes, context in mocks:
        parts = [
            networks.from_planes(planes[start : start + _BATCH], context[start : start + _BATCH])
            for start in range(0, len(planes), _BATCH)
        ]
        log_density = networks.calibrated(np.concatenate(parts), context)
        found.append((planes, context, networks.mean_log10_mass(log_density)))
    return map(np.concatenate, zip(*found, strict=True))


def density_report(log_density, grid, truth, redshift, depth):
    """Errors and coverage in bins of redshift, mass of the estimate and depth, a dict for each.

    Of ln p (N, nodes) on a grid of log10 M, true log10 M, redshifts and factors of the noise (N,).
    ``rmse`` is that of the mean of log10 M [dex], ``bias`` the mean relative error of the mean of
    M.
    """
    p = np.exp(log_density)
    p /= p.sum(axis=1, keepdims=True)
    log_mean, mean = p @ grid, p @ 10**grid
    cdf = np.cumsum(p, axis=1) - 0.5 * p
    below = np.array([np.interp(t, grid, row) for t, row in zip(truth, cdf, strict=True)])
    relative = 1 - 10**truth / mean
    rows = []
    for (z0, z1), (m0, m1), (d0, d1) in itertools.product(
        _with_all(_REDSHIFT), _with_all(_LOG10_MASS), _with_all(_DEPTH)
    ):
        inside = (redshift > z0) & (redshift <= z1)
        inside &= (np.log10(mean) > m0) & (np.log10(mean) <= m1) & (depth > d0) & (depth <= d1)
        n = int(np.count_nonzero(inside))
        row = {"redshift": [z0, z1], "log10_mass": [m0, m1], "depth": [d0, d1], "n": n}
        if n:
            away = np.abs(below[inside] - 0.5)
            values = {
                "rmse": np.sqrt(np.mean((log_mean - truth)[inside] ** 2)),
                "bias": relative[inside].mean(),
                "coverage_68": np.mean(away < 0.34),
                "coverage_95": np.mean(away < 0.475),
            }
            row |= {name: round(float(value), 4) for name, value in values.items()}
        rows.append(row)
    return rows


def _with_all(edges):
    return [(edges[0], edges[-1]), *itertools.pairwise(edges)]


def _card(recipe, dataset):
    geometry, data = dataset.geometry, recipe.data
    architecture, options = recipe.architecture["name"], recipe.network_options
    model = ARCHITECTURES[architecture](geometry.shape, **options)
    return ModelCard(
        name=recipe.name,
        architecture=architecture,
        architecture_options=options,
        n_parameters=model.count_params(),
        shape=geometry.shape,
        pixel_scale_arcmin=geometry.pixel_scale.to_value(u.arcmin),
        frame=geometry.frame,
        rotation_deg=geometry.rotation.to_value(u.deg),
        projection=geometry.projection,
        interpolation="point",
        beam_fwhm_arcmin=dataset.beam.to_value(u.arcmin),
        redshift_bins=((data["redshift"][0] * (1 - 1e-9), data["redshift"][-1]),),
        normalisation=((0.0, 1.0),),
        target="log10_mass_density",
        mass_definition="500c",
        h=None,
        log10_mass_range=tuple(options["log10_mass_range"]),
        training={
            "recipe": recipe.to_dict(),
            "architecture_source": architecture_source(architecture),
            "data": dataset.origin,
            "data_digest": dataset.digest,
            "maps": len(dataset),
            "cosmology": str(get_cosmology(data["cosmology"]).name),
            "loss": "minus the mean of ln p(log10 M_true)",
            "szmass": __version__,
        },
        split="by cluster, in each redshift bin; fractions and seed as in the recipe",
        metrics={},
        error_table=None,
        weights=(),
        licence="BSD-3-Clause",
        references=(_IDEA, *get_cluster_model(data["model"]).references),
    )
