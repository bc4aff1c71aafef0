"""Networks as Keras 3 models, built with ``keras`` alone so that any of its backends runs them."""

import inspect
from importlib.metadata import entry_points

import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, MissingDependencyError
from szmass.networks._inputs import CHANNELS, CONTEXT, FOUND, STATE_PLANE, TOLD, state_context
from szmass.networks._weights import named_weights

__all__ = [
    "ARCHITECTURES",
    "amplitude_head",
    "amplitude_inputs",
    "build_amplitude_cnn",
    "build_deandres2022",
    "build_density_cnn",
    "build_state_cnn",
    "check_amplitude_network",
    "check_density_network",
    "density_head",
    "density_inputs",
]

#: Functions that build a network, by the name that recipes and model cards give. Other packages
#: add theirs under the entry-point group ``szmass.architectures``; `check_amplitude_network` and
#: `check_density_network` say what `train` needs of them.
ARCHITECTURES = Registry("network architecture", "szmass.architectures")


def architecture_options(name):
    """Names of the options that a recipe may set for an architecture; None if it takes any."""
    _, *parameters = inspect.signature(ARCHITECTURES[name]).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(p.name for p in parameters if p.name != "log10_mass_range")


def architecture_source(name):
    """Where an architecture is from, such as ``"attention_nets:build (attention-nets 1.2)"``."""
    builder = ARCHITECTURES[name]
    for point in entry_points(group=ARCHITECTURES.group, name=name):
        return f"{point.value} ({point.dist.name} {point.dist.version})"
    owner = builder if hasattr(builder, "__qualname__") else type(builder)
    return f"{owner.__module__}:{owner.__qualname__}"


def check_density_network(name, shape, *, log10_mass_range, **options):
    """Build an architecture, and refuse it if density networks cannot be trained with it.

    It is like one of `check_amplitude_network`, but for ``build(shape, log10_mass_range=...,
    **options)``, which also takes the ends of the prior in log10 (M500c / Msun): it takes what
    `density_inputs` gives, and gives what `density_head` gives.

    Parameters
    ----------
    name, shape : str, tuple of int
        As for `check_amplitude_network`.
    log10_mass_range : (float, float)
        Ends of the prior.
    **options
        Further options of the architecture.

    Returns
    -------
    keras.Model
        The network, untrained, with an output (None, 3, components).

    Raises
    ------
    InvalidInputError, UnknownNameError, MissingDependencyError
        As `check_amplitude_network` raises them.
    """
    options = {"log10_mass_range": log10_mass_range, **options}
    network = _built_twice(name, shape, options, CONTEXT)
    found = tuple(network.output_shape)
    if len(found) != 3 or found[1] != 3 or not found[2]:
        raise InvalidInputError(
            f"The architecture {name!r} must give (None, 3, components), as density_head does. It "
            f"gives {found}."
        )
    return network


def check_amplitude_network(name, shape, **options):
    """Build an architecture, and refuse it if networks that give amplitudes cannot be made of it.

    An architecture is a function ``build(shape, **options)``: rows and columns of a cutout, and
    options of plain numbers, texts and lists, which recipes set under ``[architecture]`` and model
    cards keep. It gives a ``keras.Model`` that takes what `amplitude_inputs` gives and gives what
    `amplitude_head` gives. All its layers with weights have names, since by these the weights are
    found again.

    Parameters
    ----------
    name : str
        Name in `ARCHITECTURES`.
    shape : tuple of int
        Rows and columns of a cutout.
    **options
        Options of the architecture.

    Returns
    -------
    keras.Model
        The network, untrained.

    Raises
    ------
    InvalidInputError
        It cannot be built, takes or gives something else, or its layers have no names.
    UnknownNameError
        There is no such architecture.
    MissingDependencyError
        Keras, its backend, or what the architecture needs is not installed.
    """
    network = _built_twice(name, shape, options, (*TOLD, *FOUND))
    if tuple(network.output_shape) != (None, 1):
        raise InvalidInputError(
            f"The architecture {name!r} must give (None, 1), as amplitude_head does. It gives "
            f"{tuple(network.output_shape)}."
        )
    return network


