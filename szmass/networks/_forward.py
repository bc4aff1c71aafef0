"""Forward passes of the networks of `szmass.networks.architectures` in numpy, for weighing."""

import functools

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.special import erf, expit

from szmass._utils.pieces import row_products
from szmass.exceptions import FileFormatError
from szmass.networks._inputs import CHANNELS, CONTEXT, FOUND, STATE_PLANE, TOLD, state_context


def network_of(card, arrays):
    """Give a network of a model card as a function of its inputs, all arrays of float32.

    ``arrays`` are its weights. Keras runs the architectures of other packages.
    """
    card.check_architecture()
    if card.architecture not in PASSES:
        return _by_keras(card.build(arrays))
    run, inputs = PASSES[card.architecture]
    layers = Layers(card.architecture, arrays)
    network = functools.partial(run, layers, **card.architecture_options)
    try:
        shapes = inputs(card.shape, **card.architecture_options)
        network(*(np.zeros((1, *one), np.float32) for one in shapes))
    except FileFormatError:
        raise
    except (TypeError, ValueError) as err:  # options that it has not
        raise FileFormatError(
            f"The network {card.architecture!r} of the model card {card.name!r} cannot be "
            f"built with the options {card.architecture_options!r}: {err}"
        ) from err
    layers.check_all_used()
    if (count := sum(array.size for array in arrays.values())) != card.n_parameters:
        raise FileFormatError(
            f"The network {card.architecture!r} has {count} weights; "
            f"the model card {card.name!r} says {card.n_parameters}."
        )
    return network


def _by_keras(model):
    def network(*inputs):
        inputs = inputs[0] if len(inputs) == 1 else list(inputs)
        return model(inputs, training=False).numpy()

    return network


class Layers:
    """Layers by name; weights that are missing, of another shape or not asked for are refused."""

    def __init__(self, network, arrays):
        for name, array in arrays.items():
            if array.dtype.kind not in "fiu" or not np.all(np.isfinite(array)):
                raise FileFormatError(
                    f"The weights {name!r} contain NaN or infinite values, or no numbers."
                )
        self._arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
        self._network, self._used = network, set()

    def _weights(self, layer, *shape):
        found = []
        for name, wanted in ((f"{layer}/kernel", shape), (f"{layer}/bias", shape[-1:])):
            if name not in self._arrays:
                raise FileFormatError(
                    f"The weights do not fit the network {self._network!r}: {name} is missing"
                )
            if self._arrays[name].shape != wanted:
                raise FileFormatError(
                    f"The weights {name!r} have shape {self._arrays[name].shape}; the network "
                    f"{self._network!r} needs {wanted}."
                )
            self._used.add(name)
            found.append(self._arrays[name])
        return found

    def check_all_used(self):
        if unknown := sorted(self._arrays.keys() - self._used):
            raise FileFormatError(
                f"The weights do not fit the network {self._network!r}: "
                f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} unknown"
            )

    def dense(self, name, x, units):
        """Rows (N, features) to (N, units)."""
        kernel, bias = self._weights(name, x.shape[1], units)
        return row_products(x, kernel) + bias

    def convolution(self, name, x, filters, side, *, stride=1, same=False, linear=False):
        """Maps (N, ny, nx, channels) to (N, ny', nx', filters), not below zero unless linear."""
        if same:
            x = np.pad(x, ((0, 0), *(_padding(n, side, stride) for n in x.shape[1:3]), (0, 0)))
        n, ny, nx, channels = x.shape
        kernel, bias = self._weights(name, side, side, channels, filters)
        shape = n, (ny - side) // stride + 1, (nx - side) // stride + 1
        x = np.ascontiguousarray(x)
        # Not x.strides: those of axes of length one may be anything.
        pixel, row = channels * x.itemsize, nx * channels * x.itemsize
        # Pixels of a row of a window lie side by side, with all their channels.
        windows = as_strided(
            x,
            (*shape, side, side * channels),
            (ny * row, stride * row, stride * pixel, row, x.itemsize),
            writeable=False,
        )
        # A product for each map: in one of all, sums would depend on a map's place.
        windows = windows.reshape(n, -1, side * side * channels)
        found = windows @ kernel.reshape(-1, filters)
        found += bias
        if not linear:
            np.maximum(found, 0, out=found)
        return found.reshape(*shape, filters)


