"""Training of networks that give amplitudes: targets, response, card and files."""

import astropy.units as u
import numpy as np

from szmass.networks._inputs import (
    TOLD,
    NetworkInputs,
    compressed,
    expanded,
    pooled,
    redshift_and_centring,
)
from szmass.networks._responses import Response
from szmass.networks.amplitude import AmplitudeNetworks
from szmass.networks.domain import FEWEST
from szmass.networks.shipped import load_networks
from szmass.networks.training._ensemble import (
    PASSES,
    data_of,
    evaluated,
    fitted_domain,
    make_card,
    report_rows,
    rounded_members,
    write_ensemble,
)
from szmass.networks.training._mocks import median_amplitude
from szmass.networks.training._spectra import family_of

_REDSHIFT = (0.0, 0.1, 0.2, 0.4, 1.0)
_AMPLITUDE = (-1e9, 4.5, 10.0, 1e9)
# Spectra of mocks that tell what is in domain, of each at least so many.
_SPECTRA, _FEWEST_OF_EACH = 96, 150


class AmplitudeEncoder:
    """Turns batches of noisy maps of a data set into inputs and targets of such networks."""

    def __init__(self, recipe, dataset, noise):
        self.pixel = float(dataset.geometry.pixel_scale.to_value(u.arcmin))
        self.inputs = [NetworkInputs(dataset.geometry.shape, self.pixel, model) for model in noise]
        self.redshift = dataset.redshift
        table = dataset.table(["mass_true", "ln_y"])
        log10_mass = np.log10(table["mass_true"].to_value(u.solMass))[:, np.newaxis]
        scatter = np.exp(np.asarray(table["ln_y"], dtype=float))
        #: True amplitudes at depth 1, (models, N).
        self.amplitude = np.stack(
            [
                median_amplitude(recipe, inputs, log10_mass, self.redshift)[:, 0] * scatter
                for inputs in self.inputs
            ]
        )

    def __call__(self, parts):
        planes, context, target = [], [], []
        for part in parts:
            inputs, rows = self.inputs[part.noise], part.rows
            seen, found = inputs.seen(part.maps, part.depth)
            told = inputs.told(self.redshift[rows], part.depth, part.centring * self.pixel)
            planes.append(seen)
            context.append(np.concatenate([told, found], axis=1))
            target.append(compressed(self.amplitude[part.noise, rows] * part.factor / part.depth))
        inputs = np.concatenate(planes), np.concatenate(context)
        return inputs, np.concatenate(target).astype(np.float32)


def finish_amplitudes(recipe, folder, dataset, encoder, streams, noise):
    """Fit the response of trained members on the validation set, test them, write card and weights.

    Arguments are those of `finish_ensemble`.
    """
    arrays = rounded_members(recipe.training["members"], folder)
    loss = "mean square of the difference of compressed amplitudes"
    card = make_card(recipe, dataset, AmplitudeNetworks.target, loss)
    response, limits, metrics = fit_response(AmplitudeNetworks(card, arrays), encoder, streams)
    arrays |= response | limits
    if recipe.training["domain"] >= FEWEST:
        arrays |= domain_of(AmplitudeNetworks(card, arrays), recipe, dataset, noise)
    write_ensemble(folder, card, arrays, metrics)
    return load_networks(folder)


def fit_response(networks, encoder, streams):
    """Arrays of the response of networks and of the range of what they were told; and their test.

    The response is that to the first stream, with several realisations of its noise; the test is
    made on the second.
    """

    def seen(stream, number):
        found, context, target, _, rows, factor = evaluated(networks, encoder, stream, number)
        ln_y = np.asarray(stream.dataset.table(["ln_y"])["ln_y"], dtype=float)
        deviation = ln_y[rows] + np.log(np.abs(factor))
        return context, found, expanded(target.astype(float)), deviation

    validation, test = streams
    passes = [seen(validation, number) for number in range(PASSES)]
    context, *mocks = map(np.concatenate, zip(*passes, strict=True))
    response = Response.fit(*mocks, *redshift_and_centring(context))
    told = context[:, : len(TOLD)]
    limits = {"range/low": told.min(axis=0), "range/high": told.max(axis=0)}
    context, *mocks = seen(test, 0)
    metrics = {
        "data": data_of(test),
        "estimate": "Y500 in units of its standard error",
        "test": amplitude_report(response, *mocks, *redshift_and_centring(context)),
    }
    arrays = {f"response/{name}": array for name, array in response.to_arrays().items()}
    return arrays, limits, metrics


def domain_of(networks, recipe, dataset, noise):
    """Arrays of the `DomainScore` of networks.

    Its mocks are of the noise of the training; where that is a family, of more about them.
    """
    if "spectra" in recipe.observation:
        most = min(_SPECTRA, recipe.training["domain"] // _FEWEST_OF_EACH)
        noise = family_of(noise, max(len(noise), most), recipe.seed + 1)

    def seen(mocks, model, depth, centring):
        sampling = mocks.cutouts.sampling
        inputs = networks.inputs(model, sampling)
        options = {"noise": model, "depth": depth, "centring": centring, "sampling": sampling}
        amplitude = networks.amplitude(mocks.cutouts.data, mocks.redshift, **options)
        planes = inputs.planes(pooled(mocks.cutouts.data), depth)
        context = networks.domain_context(inputs, mocks.redshift, depth)
        return planes, context, networks.domain_variable(amplitude)

    return fitted_domain(recipe, dataset, noise, seen)


def amplitude_report(response, found, true, deviation, redshift, centring):
    """Errors in bins of redshift and true amplitude, a dict for each, as for `Response.fit`.

    ``rmse`` is that of compressed amplitudes; ``bias`` the mean of what the response leaves, and
    ``within_68`` and ``within_95`` the parts of clusters within 1 and 1.96 of its standard
    deviations.
    """
    pull, _ = response.pull(found, true, deviation, redshift, centring)
    square = (compressed(found) - compressed(true)) ** 2
    size = np.abs(pull)
    return report_rows(
        {"redshift": (redshift, _REDSHIFT), "amplitude": (true, _AMPLITUDE)},
        lambda inside: {
            "rmse": np.sqrt(square[inside].mean()),
            "bias": pull[inside].mean(),
            "within_68": np.mean(size[inside] < 1),
            "within_95": np.mean(size[inside] < 1.96),
        },
    )