def _built_twice(name, shape, options, context):
    """Build a network that takes planes and that context, with the same weights each time."""
    build = ARCHITECTURES[name]
    if shape[0] != shape[1] or shape[0] % 8:
        raise InvalidInputError(
            f"'shape' must be that of squares whose side is divisible by 8. Received: {shape!r}"
        )
    try:
        network, again = (build(shape, **options) for _ in range(2))
        found = [tuple(t.shape) for t in network.inputs]
        names, others = (list(named_weights(n)) for n in (network, again))
    except MissingDependencyError:
        raise
    except Exception as err:
        raise InvalidInputError(
            f"The architecture {name!r} cannot be built for cutouts of {shape[0]} x {shape[1]} "
            f"pixels with {options!r}: {err}"
        ) from err
    inputs = [(None, shape[0] // 4, shape[1] // 4, len(CHANNELS)), (None, len(context))]
    if found != inputs:
        raise InvalidInputError(
            f"The architecture {name!r} must take {inputs}, as density_inputs or amplitude_inputs "
            f"give them. It takes {found}."
        )
    if names != others or len(names) < len(network.weights):
        raise InvalidInputError(
            f"The architecture {name!r} must give each layer a name of its own: its weights "
            f"({', '.join(names[:4])}, ...) share one, or are called otherwise the next time."
        )
    return network


def density_inputs(shape):
    """Give the inputs of a network that gives a density of log-mass.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a cutout.

    Returns
    -------
    planes : keras.KerasTensor
        What `szmass.networks.DensityNetworks` makes of cutouts, shape (N, ny / 4, nx / 4, 4): the
        inner half of the field in blocks of 2 x 2 pixels and the whole in blocks of 4 x 4, each as
        it is and after a matched filter.
    context : keras.KerasTensor
        Numbers, shape (N, 6): redshift and noise.
    """
    return _inputs(shape, CONTEXT)


def amplitude_inputs(shape):
    """Give the inputs of a network that gives an amplitude.

    Parameters
    ----------
    shape : tuple of int
        As for `density_inputs`.

    Returns
    -------
    planes : keras.KerasTensor
        As for `density_inputs`.
    context : keras.KerasTensor
        Numbers, shape (N, 17): redshift, noise, position error, and compressed signal-to-noise
        ratios of six matched filters in the middle of the field.
    """
    return _inputs(shape, (*TOLD, *FOUND))


def _inputs(shape, context):
    keras = import_optional("keras", extra="train", purpose="build a network")
    planes = keras.Input((shape[0] // 4, shape[1] // 4, len(CHANNELS)), name="planes")
    return planes, keras.Input((len(context),), name="context")


def amplitude_head(features, context):
    """Give the output of a network that gives an amplitude.

    The features weigh what the filters found, and correct it.

    Parameters
    ----------
    features : keras.KerasTensor
        What the last layer gives, shape (N, features).
    context : keras.KerasTensor
        The numbers that `amplitude_inputs` gave.

    Returns
    -------
    keras.KerasTensor
        Shape (N, 1): the amplitude in units of its noise, compressed by an inverse hyperbolic sine.
    """
    keras = import_optional("keras", extra="train", purpose="build a network")
    layers, ops = keras.layers, keras.ops
    weights = ops.softmax(layers.Dense(len(FOUND), dtype="float32", name="sizes")(features))
    correction = layers.Dense(1, dtype="float32", name="amplitude")(features)
    found = ops.cast(context[:, len(TOLD) :], "float32")
    return 10 * ops.sum(weights * found, axis=-1, keepdims=True) + 3 * correction


def density_head(features, log10_mass_range, components=4, name="mixture"):
    """Give the output of a network that gives a density of log-mass, or of another number.

    The density is a mixture of normal distributions in log10 M, cut off at the ends of the prior.

    Parameters
    ----------
    features : keras.KerasTensor
        What the last layer gives, shape (N, features).
    log10_mass_range : (float, float)
        Ends of the prior.
    components : int, optional
        Number of normal distributions.
    name : str, optional
        Name of the layer.

    Returns
    -------
    keras.KerasTensor
        Shape (N, 3, components): logarithms of the weights, means and standard deviations.
    """
    keras = import_optional("keras", extra="train", purpose="build a network")
    layers, ops = keras.layers, keras.ops
    low, high = map(float, log10_mass_range)
    x = layers.Dense(3 * components, dtype="float32", name=name)(features)
    x = layers.Reshape((3, components), dtype="float32")(x)
    # Means begin spread over the prior; they may lie a little outside it.
    start = np.linspace(-1.5, 1.5, components).astype("float32")
    weights = ops.log_softmax(x[:, 0], axis=-1)
    means = low + (high - low) * (1.1 * ops.sigmoid(x[:, 1] + start) - 0.05)
    sigmas = 0.01 + 0.25 * ops.softplus(x[:, 2] - 1.0)
    return ops.stack([weights, means, sigmas], axis=1)


def build_deandres2022(shape=(96, 96), *, dropout=0.1):
    """Build the network of de Andres et al. (2022).

    Three times a 3 x 3 convolution (16, 32, 64 filters, no padding) and 2 x 2 max-pooling, the
    mean over the map, then dense layers of 200, 100, 20 and 1 units with drop-out after
    the mean and after the first; ReLU everywhere but at the end. It has 58 437 weights.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of the map.
    dropout : float, optional
        Fraction of units dropped in training.

    Returns
    -------
    keras.Model
        Takes normalised maps and gives one number per map. Weighted layers are
        named ``conv1`` to ``conv3`` and ``dense1`` to ``dense4``.

    Raises
    ------
    MissingDependencyError
        Keras or its backend is not installed.

    Notes
    -----
    Input shape: ``(batch, *shape, 1)``. Output shape: ``(batch, 1)``.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (2022NatAs...6.1325D); the layers
    are those of the released weights. The convolutional part follows Ntampaka et al. 2019,
    ApJ 876, 82 (2019ApJ...876...82N).
    """
    keras = import_optional("keras", extra="train", purpose="build a network")
    layers = keras.layers
    channels = {"data_format": "channels_last"}
    maps = x = keras.Input((*shape, 1), name="map")
    for i, filters in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(filters, 3, activation="relu", name=f"conv{i}", **channels)(x)
        x = layers.MaxPooling2D(2, name=f"pool{i}", **channels)(x)
    x = layers.GlobalAveragePooling2D(name="mean", **channels)(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(200, activation="relu", name="dense1")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = layers.Dense(100, activation="relu", name="dense2")(x)
    x = layers.Dense(20, activation="relu", name="dense3")(x)
    x = layers.Dense(1, name="dense4")(x)
    return keras.Model(maps, x, name="deandres2022")


ARCHITECTURES.add("deandres2022", build_deandres2022)


def build_density_cnn(shape=(96, 96), *, log10_mass_range, filters=(32, 48, 64), components=4):
    """Build the network that gives a density of log-mass, for all redshifts.

    Two towers of three convolutions look at the inner half of the field in blocks of 2 x 2 pixels
    and at the whole field in blocks of 4 x 4, each as it is and after a matched filter. Their
    flattened maps, where positions still count, meet redshift and noise level in dense layers. The
    density is a mixture of normal distributions in log10 M, cut off at the ends of the prior.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of a cutout.
    log10_mass_range : (float, float)
        Ends of the prior.
    filters : sequence of int, optional
        Filters of the convolutions of a tower, the first of 5 x 5 and the others of 3 x 3 pixels.
    components : int, optional
        Number of normal distributions.

    Returns
    -------
    keras.Model
        Takes what `szmass.networks.DensityNetworks` makes of cutouts: planes, shape (N, ny / 4,
        nx / 4, 4), and numbers, shape (N, 6), as in `density_inputs`. Gives shape (N, 3,
        components): logarithms of the weights, means and standard deviations.
    """
    planes, context = density_inputs(shape)
    mixture = density_head(_towers(planes, context, filters), log10_mass_range, components)
    return _model([planes, context], mixture, "density_cnn")


ARCHITECTURES.add("density_cnn", build_density_cnn)


def build_amplitude_cnn(shape=(96, 96), *, filters=(32, 48, 64)):
    """Build the network that gives the amplitude of a cluster in units of its noise.

    The towers are those of `build_density_cnn`. Their features weigh what matched filters of six
    sizes find in the middle of the field, and correct it.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of a cutout.
    filters : sequence of int, optional
        Filters of the convolutions of a tower, the first of 5 x 5 and the others of 3 x 3 pixels.

    Returns
    -------
    keras.Model
        Takes what `szmass.networks.AmplitudeNetworks` makes of cutouts, as in `amplitude_inputs`,
        and gives shape (N, 1), as `amplitude_head` does.
    """
    planes, context = amplitude_inputs(shape)
    amplitude = amplitude_head(_towers(planes, context, filters), context)
    return _model([planes, context], amplitude, "amplitude_cnn")


ARCHITECTURES.add("amplitude_cnn", build_amplitude_cnn)


def build_state_cnn(
    shape=(96, 96), *, bands, ranges, filters=(16, 24, 32), components=3, dropout=0.0
):
    """Build the network that gives densities of numbers of the dynamical state.

    The towers are those of `build_density_cnn`, of the inner half of a field and of all of it, in
    all bands. Each definition of the state has a density, a mixture of normal distributions in
    log10 of its number.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of a cutout; the planes are of one shape all the same.
    bands : sequence of str
        Of "y" and "X".
    ranges : dict of str to (float, float)
        Ends of the density, in log10 of the number, by the name of the definition.
    filters : sequence of int, optional
        Filters of the convolutions of a tower, the first of 5 x 5 and the others of 3 x 3 pixels.
    components : int, optional
        Number of normal distributions.
    dropout : float, optional
        Fraction of what the towers found that is dropped in training.

    Returns
    -------
    keras.Model
        Takes what `szmass.morphology.see_for_states` makes of cutouts: planes, shape (N, 24, 24,
        2 B), and numbers, shape (N, 4 + 2 B). Gives shape (N, definitions, 3, components):
        logarithms of the weights, means and standard deviations.
    """
    keras = import_optional("keras", extra="train", purpose="build a network")
    planes = keras.Input((STATE_PLANE, STATE_PLANE, 2 * len(bands)), name="planes")
    context = keras.Input((len(state_context(bands)),), name="context")
    features = _towers(planes, context, filters, dropout)
    mixtures = [
        density_head(features, limits, components, name=f"mixture_{name}")
        for name, limits in ranges.items()
    ]
    return _model([planes, context], keras.ops.stack(mixtures, axis=1), "state_cnn")


ARCHITECTURES.add("state_cnn", build_state_cnn)


def _model(inputs, output, name):
    keras = import_optional("keras", extra="train", purpose="build a network")
    return keras.Model(inputs, output, name=name)


def _towers(planes, context, filters, dropout=0.0):
    """What two towers of convolutions see, with the context, as features (N, 64)."""
    keras = import_optional("keras", extra="train", purpose="build a network")
    layers = keras.layers
    channels = {"data_format": "channels_last", "padding": "same", "activation": "relu"}
    known = layers.Dense(48, activation="gelu", name="context1")(context)
    features, each = [known], planes.shape[-1] // 2
    for i, tower in enumerate(("core", "field")):
        x = planes[..., each * i : each * (i + 1)]
        for j, number in enumerate(filters, start=1):
            x = layers.Conv2D(
                number,
                5 if j == 1 else 3,
                strides=2 if j < 3 else 1,
                name=f"{tower}{j}",
                **channels,
            )(x)
        features.append(layers.Dense(96, name=f"{tower}_dense")(layers.Flatten()(x)))
    x = layers.concatenate(features)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(192, activation="gelu", name="dense1")(x)
    x = layers.Dense(192, activation="gelu", name="dense2")(layers.concatenate([x, known]))
    return layers.Dense(64, activation="gelu", name="dense3")(x)
