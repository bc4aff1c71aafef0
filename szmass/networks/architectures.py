"""Networks as Keras 3 models, built with ``keras`` alone so that any of its backends runs them."""

import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.registry import Registry
from szmass.networks._inputs import CHANNELS, CONTEXT

__all__ = ["ARCHITECTURES", "build_deandres2022", "build_density_cnn"]

#: Functions that build a network, by the name that a model card gives.
ARCHITECTURES = Registry("network architecture")


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
    keras = import_optional("keras", extra="cnn", purpose="build a network")
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
        nx / 4, 4), and numbers, shape (N, 6). Gives shape (N, 3, components): logarithms of the
        weights, means and standard deviations.
    """
    keras = import_optional("keras", extra="cnn", purpose="build a network")
    layers, ops = keras.layers, keras.ops
    low, high = map(float, log10_mass_range)
    channels = {"data_format": "channels_last", "padding": "same", "activation": "relu"}
    planes = keras.Input((shape[0] // 4, shape[1] // 4, len(CHANNELS)), name="planes")
    context = keras.Input((len(CONTEXT),), name="context")
    known = layers.Dense(48, activation="gelu", name="context1")(context)
    features = [known]
    for i, tower in enumerate(("core", "field")):
        x = planes[..., 2 * i : 2 * i + 2]
        for j, number in enumerate(filters, start=1):
            x = layers.Conv2D(
                number,
                5 if j == 1 else 3,
                strides=2 if j < 3 else 1,
                name=f"{tower}{j}",
                **channels,
            )(x)
        features.append(layers.Dense(96, name=f"{tower}_dense")(layers.Flatten()(x)))
    x = layers.Dense(192, activation="gelu", name="dense1")(layers.concatenate(features))
    x = layers.Dense(192, activation="gelu", name="dense2")(layers.concatenate([x, known]))
    x = layers.Dense(64, activation="gelu", name="dense3")(x)
    x = layers.Dense(3 * components, dtype="float32", name="mixture")(x)
    x = layers.Reshape((3, components), dtype="float32")(x)
    # Means begin spread over the prior; they may lie a little outside it.
    start = np.linspace(-1.5, 1.5, components).astype("float32")
    width = high - low
    weights = ops.log_softmax(x[:, 0], axis=-1)
    means = low + width * (1.1 * ops.sigmoid(x[:, 1] + start) - 0.05)
    sigmas = 0.01 + 0.25 * ops.softplus(x[:, 2] - 1.0)
    return keras.Model(
        [planes, context], ops.stack([weights, means, sigmas], axis=1), name="density_cnn"
    )


ARCHITECTURES.add("density_cnn", build_density_cnn)