def _padding(n, side, stride):
    """Pixels to add before and after, so that a stride gives ceil(n / stride) of them."""
    total = max((-(-n // stride) - 1) * stride + side - n, 0)
    return total // 2, total - total // 2


def gelu(x):
    """Gaussian error linear unit."""
    return 0.5 * x * (1 + erf(x * np.float32(np.sqrt(0.5))))


def _towers(layers, planes, context, filters):
    known = gelu(layers.dense("context1", context, 48))
    features, channels = [known], planes.shape[-1] // 2
    for i, tower in enumerate(("core", "field")):
        x = np.ascontiguousarray(planes[..., channels * i : channels * (i + 1)])
        for j, number in enumerate(filters, start=1):
            side, stride = 5 if j == 1 else 3, 2 if j < 3 else 1
            x = layers.convolution(f"{tower}{j}", x, number, side, stride=stride, same=True)
        features.append(layers.dense(f"{tower}_dense", x.reshape(len(x), -1), 96))
    x = gelu(layers.dense("dense1", np.concatenate(features, axis=1), 192))
    x = gelu(layers.dense("dense2", np.concatenate([x, known], axis=1), 192))
    return gelu(layers.dense("dense3", x, 64))


def _amplitude_cnn(layers, planes, context, *, filters=(32, 48, 64)):
    x = _towers(layers, planes, context, filters)
    weights = layers.dense("sizes", x, len(FOUND))
    weights = np.exp(weights - weights.max(axis=1, keepdims=True))
    found = (weights * context[:, len(TOLD) :]).sum(axis=1) / weights.sum(axis=1)
    return 10 * found[:, np.newaxis] + 3 * layers.dense("amplitude", x, 1)


def _density_cnn(layers, planes, context, *, log10_mass_range, filters=(32, 48, 64), components=4):
    x = _towers(layers, planes, context, filters)
    return _mixture(layers, "mixture", x, log10_mass_range, components)


def _mixture(layers, name, x, limits, components):
    x = layers.dense(name, x, 3 * components).reshape(-1, 3, components)
    low, high = limits
    start = np.linspace(-1.5, 1.5, components).astype(np.float32)
    weights = x[:, 0] - np.logaddexp.reduce(x[:, 0], axis=-1, keepdims=True)
    means = low + (high - low) * (1.1 * expit(x[:, 1] + start) - 0.05)
    sigmas = 0.01 + 0.25 * np.logaddexp(0, x[:, 2] - 1)
    return np.stack([weights, means, sigmas], axis=1)


def _state_cnn(
    layers, planes, context, *, bands, ranges, filters=(16, 24, 32), components=3, dropout=None
):
    x = _towers(layers, planes, context, filters)
    mixtures = [
        _mixture(layers, f"mixture_{name}", x, limits, components)
        for name, limits in ranges.items()
    ]
    return np.stack(mixtures, axis=1)


def _deandres2022(layers, maps, *, dropout=None):
    x = maps
    for i, filters in enumerate((16, 32, 64), start=1):
        x = layers.convolution(f"conv{i}", x, filters, 3)
        n, ny, nx, _ = x.shape
        x = x[:, : ny // 2 * 2, : nx // 2 * 2].reshape(n, ny // 2, 2, nx // 2, 2, filters)
        x = x.max(axis=(2, 4))
    x = x.mean(axis=(1, 2))
    for i, units in enumerate((200, 100, 20), start=1):
        x = np.maximum(layers.dense(f"dense{i}", x, units), 0)
    return layers.dense("dense4", x, 1)


def _planes(shape):
    return shape[0] // 4, shape[1] // 4, len(CHANNELS)


def _state_planes(shape, *, bands, **options):
    return (STATE_PLANE, STATE_PLANE, 2 * len(bands)), (len(state_context(bands)),)


#: What runs a network, and the shapes of its inputs by rows and columns of a cutout and options.
PASSES = {
    "amplitude_cnn": (
        _amplitude_cnn,
        lambda shape, **_: (_planes(shape), (len(TOLD) + len(FOUND),)),
    ),
    "density_cnn": (_density_cnn, lambda shape, **_: (_planes(shape), (len(CONTEXT),))),
    "deandres2022": (_deandres2022, lambda shape, **_: ((*shape, 1),)),
    "state_cnn": (_state_cnn, _state_planes),
}
