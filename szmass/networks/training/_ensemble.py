"""Ensembles made of trained members: calibration, mocks in domain, report, card, files."""

import dataclasses
import hashlib
import itertools

import astropy.units as u
import numpy as np

from szmass.networks._densities import Calibration
from szmass.networks._inputs import pooled, redshift_and_level
from szmass.networks._weights import save_arrays
from szmass.networks.architectures import ARCHITECTURES, architecture_source
from szmass.networks.binned import CARD
from szmass.networks.cards import ModelCard, WeightsFile
from szmass.networks.density import DensityNetworks
from szmass.networks.domain import FEWEST, DomainScore
from szmass.networks.shipped import load_networks
from szmass.networks.training._fit import best_arrays
from szmass.networks.training._mocks import domain_mocks
from szmass.physics.cosmology import get_cosmology
from szmass.simulations.bodies.models import get_cluster_model
from szmass.version import __version__

WEIGHTS_FILE = "model.npz"

#: Realisations of the noise with which validation clusters are seen for the calibration.
PASSES = 3
# Masses of simulations, learned by convolutional networks from maps like Planck's.
_IDEA = "2022NatAs...6.1325D"
# Bins of the report.
_REDSHIFT, _LOG10_MASS, _DEPTH = (0.0, 0.1, 0.2, 0.4, 1.0), (0.0, 14.7, 99.0), (0.0, 1.0, 99.0)


def finish_ensemble(recipe, folder, dataset, encoder, streams, noise):
    """Calibrate trained members on the validation set, test them, and write card and weights.

    ``encoder(part)`` turns batches of that part of the data into inputs and targets; ``streams``
    are of noisy maps for validation and test.
    """
    arrays = rounded_members(recipe.training["members"], folder)
    loss = "minus the mean of ln p(log10 M_true)"
    card = make_card(recipe, dataset, DensityNetworks.target, loss)
    networks = DensityNetworks(card, arrays)
    validation, test = streams
    passes = [evaluated(networks, encoder, validation, number) for number in range(PASSES)]
    log_density, context, truth, *_ = map(np.concatenate, zip(*passes, strict=True))
    calibration = Calibration.fit(
        log_density, networks.log10_mass, *redshift_and_level(context), truth
    )
    arrays["calibration/coefficients"] = calibration.coefficients
    networks = DensityNetworks(card, arrays)
    if recipe.training["domain"] >= FEWEST:

        def seen(mocks, model, told, centring):
            inputs = networks.inputs(model)
            planes = inputs.planes(pooled(mocks.cutouts.data), told)
            context = inputs.context(mocks.redshift, told)
            found = networks.calibrated(networks.from_planes(planes, context), context)
            return planes, context, networks.mean_log10_mass(found)

        arrays |= fitted_domain(recipe, dataset, noise, seen)
        networks = DensityNetworks(card, arrays)
    log_density, context, truth, depth, *_ = evaluated(networks, encoder, test, 0)
    log_density = networks.calibrated(log_density, context)
    redshift, _ = redshift_and_level(context)
    metrics = {
        "data": data_of(test),
        "estimate": "mean of M under the prior; relative error (M_CNN - M_true) / M_CNN",
        "test": density_report(log_density, networks.log10_mass, truth, redshift, depth),
    }
    write_ensemble(folder, card, arrays, metrics)
    return load_networks(folder)


def rounded_members(members, folder):
    """Weights of trained members, as they ship: half as large. All that follows sees these."""
    return {
        f"member-{number}/{name}": array.astype(np.float16)
        for number in range(members)
        for name, array in best_arrays(folder / f"member-{number}").items()
    }


def evaluated(networks, encoder, stream, number):
    """What the networks give, numbers of the context, and targets, of a whole stream.

    And what it drew: depths, rows of the data set, factors of their own signals.
    """
    encode = encoder(stream.dataset)
    found = []
    for parts in stream.epoch(number, in_order=True):
        (planes, context), truth = encode(parts)
        drawn = zip(*((part.depth, part.rows, part.factor) for part in parts), strict=True)
        drawn = map(np.concatenate, drawn)
        found.append((networks.from_planes(planes, context), context, truth, *drawn))
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def fitted_domain(recipe, dataset, noise, seen):
    """Arrays of a `DomainScore` of mocks in domain.

    ``seen(mocks, model, told, centring)`` gives planes, context and what stands for the mass.
    """
    mocks = domain_mocks(recipe, dataset.geometry, dataset.beam, noise, recipe.training["domain"])
    found = [np.concatenate(arrays) for arrays in zip(*(seen(*m) for m in mocks), strict=True)]
    domain = DomainScore.fit(*found, seed=recipe.seed)
    return {f"domain/{name}": array for name, array in domain.to_arrays().items()}


def data_of(test):
    """What the test of a card was made on, in words."""
    return f"{len(test.dataset)} maps of clusters that no training or calibration has seen"


def write_ensemble(folder, card, arrays, metrics):
    """Write weights, and the card with their test."""
    path = folder / WEIGHTS_FILE
    save_arrays(path, arrays)
    weights = WeightsFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    card = dataclasses.replace(card, metrics=metrics, weights=(weights,))
    card.write(folder / CARD, overwrite=True)


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
    away = np.abs(below - 0.5)
    bins = {
        "redshift": (redshift, _REDSHIFT),
        "log10_mass": (np.log10(mean), _LOG10_MASS),
        "depth": (depth, _DEPTH),
    }
    return report_rows(
        bins,
        lambda inside: {
            "rmse": np.sqrt(np.mean((log_mean - truth)[inside] ** 2)),
            "bias": relative[inside].mean(),
            "coverage_68": np.mean(away[inside] < 0.34),
            "coverage_95": np.mean(away[inside] < 0.475),
        },
    )


def report_rows(bins, measure):
    """A dict for each combination of bins: their limits, how many are inside, what is measured.

    ``bins`` are by name what is binned (N,), and edges of bins (low, high]; the whole range counts
    as one more. ``measure(inside)`` is given which of the N, if any, are.
    """
    rows = []
    ranges = [[(e[0], e[-1]), *itertools.pairwise(e)] for _, e in bins.values()]
    for limits in itertools.product(*ranges):
        row, inside = {}, True
        for (name, (values, _)), (low, high) in zip(bins.items(), limits, strict=True):
            inside = inside & (values > low) & (values <= high)
            row[name] = [low, high]
        row["n"] = int(np.count_nonzero(inside))
        if row["n"]:
            row |= {name: round(float(value), 4) for name, value in measure(inside).items()}
        rows.append(row)
    return rows


def make_card(recipe, dataset, target, loss):
    """Card of the networks of a recipe, before their test."""
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
        target=target,
        mass_definition="500c",
        h=None,
        log10_mass_range=tuple(recipe.log10_mass_range),
        training={
            "recipe": recipe.to_dict(),
            "architecture_source": architecture_source(architecture),
            "data": dataset.origin,
            "data_digest": dataset.digest,
            "maps": len(dataset),
            "cosmology": str(get_cosmology(data["cosmology"]).name),
            "loss": loss,
            "szmass": __version__,
        },
        split="by cluster, in each redshift bin; fractions and seed as in the recipe",
        metrics={},
        error_table=None,
        weights=(),
        licence="BSD-3-Clause",
        references=(_IDEA, *get_cluster_model(data["model"]).references),
    )
